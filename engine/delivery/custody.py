"""Which texts of a channel and a datasource are secrets, and how they are kept: by reference, sealed, or in clear.

The pure part of keeping secrets: a definition goes in and the same one comes out as it may be stored. What is already
sealed stays as it is, so that storing a definition twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from engine.delivery.references import is_literal, sources
from engine.delivery.sealing import MARK, SETTING, is_sealed
from rules.channels import Channel, ChannelKind
from rules.datasource import Datasource
from rules.errors import ChannelError
from rules.problems import Problem, Severity

PLAIN: Final = frozenset({"ca_file", "channel", "from", "hello", "port", "region", "tls", "to", "update"})
"""Settings that are no secret in any kind of channel."""
OPEN: Final = frozenset({"kind", "type", "user", "username"})
"""Entries of a datasource's `auth` that are no secret."""
OPEN_TLS: Final = frozenset(
    {
        *("ca", "ca_file", "cert", "cert_file", "key_file"),
        *("insecure_skip_verify", "max_version", "min_version", "server_name"),
    }
)
"""Entries of a datasource's `tls` that are no secret: a key is."""

Keep = Callable[[str, str], str]
"""How a secret is kept: the field's name and the text it was given as, and the text to store."""


def channel_as_kept(channel: Channel, before: Channel | None, environment: Mapping[str, str]) -> Channel:
    """The channel as it is to be stored in place of `before`: its literal secrets sealed, if there is a key."""
    keep = _sealing({} if before is None else dict(_channel_texts(before)), environment)
    return with_channel_texts(channel, keep)


def datasource_as_kept(datasource: Datasource, before: Datasource | None, environment: Mapping[str, str]) -> Datasource:
    """The datasource as it is to be stored in place of `before`: credentials in URLs and `auth` sealed, if there is a key."""
    keep = _sealing({} if before is None else dict(_datasource_texts(before)), environment)
    return with_datasource_texts(datasource, keep)


def channel_warnings(channel: Channel, environment: Mapping[str, str]) -> tuple[Problem, ...]:
    """A warning for each secret of the channel that stands in the database in clear, naming the fix."""
    return tuple(_warnings(_channel_texts(channel), environment))


def datasource_warnings(datasource: Datasource, environment: Mapping[str, str]) -> tuple[Problem, ...]:
    """A warning for each secret of the datasource that stands in the database in clear, naming the fix."""
    return tuple(_warnings(_datasource_texts(datasource), environment))


def refuse_sealed(field: str, text: str) -> None:
    """ChannelError for a text that looks sealed: a token taken from elsewhere would be opened for whoever brings it."""
    if is_sealed(text):
        message = (
            f"begins with {MARK}, which is how Tocsin keeps secrets: give the secret itself, or env:NAME or file:PATH"
        )
        raise ChannelError(message, field=field)


def in_clear(text: str, environment: Mapping[str, str]) -> str | None:
    """The text without its seal; `None` when no key opens it."""
    try:
        return sources(environment).secret_keys.opened(text)
    except ChannelError:
        return None


def with_channel_texts(channel: Channel, keep: Keep) -> Channel:
    """The channel with every secret text put through `keep`."""
    kept = {name: keep(name, text) for name, text in _channel_texts(channel)}
    settings = {name: kept.get(f"settings.{name}", text) for name, text in channel.settings.items()}
    return replace(channel, url=kept.get("url", channel.url), settings=settings)


def with_datasource_texts(datasource: Datasource, keep: Keep) -> Datasource:
    """The datasource with every secret text put through `keep`."""
    kept = {name: keep(name, text) for name, text in _datasource_texts(datasource)}
    urls = tuple(kept.get(f"urls.{place}", url) for place, url in enumerate(datasource.urls))

    def texts(column: str, own: Mapping[str, str]) -> dict[str, str]:
        return {name: kept.get(f"{column}.{name}", text) for name, text in own.items()}

    auth, headers = texts("auth", datasource.auth), texts("headers", datasource.headers)
    return replace(datasource, urls=urls, auth=auth, headers=headers, tls=texts("tls", datasource.tls))


def _channel_texts(channel: Channel) -> Iterator[tuple[str, str]]:
    """The texts that are or hold a secret, by field; references and empty ones are none, nor is a mail server's name."""
    harmless = channel.kind is ChannelKind.EMAIL and "@" not in channel.url
    if _is_secret(channel.url, literally=not harmless):
        yield "url", channel.url
    for name, text in channel.settings.items():
        if _is_secret(text, literally=name not in PLAIN):
            yield f"settings.{name}", text


def _datasource_texts(datasource: Datasource) -> Iterator[tuple[str, str]]:
    for place, url in enumerate(datasource.urls):
        if _is_secret(url, literally=has_credentials(url)):
            yield f"urls.{place}", url
    for column, texts, harmless in (
        ("auth", datasource.auth, OPEN),
        ("headers", datasource.headers, frozenset[str]()),
        ("tls", datasource.tls, OPEN_TLS),
    ):
        for name, text in texts.items():
            if _is_secret(text, literally=name not in harmless):
                yield f"{column}.{name}", text


def _is_secret(text: str, *, literally: bool) -> bool:
    """Whether the text is sealed, or stands in clear where that makes it a secret."""
    return is_sealed(text) or (is_literal(text) and literally)


def has_credentials(url: str) -> bool:
    """Whether the URL holds a user or a password; an `@` anywhere behind the `://` counts, as the triggers have it."""
    return "@" in url.partition("://")[2]


def _sealing(before: Mapping[str, str], environment: Mapping[str, str]) -> Keep:
    keys = sources(environment).secret_keys

    def keep(name: str, text: str) -> str:
        if is_sealed(text):
            return text
        stored = before.get(name, "")
        # Sealed again it would be another text, and a new version of a definition that nobody has changed.
        same = is_sealed(stored) and in_clear(stored, environment) == text
        return stored if same else keys.seal(text)

    return keep


def _warnings(texts: Iterator[tuple[str, str]], environment: Mapping[str, str]) -> Iterator[Problem]:
    fix = (
        "run tocsin secrets rotate"
        if sources(environment).secret_keys
        else f"set {SETTING} (tocsin secrets generate makes one)"
    )
    for name, text in texts:
        if not is_sealed(text):
            message = f"stands in the database in clear: give a reference such as env:NAME, or {fix}"
            yield Problem(severity=Severity.WARNING, field=name, message=message)
