"""The four services that Tocsin has channels of their own for: Slack, PagerDuty, mail and webhooks.

Source: alertmanager/config/notifiers.go and config.go (checkReceiver), which say what has to be given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from rules.channels import ChannelKind
from rules.formats.alertmanager_form import Address, Form
from rules.formats.yaml_text import Node
from rules.message_parts import DETAILS
from rules.problems import Severity

SLACK_HOOKS: Final = "hooks.slack.com"
SLACK_API: Final = "https://slack.com/api"
POST_MESSAGE: Final = "/chat.postMessage"
PAGERDUTY: Final = ("https://events.pagerduty.com/", "https://events.eu.pagerduty.com/")


def slack(form: Form) -> Address:
    """A bot's token, or an incoming webhook."""
    token = form.secret("app_token", "slack_app_token")
    url = form.web("api_url", form.secret("api_url", "slack_api_url"), "slack_api_url")
    settings = {"channel": form.text("channel"), **form.http()}
    if url.endswith(POST_MESSAGE) and settings.get("authorization", "").startswith("Bearer "):
        # How a bot is spoken for since long before there was app_token.
        token, place = settings.pop("authorization").removeprefix("Bearer "), url.removesuffix(POST_MESSAGE)
        return Address(kind=ChannelKind.SLACK, url=token, settings={**settings, "api_url": _own_place(place)})
    _named(form, "fields", ("title", "value"))
    _named(form, "actions", ("type", "text"))
    if token:
        place = form.text("app_url", "slack_app_url").removesuffix(POST_MESSAGE)
        return Address(kind=ChannelKind.SLACK, url=token, settings={**settings, "api_url": _own_place(place)})
    return Address(kind=ChannelKind.SLACK, url=form.need("api_url", url, "slack_api_url"), settings=settings)


def _own_place(place: str) -> str:
    return "" if place == SLACK_API else place


def pagerduty(form: Form) -> Address:
    """A key of Events v2; one of Events v1 is no use there, which is told."""
    key, old = form.secret("routing_key"), form.secret("service_key")
    url = form.web("url", form.text("url", "pagerduty_url"), "pagerduty_url")
    if old and not key:
        form.tell(
            "service_key",
            "service_key is a key of PagerDuty's Events API v1, and Tocsin speaks v2: add an integration 'Events API v2' "
            "to the service in PagerDuty and give its integration key to the channel",
        )
    if not old:
        form.need("routing_key", key)
    settings = form.http()
    if not url or url.startswith(PAGERDUTY):
        region = {"region": "eu"} if url.startswith(PAGERDUTY[1]) else {}
        return Address(kind=ChannelKind.PAGERDUTY, url=key, settings={**region, **settings})
    return Address(kind=ChannelKind.PAGERDUTY, url=_other_endpoint(form, url, key), settings=settings)


def _other_endpoint(form: Form, url: str, key: str) -> str:
    """The address with the key in it, as channels of kind pagerduty have another endpoint than PagerDuty's; empty without."""
    if key.startswith("file:"):
        form.tell("url", "a key from a file cannot go to another address than PagerDuty's; give routing_key itself")
        return ""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{key}@{parts.netloc}").geturl() if key else ""


def email(form: Form) -> Address:
    """A mail server, from whom and to whom."""
    smarthost = form.need("smarthost", form.text("smarthost", "smtp_smarthost"), "smtp_smarthost")
    host, _, port = smarthost.rpartition(":")
    if smarthost and not (host and port):
        form.tell("smarthost", f"smarthost {smarthost!r} has no port; give host:port", Severity.ERROR)
    user = form.text("auth_username", "smtp_auth_username")
    identity = form.text("auth_identity", "smtp_auth_identity")
    if identity and identity != user:
        form.tell("auth_identity", f"auth_identity {identity!r} is not carried over: Tocsin logs in as the user itself")
    certificate = form.fields.get("tls_config") or form.common.get("smtp_tls_config")
    settings = {
        "port": port,
        "user": user,
        "password": form.secret("auth_password", "smtp_auth_password"),
        "from": form.need("from", form.text("from", "smtp_from"), "smtp_from"),
        "to": form.need("to", form.text("to")),
        "hello": form.text("hello", "smtp_hello"),
        "tls": _tls(form, port),
        "ca_file": form.certificate(certificate, form.label),
    }
    form.used |= {"tls_config", "headers"}
    return Address(kind=ChannelKind.EMAIL, url=host.strip("[]") if host.count(":") < 2 else host, settings=settings)


def _tls(form: Form, port: str) -> str:
    if form.flag("force_implicit_tls", "smtp_force_implicit_tls", default=False):
        return "implicit"
    required = form.flag("require_tls", "smtp_require_tls", default=True)
    return "" if required or port == "465" else "none"


def headers(form: Form) -> dict[str, str]:
    """The subject as a template; every other header is told of. Two of one name are a mistake, whatever their case."""
    node = form.fields.get("headers")
    subject: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in form.reader.texts(node, "headers", form.label).items():
        if name.lower() in seen:
            form.tell("headers", f"header {name!r} is there twice; keep one of them", Severity.ERROR)
        seen.add(name.lower())
        if name.lower() == "subject":
            subject = {"subject": value}
        else:
            form.tell("headers", f"header {name!r} is not carried over")
    return subject


def details(form: Form) -> dict[str, str]:
    """The custom details as templates, each under its name."""
    form.used.add("details")
    given = form.reader.texts(form.fields.get("details"), "details", form.label)
    return {f"{DETAILS}{name}": text for name, text in given.items() if name}


def webhook(form: Form) -> Address:
    """An address that takes Alertmanager's JSON; one of Slack's does not, and becomes a channel of kind slack."""
    url = form.need("url", form.web("url", form.secret("url")))
    most = form.text("max_alerts")
    if most and not most.isdigit():
        form.tell("max_alerts", f"max_alerts is {most[:40]!r}; give a whole number, 0 for all", Severity.ERROR)
    if not urlsplit(url).netloc.endswith(SLACK_HOOKS):
        return Address(
            kind=ChannelKind.WEBHOOK, url=url, settings={"max_alerts": most.strip("0") and most, **form.http()}
        )
    form.tell(
        "url",
        "the address is a webhook of Slack, which refuses Alertmanager's JSON: it becomes a channel of kind slack",
    )
    return Address(kind=ChannelKind.SLACK, url=url, settings=form.http())


def _named(form: Form, name: str, needed: tuple[str, ...]) -> None:
    """Each item has what it needs; the items themselves are not carried over."""
    for at, item in enumerate(form.reader.list(form.fields.get(name), f"{form.label}{name}")):
        members: Mapping[str, Node] = form.reader.mapping(item, f"{form.label}{name}[{at}]", None)
        for one in needed:
            if one not in members or members[one].is_null:
                form.reader.tell(item, name, f"{form.label}{name}[{at}]: there is no {one}; give it")
