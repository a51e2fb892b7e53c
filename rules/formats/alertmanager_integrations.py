"""A channel as the integration of a receiver in Alertmanager's file: the way back of alertmanager_services and _apprise."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from rules.channels import Channel, ChannelKind
from rules.formats.alertmanager_fields import INTEGRATIONS, Integration
from rules.formats.alertmanager_form import SECRET
from rules.formats.alertmanager_services import POST_MESSAGE, SLACK_API
from rules.message_parts import DETAILS

Shown = Callable[[str], str]
_REFERENCE: Final = "file:"
_DISCORD: Final = "{webhook_url}"
_TEAMS: Final = "{workflow_url}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrated:
    """The list in a receiver that it belongs into, its fields, and what of the channel they cannot say."""

    name: str
    fields: dict[str, object]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwritable:
    """Alertmanager has no such integration."""

    why: str


@dataclass(slots=True)
class _Writer:
    """The fields of one integration as they are filled in; `used` are the settings that they say."""

    channel: Channel
    shown: Shown
    fields: dict[str, object] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    problem: str = ""

    def secret(self, name: str, text: str) -> None:
        """A secret field: in the file that a reference names, or as it may be shown."""
        if text.startswith(_REFERENCE):
            self.fields[f"{name}_file"] = text.removeprefix(_REFERENCE)
        elif text.startswith("env:"):
            self.problem = f"{name} is {text}, and Alertmanager reads no environment"
        else:
            self.fields[name] = self.shown(text) if text else SECRET

    def setting(self, name: str, own: str = "") -> str:
        """A setting's text, which goes into the field `name`; `own` is what it is called here."""
        own = own or name
        self.used.add(own)
        text = self.channel.settings.get(own, "")
        if text:
            self.fields[name] = text
        return text

    def secret_setting(self, name: str, own: str = "") -> None:
        """A setting that is a secret; nothing where it is not given."""
        self.used.add(own or name)
        if text := self.channel.settings.get(own or name, ""):
            self.secret(name, text)

    def http(self) -> None:
        """http_config: how to authenticate, and whom to trust."""
        self.used |= {"authorization", "ca_file"}
        authorization = self.channel.settings.get("authorization", "")
        ca_file = self.channel.settings.get("ca_file", "")
        config: dict[str, object] = {}
        if authorization:
            config |= self._authorization(authorization)
        if ca_file:
            config["tls_config"] = {"ca_file": ca_file}
        if config:
            self.fields["http_config"] = config

    def _authorization(self, text: str) -> dict[str, object]:
        if text.startswith(("env:", _REFERENCE)):
            self.problem = f"settings.authorization is {text}, and Alertmanager has no such reference"
            return {}
        kind, _, credentials = text.partition(" ")
        if kind.lower() == "basic":
            user, _, password = _decoded(credentials).partition(":")
            return {"basic_auth": {"username": user, "password": self.shown(password)}}
        return {"authorization": {"type": kind, "credentials": self.shown(credentials)}}


def integration(channel: Channel, shown: Shown) -> Integrated | Unwritable:
    """The channel as an integration. `shown` says how a secret is written: as it is, or as `<secret>`."""
    writer = _Writer(channel, shown)
    name = _BY_KIND[channel.kind](writer) if channel.kind in _BY_KIND else _apprise(writer)
    if writer.problem or not name:
        return Unwritable(why=writer.problem or "it is a service that Alertmanager does not know")
    known = INTEGRATIONS[name]
    left = (
        *(f"settings.{one}" for one in channel.settings if one not in writer.used),
        *(f"the template {one}" for one in _fill_in_texts(writer, known)),
    )
    resolved = {"send_resolved": channel.send_resolved} if channel.send_resolved is not known.send_resolved else {}
    return Integrated(name=name, fields={**resolved, **writer.fields}, left_out=left)


