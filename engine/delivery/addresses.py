"""Where a message really goes: a channel's references resolved and checked, as one typed address per service.

An address holds secrets in clear, so it lives for one send and is never stored; no repr shows one. What is not there
(an unset variable, no recipients) is `Unconfigured`, an expected state; what is there but wrong is a ChannelError that
names the channel, the field and the fix, and never repeats the value.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import getaddresses
from enum import StrEnum
from typing import Final, assert_never
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from engine.delivery.references import describe, resolve
from rules.channels import Channel, ChannelKind
from rules.errors import ChannelError

PAGERDUTY_EVENTS: Final = {
    "us": "https://events.pagerduty.com/v2/enqueue",
    "eu": "https://events.eu.pagerduty.com/v2/enqueue",
}
SLACK_API: Final = "https://slack.com/api"

_MAILBOX: Final = re.compile(r"[^@\s<>,;\"\x00-\x1f]+@[^@\s<>,;\"\x00-\x1f]+")
_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LOOSE: Final = re.compile(r".*file|template|attach(?:ment)?|redirect|verify|cert|key_?path", re.IGNORECASE)
"""Parameters by which a plugin of Apprise would read a file of this machine, fetch another address, or trust anybody."""
_ELSEWHERE: Final = frozenset({"mailto", "mailtos", "vapid", "apprise", "apprises"})
"""Schemes that lead past us: mail has a kind of its own, and another Apprise would send for us."""
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


class Tls(StrEnum):
    """How the conversation with a mail server is secured."""

    STARTTLS = "starttls"
    """In clear until STARTTLS, which is demanded: without it nothing is sent."""
    IMPLICIT = "implicit"
    """TLS from the first byte, as on port 465."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackWebhook:
    """An incoming webhook; `channel` overrides the webhook's own where the (legacy) webhook allows it."""

    url: str = field(repr=False)
    channel: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackBot:
    """A bot that posts to `channel` with chat.postMessage under `api_url`.

    `earlier` is what an earlier delivery answered as its reference: the message that still stands for the group, which this one
    takes the place of. With `in_place` off there is no such message.
    """

    token: str = field(repr=False)
    channel: str
    api_url: str = SLACK_API
    ca_file: str = ""
    in_place: bool = True
    earlier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyKey:
    """The integration key (Events v2 calls it routing key) of a PagerDuty service, and where events are taken."""

    key: str = field(repr=False)
    url: str = PAGERDUTY_EVENTS["us"]
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server, from whom and to whom; `user` empty means no authentication, `ca_file` adds a trusted CA."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    tls: Tls
    ca_file: str = ""
    hello: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookUrl:
    """An http(s) endpoint; `authorization` is the whole header's value, empty for none."""

    url: str = field(repr=False)
    authorization: str = field(default="", repr=False)
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseUrl:
    """A service by the URL that Apprise has for it, all of it a secret."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAddress:
    """Our own log."""

    name: str = "log"


Address = SlackWebhook | SlackBot | PagerDutyKey | SmtpServer | WebhookUrl | AppriseUrl | LogAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfigured:
    """The channel has no address yet; `reason` says what to set, and is safe to show."""

    reason: str


def address(channel: Channel, environment: Mapping[str, str]) -> Address | Unconfigured:
    """The channel's address, its references read now; ChannelError when something given cannot be used."""
    form = _Form(channel, environment)
    try:
        return _address(form)
    except _MissingError as missing:
        return Unconfigured(reason=f"channel {channel.name!r}: {missing}")


def following(address: Address, earlier: str | None) -> Address:
    """The address of a message that follows on an earlier one about the same alerts, where the service can tie them."""
    if isinstance(address, SlackBot) and address.in_place and earlier:
        return replace(address, earlier=earlier)
    return address


def recipients(address: Address) -> tuple[str, ...]:
    """Whom to make an outbox row for: each addressee of a mail, one nameless recipient for every other service."""
    return address.recipients if isinstance(address, SmtpServer) else ("",)


def secrets(address: Address) -> tuple[str, ...]:
    """Every text that must not appear in what is shown of a delivery, longest first: tokens, URLs and parts of URLs."""
    return tuple(sorted({text for text in _secrets(address) if len(text) > 3}, key=len, reverse=True))


def _secrets(address: Address) -> list[str]:
    match address:
        case SlackWebhook():
            return _url_secrets(address.url)
        case SlackBot():
            return [address.token]
        case PagerDutyKey():
            return [address.key, *_url_secrets(address.url)]
        case SmtpServer():
            return [address.password, *_mailbox_secrets(address)]
        case WebhookUrl():
            return [*_url_secrets(address.url), address.authorization, *address.authorization.split()[1:]]
        case AppriseUrl():
            return _url_secrets(address.url)
        case LogAddress():
            return []
        case _:
            assert_never(address)