def _fill_in_texts(writer: _Writer, known: Integration) -> list[str]:
    """Fill in the templates of the message; the names of those that the integration has no field for."""
    texts = dict(writer.channel.templates)
    if known.name == "email_configs" and "subject" in texts:
        writer.fields["headers"] = {"Subject": texts.pop("subject")}
    details = {one.removeprefix(DETAILS): texts.pop(one) for one in list(texts) if one.startswith(DETAILS)}
    writer.fields |= {"details": details} if details else {}
    writer.fields |= {one: text for one, text in texts.items() if one in known.templates}
    return [one for one in texts if one not in known.templates]


def _slack(writer: _Writer) -> str:
    url = writer.channel.url
    writer.setting("channel")
    writer.http()
    writer.used.add("api_url")
    if not url.startswith("xox"):
        writer.secret("api_url", url)
        return "slack_configs"
    writer.fields["api_url"] = writer.channel.settings.get("api_url", SLACK_API) + POST_MESSAGE
    config = writer.fields.setdefault("http_config", {})
    assert isinstance(config, dict)
    config["authorization"] = {"credentials": writer.shown(url)}
    return "slack_configs"


def _pagerduty(writer: _Writer) -> str:
    url = writer.channel.url
    writer.http()
    writer.used.add("region")
    if url.lower().startswith(("http://", "https://")):
        parts = urlsplit(url)
        writer.secret("routing_key", unquote(parts.username or ""))
        writer.fields["url"] = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        return "pagerduty_configs"
    writer.secret("routing_key", url)
    if writer.channel.settings.get("region") == "eu":
        writer.fields["url"] = "https://events.eu.pagerduty.com/v2/enqueue"
    return "pagerduty_configs"


def _email(writer: _Writer) -> str:
    url = writer.channel.url
    if url.startswith(("env:", _REFERENCE)):
        writer.problem = f"its server is {url}, and Alertmanager has no such reference"
        return "email_configs"
    parts = urlsplit(url if "://" in url else f"smtp://{url}")
    port = _smarthost(writer, parts)
    writer.setting("to") or writer.fields.update(to="nobody@unconfigured.invalid")
    writer.setting("from") or writer.fields.update({"from": "tocsin@unconfigured.invalid"})
    writer.setting("hello")
    writer.setting("auth_username", "user")
    writer.secret_setting("auth_password", "password")
    if parts.username:
        writer.fields["auth_username"] = unquote(parts.username)
        writer.secret("auth_password", unquote(parts.password or ""))
    _email_tls(writer, parts.scheme, port)
    return "email_configs"


def _smarthost(writer: _Writer, server: SplitResult) -> str:
    """Fill in where the mail server is; its port."""
    writer.used.add("port")
    port = writer.channel.settings.get("port") or str(server.port or 587)
    host = server.hostname or "unconfigured.invalid"
    writer.fields["smarthost"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return port


def _email_tls(writer: _Writer, scheme: str, port: str) -> None:
    """Fill in how the mail server is spoken to, as far as it is not what Alertmanager does at this port by itself."""
    writer.used |= {"tls", "ca_file"}
    tls = writer.channel.settings.get("tls", "")
    if tls == "none":
        writer.fields["require_tls"] = False
    elif (tls == "implicit" or scheme == "smtps") and port != "465":
        writer.fields["force_implicit_tls"] = True
    if ca_file := writer.channel.settings.get("ca_file", ""):
        writer.fields["tls_config"] = {"ca_file": ca_file}


def _webhook(writer: _Writer) -> str:
    writer.http()
    writer.used.add("max_alerts")
    if most := writer.channel.settings.get("max_alerts", ""):
        writer.fields["max_alerts"] = int(most)
    url = writer.channel.url
    if url.startswith(("env:", _REFERENCE)) or writer.shown(url) == url:
        writer.secret("url", url)
    else:
        # Older versions take no <secret> for it, so all that may be the secret is left out.
        parts = urlsplit(url)
        writer.fields["url"] = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
    return "webhook_configs"


_BY_KIND: Final[Mapping[ChannelKind, Callable[[_Writer], str]]] = {
    ChannelKind.SLACK: _slack,
    ChannelKind.PAGERDUTY: _pagerduty,
    ChannelKind.EMAIL: _email,
    ChannelKind.WEBHOOK: _webhook,
}
_FIELDS: Final[Mapping[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "tgram": ("telegram_configs", (("bot_token", "bot_token"), ("chat_id", "chat_id"))),
    "opsgenie": ("opsgenie_configs", (("api_key", "api_key"),)),
    "pover": ("pushover_configs", (("user_key", "user_key"), ("token", "token"))),
    "splunk": ("victorops_configs", (("api_key", "api_key"), ("routing_key", "routing_key"))),
    "wechat": (
        "wechat_configs",
        (("corp_id", "corp_id"), ("api_secret", "api_secret"), ("agent_id", "agent_id"), ("to_user", "to_user")),
    ),
}
"""The integration of a service, by the schema of its URL, and its fields with the settings that they are."""
_OPEN: Final = frozenset({"chat_id", "routing_key", "corp_id", "agent_id", "to_user"})


def _apprise(writer: _Writer) -> str:
    """The integration that such an address came from; nothing where there is none."""
    url = writer.channel.url
    if url in (_DISCORD, _TEAMS):
        writer.secret_setting("webhook_url", url.strip("{}"))
        return "discord_configs" if url == _DISCORD else "msteamsv2_configs"
    schema, _, rest = url.partition("://")
    if schema in _FIELDS:
        name, pairs = _FIELDS[schema]
        for written, own in pairs:
            writer.setting(written, own) if own in _OPEN else writer.secret_setting(written, own)
        if "chat_id" in writer.fields:
            writer.fields["chat_id"] = int(str(writer.fields["chat_id"]))
        return name
    build = _OTHERS.get(schema)
    return build(writer, schema, rest) if build else ""


def _webex(writer: _Writer, _schema: str, _rest: str) -> str:
    writer.setting("room_id")
    writer.used.add("access_token")
    credentials = writer.shown(writer.channel.settings.get("access_token", ""))
    writer.fields["http_config"] = {"authorization": {"credentials": credentials}}
    return "webex_configs"


def _sns(writer: _Writer, _schema: str, _rest: str) -> str:
    settings = writer.channel.settings
    writer.used |= {"access_key", "secret_key", "region"}
    writer.fields["sigv4"] = {
        "region": settings.get("region", ""),
        "access_key": settings.get("access_key", ""),
        "secret_key": writer.shown(settings.get("secret_key", "")),
    }
    writer.setting("topic_arn")
    writer.setting("phone_number")
    return "sns_configs"


def _mattermost(writer: _Writer, schema: str, rest: str) -> str:
    writer.used.add("token")
    token = writer.channel.settings.get("token", "")
    place = f"{'https' if schema == 'mmosts' else 'http'}://{rest.removesuffix('/{token}')}/hooks/"
    writer.fields["webhook_url"] = place + writer.shown(token)
    return "mattermost_configs"


def _rocketchat(writer: _Writer, schema: str, rest: str) -> str:
    host = rest.partition("@")[2].partition("?")[0].partition("/")[0]
    writer.fields["api_url"] = f"{'https' if schema == 'rockets' else 'http'}://{host}/"
    writer.secret_setting("token_id")
    writer.secret_setting("token")
    writer.setting("channel")
    return "rocketchat_configs"


def _incidentio(writer: _Writer, _schema: str, _rest: str) -> str:
    writer.used.add("source")
    writer.setting("url")
    writer.secret_setting("alert_source_token", "token")
    return "incidentio_configs"


_OTHERS: Final[Mapping[str, Callable[[_Writer, str, str], str]]] = {
    "wxteams": _webex,
    "sns": _sns,
    "mmost": _mattermost,
    "mmosts": _mattermost,
    "rocket": _rocketchat,
    "rockets": _rocketchat,
    "incidentio": _incidentio,
}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