def _mailbox_secrets(address: SmtpServer) -> list[str]:
    """The mailboxes; a user that is none is a word which may stand in any sentence, so it is left alone."""
    return [text for text in (address.user, address.sender, *address.recipients) if "@" in text]


def _url_secrets(url: str) -> list[str]:
    parts = urlsplit(url)
    pieces = [piece for piece in re.split(r"[/&=?;]", f"{parts.path}?{parts.query}") if len(piece) > 7]
    shown = [url, parts.netloc, f"{parts.path}?{parts.query}", parts.path if len(parts.path) > 7 else "", parts.query]
    return [*shown, *pieces, *map(unquote, pieces), unquote(parts.username or ""), unquote(parts.password or "")]


class _MissingError(Exception):
    """Something the address needs is not set; the text says what."""


class _Form:
    """One channel's fields, read through its references."""

    def __init__(self, channel: Channel, environment: Mapping[str, str]) -> None:
        self.channel = channel
        self._environment = environment

    def get(self, name: str) -> str:
        """The field's text, empty when unset."""
        text = self.channel.url if name == "url" else self.channel.settings.get(name, "")
        try:
            return resolve(text, self._environment) or ""
        except ChannelError as error:
            raise self.wrong(name, error.message) from error

    def need(self, name: str, what: str) -> str:
        """The field's text; _MissingError when unset, saying which variable or field to set."""
        found = self.get(name)
        if not found:
            text = self.channel.url if name == "url" else self.channel.settings.get(name, "")
            where = f" ({describe(text)} is unset or a placeholder)" if text else ""
            raise _MissingError(f"{_field(name)} is not set{where}: give {what}")
        return found

    def wrong(self, name: str, problem: str) -> ChannelError:
        return ChannelError(f"channel {self.channel.name!r}, {_field(name)}: {problem}", field=_field(name))

    def web(self, name: str, text: str) -> str:
        """The text checked to be an http(s) URL with a host."""
        parts = self.split(name, text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.wrong(name, "must be a URL such as https://host/path")
        return text

    def split(self, name: str, text: str) -> SplitResult:
        """The URL's parts, its port and host checked."""
        problem = "is no URL: it holds blanks or control characters, or its host or port is malformed"
        if not text.isprintable() or " " in text:
            raise self.wrong(name, problem)
        try:
            parts = urlsplit(text)
            (parts.hostname or "localhost").encode("idna")
            _ = parts.port
        except ValueError:
            raise self.wrong(name, problem) from None
        return parts

    def token(self, name: str, text: str) -> str:
        """The text checked to be fit for a header: printable ASCII without blanks."""
        if not _TOKEN.fullmatch(text):
            raise self.wrong(name, "holds blanks or characters no key has; copy it again, without line breaks")
        return text


def _field(name: str) -> str:
    return name if name == "url" else f"settings.{name}"


def _address(form: _Form) -> Address:
    kind = form.channel.kind
    match kind:
        case ChannelKind.SLACK:
            return _slack(form)
        case ChannelKind.PAGERDUTY:
            return _pagerduty(form)
        case ChannelKind.EMAIL:
            return _email(form)
        case ChannelKind.WEBHOOK:
            return _webhook(form)
        case ChannelKind.APPRISE:
            return _apprise(form)
        case ChannelKind.LOG:
            return LogAddress(name=form.channel.name)
        case _:
            assert_never(kind)


def _slack(form: _Form) -> SlackWebhook | SlackBot:
    text = form.need("url", "an incoming-webhook URL or a bot token (xoxb-…)")
    ca_file = form.get("ca_file")
    if not text.startswith("xox"):
        return SlackWebhook(url=form.web("url", text), channel=form.get("channel"), ca_file=ca_file)
    channel = form.need("channel", "the Slack channel the bot posts to, such as #alerts")
    api_url = form.web("api_url", form.get("api_url") or SLACK_API).rstrip("/")
    return SlackBot(
        token=form.token("url", text),
        channel=channel,
        api_url=api_url,
        ca_file=ca_file,
        in_place=_in_place(form),
    )


def _in_place(form: _Form) -> bool:
    text = form.get("update") or "in_place"
    if text not in ("in_place", "never"):
        raise form.wrong("update", f"must be in_place or never, not {text!r}")
    return text == "in_place"


def _pagerduty(form: _Form) -> PagerDutyKey:
    text = form.need("url", "the integration key of an Events API v2 integration")
    ca_file = form.get("ca_file")
    if not text.lower().startswith(("http://", "https://")):
        region = form.get("region") or "us"
        if region not in PAGERDUTY_EVENTS:
            raise form.wrong("region", f"must be us or eu, not {region!r}")
        return PagerDutyKey(key=form.token("url", text), url=PAGERDUTY_EVENTS[region], ca_file=ca_file)
    parts = form.split("url", form.web("url", text))
    if not parts.username:
        raise form.wrong("url", "must name the key: https://KEY@events.pagerduty.com/v2/enqueue")
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return PagerDutyKey(key=form.token("url", unquote(parts.username)), url=url, ca_file=ca_file)


def _webhook(form: _Form) -> WebhookUrl:
    url = form.web("url", form.need("url", "the URL that takes Alertmanager's webhook JSON"))
    authorization = form.get("authorization")
    if authorization and not (authorization.isascii() and authorization.isprintable()):
        raise form.wrong("authorization", "must be one line of ASCII, such as: Bearer TOKEN")
    return WebhookUrl(url=url, authorization=authorization, ca_file=form.get("ca_file"))


def _apprise(form: _Form) -> AppriseUrl:
    """The URL with each `{name}` in it replaced by that setting, quoted; a URL that is nothing else is the setting itself."""
    text = form.need("url", "an Apprise URL, such as twilio://SID:TOKEN@FROM/TO")
    names = _PLACE.findall(text)
    given = {name: form.need(name, "what the URL names by it") for name in names}
    whole = _PLACE.fullmatch(text)
    text = given[whole[1]] if whole else _PLACE.sub(lambda found: quote(given[found[1]], safe=""), text)
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) or not text.isprintable():
        raise form.wrong("url", "is no Apprise URL; one is scheme://…, see https://github.com/caronc/apprise/wiki")
    parts = urlsplit(text)
    if parts.scheme.lower() in _ELSEWHERE:
        raise form.wrong(
            "url", f"{parts.scheme}:// is not sent by way of Apprise; use a channel of kind email or webhook"
        )
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if _LOOSE.fullmatch(name):
            raise form.wrong("url", f"the parameter {name!r} is refused: it names a file or weakens the connection")
    return AppriseUrl(url=text)


def _email(form: _Form) -> SmtpServer:
    server = form.need("url", "an SMTP host, or smtp://user:password@host:port")
    parts = form.split("url", server if "://" in server else f"smtp://{server}")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise form.wrong("url", "must be an SMTP host, host:port, or smtp://user:password@host:port")
    tls, port = _tls_and_port(form, parts)
    user = form.get("user") or unquote(parts.username or "")
    return SmtpServer(
        host=parts.hostname,
        port=port,
        user=user,
        password=_password(form, parts, user),
        sender=_sender(form, user),
        recipients=_mailboxes(form, "to", form.need("to", "the addressees, separated by commas")),
        tls=tls,
        ca_file=form.get("ca_file"),
        hello=form.get("hello") or socket.gethostname(),
    )


def _port(form: _Form, parts: SplitResult) -> int | None:
    """The port given in settings, else the one in the address, `None` without either."""
    text = form.get("port")
    if not text:
        return parts.port
    if not re.fullmatch(r"0*[1-9][0-9]{0,4}", text) or int(text) > 65535:
        raise form.wrong("port", "must be a number from 1 to 65535, such as 587")
    return int(text)


def _tls_and_port(form: _Form, parts: SplitResult) -> tuple[Tls, int]:
    """Port 465 and smtps:// mean implicit TLS, everything else STARTTLS, unless `tls` says otherwise."""
    port = _port(form, parts)
    usual = Tls.IMPLICIT if parts.scheme == "smtps" or port == 465 else Tls.STARTTLS
    text = form.get("tls").lower()
    if text not in ["", *Tls]:
        raise form.wrong("tls", f"must be starttls, implicit or none, not {text!r}")
    tls = Tls(text or usual)
    return tls, port or (465 if tls is Tls.IMPLICIT else 587)


def _password(form: _Form, parts: SplitResult, user: str) -> str:
    if not user:
        return ""
    return unquote(parts.password or "") or form.need("password", "the password of the SMTP user")


def _sender(form: _Form, user: str) -> str:
    given = form.get("from")
    if given:
        return _mailboxes(form, "from", given)[0]
    return user if _MAILBOX.fullmatch(user) else f"tocsin@{socket.gethostname()}"


def _mailboxes(form: _Form, name: str, text: str) -> tuple[str, ...]:
    """The mailboxes in a comma-separated list, names dropped, each once, in their order."""
    found = tuple(dict.fromkeys(mailbox.strip() for _, mailbox in getaddresses([text]) if mailbox.strip()))
    if not text.isprintable() or not found or not all(_MAILBOX.fullmatch(mailbox) for mailbox in found):
        raise form.wrong(name, "must be mail addresses separated by commas, such as ops@example.org, sre@example.org")
    return found
