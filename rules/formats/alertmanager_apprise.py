"""The services that Apprise speaks to, each as an Apprise URL with places for its settings.

A place in braces stands for the setting of that name, so that a secret may be a reference to a file.
Source: alertmanager/config/notifiers.go, and the services' pages in Apprise's wiki.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from rules.channels import ChannelKind
from rules.formats.alertmanager_form import Address, Form
from rules.problems import Severity

Builder = Callable[[Form], Address | None]


def _through(url: str, *fields: tuple[str, str]) -> Builder:
    """A service of this URL; `fields` are the integration's and, behind it, the global one that stands in for it."""

    def build(form: Form) -> Address:
        settings = {name: form.need(name, form.secret(name, common), common) for name, common in fields}
        for name, text in settings.items():
            if name.endswith("url"):
                form.web(name, text)
        return Address(kind=ChannelKind.APPRISE, url=url, settings=settings)

    return build


def _msteams(form: Form) -> Address | None:
    url = form.need("webhook_url", form.web("webhook_url", form.secret("webhook_url")))
    if urlsplit(url).netloc.endswith("webhook.office.com"):
        form.tell(
            "webhook_url",
            "Microsoft has ended the connectors of webhook.office.com: make a webhook with Workflows in Teams, and give its URL",
        )
    # Under a name of its own, for nothing else tells it from Discord's where the address stands in a file.
    return Address(kind=ChannelKind.APPRISE, url="{workflow_url}", settings={"workflow_url": url})


def _mattermost(form: Form) -> Address | None:
    url = form.need(
        "webhook_url",
        form.web("webhook_url", form.secret("webhook_url", "mattermost_webhook_url")),
        "mattermost_webhook_url",
    )
    host, _, token = url.partition("/hooks/")
    if url and not token:
        form.tell(
            "webhook_url", "only an address such as https://host/hooks/key that stands in the file is carried over"
        )
        return None
    parts = urlsplit(host)
    schema = "mmosts" if parts.scheme == "https" else "mmost"
    return Address(
        kind=ChannelKind.APPRISE, url=f"{schema}://{parts.netloc}{parts.path}/{{token}}", settings={"token": token}
    )


def _telegram(form: Form) -> Address | None:
    chat = form.text("chat_id")
    if chat and not chat.removeprefix("-").isdigit():
        form.tell("chat_id", f"chat_id is {chat[:40]!r}; give the chat's number", Severity.ERROR)
    mode = form.text("parse_mode")
    if mode not in ("", "Markdown", "MarkdownV2", "HTML"):
        form.tell("parse_mode", f"parse_mode is {mode[:40]!r}; give Markdown, MarkdownV2 or HTML", Severity.ERROR)
    return _through("tgram://{bot_token}/{chat_id}", ("bot_token", "telegram_bot_token"), ("chat_id", ""))(form)


def _webex(form: Form) -> Address | None:
    room = form.need("room_id", form.text("room_id"))
    authorization = form.http().get("authorization", "")
    token = authorization.removeprefix("Bearer ")
    if not authorization:
        form.tell("http_config", "there is no http_config.authorization; give the bot's token there", Severity.ERROR)
    return Address(
        kind=ChannelKind.APPRISE,
        url="wxteams://{access_token}/{room_id}",
        settings={"access_token": token, "room_id": room},
    )


def _sns(form: Form) -> Address | None:
    topic, phone, target = form.text("topic_arn"), form.text("phone_number"), form.text("target_arn")
    if not (topic or phone or target):
        form.tell("topic_arn", "there is no topic_arn, phone_number or target_arn; give one of them", Severity.ERROR)
    signature = _signature(form, topic)
    if not (all(signature.values()) and (topic or phone)):
        form.tell(
            "sigv4",
            "it is carried over only with access_key, secret_key and region in sigv4, and a topic or a phone number",
        )
        return None
    to = f"%23{quote(topic.rpartition(':')[2])}" if topic else "{phone_number}"
    return Address(
        kind=ChannelKind.APPRISE,
        url=f"sns://{{access_key}}/{{secret_key}}/{{region}}/{to}",
        settings={**signature, "phone_number": phone, "topic_arn": topic},
    )


def _signature(form: Form, topic: str) -> dict[str, str]:
    """What signs a request to AWS, each empty where it is not given; a topic says its region itself."""
    form.used.add("sigv4")
    keys = form.reader.texts(form.fields.get("sigv4"), "sigv4", form.label)
    access, secret = keys.get("access_key", ""), keys.get("secret_key", "")
    if bool(access) != bool(secret):
        form.tell("sigv4", "sigv4 has one of access_key and secret_key; give both or neither", Severity.ERROR)
    region = keys.get("region", "") or ":".join(topic.split(":")[3:4])
    return {"access_key": access, "secret_key": secret, "region": region}


def _wechat(form: Form) -> Address | None:
    kind = form.text("message_type")
    if kind not in ("", "text", "markdown"):
        form.tell("message_type", f"message_type is {kind[:40]!r}; give text or markdown", Severity.ERROR)
    corp = form.need("corp_id", form.text("corp_id", "wechat_api_corp_id"), "wechat_api_corp_id")
    secret = form.need("api_secret", form.secret("api_secret", "wechat_api_secret"), "wechat_api_secret")
    settings = {
        "corp_id": corp,
        "api_secret": secret,
        "agent_id": form.text("agent_id"),
        "to_user": form.text("to_user"),
    }
    # A place in the URL has to be filled.
    to = "/{to_user}" if settings["to_user"] else ""
    url = f"wechat://{{corp_id}}:{{api_secret}}@{{agent_id}}{to}"
    return Address(kind=ChannelKind.APPRISE, url=url, settings=settings)


def _rocketchat(form: Form) -> Address | None:
    place = urlsplit(form.web("api_url", form.text("api_url", "rocketchat_api_url")) or "https://open.rocket.chat/")
    settings = {
        "token_id": form.need("token_id", form.secret("token_id", "rocketchat_token_id"), "rocketchat_token_id"),
        "token": form.need("token", form.secret("token", "rocketchat_token"), "rocketchat_token"),
        "channel": form.text("channel"),
    }
    schema = "rockets" if place.scheme == "https" else "rocket"
    to = "/{channel}" if settings["channel"] else ""
    url = f"{schema}://{{token_id}}:{{token}}@{place.netloc}{to}?mode=token"
    return Address(kind=ChannelKind.APPRISE, url=url, settings=settings)


def _incidentio(form: Form) -> Address | None:
    url = form.need("url", form.web("url", form.secret("url")))
    token = form.need("alert_source_token", form.secret("alert_source_token"))
    if url.startswith("file:"):
        form.tell("url_file", "an address from a file is not carried over; give url itself")
        return None
    settings = {"url": url, "source": url.rpartition("/")[2], "token": token}
    return Address(kind=ChannelKind.APPRISE, url="incidentio://{source}/{token}", settings=settings)


BUILDERS: Final[Mapping[str, Builder]] = {
    "discord_configs": _through("{webhook_url}", ("webhook_url", "")),
    "msteams_configs": _msteams,
    "msteamsv2_configs": _msteams,
    "mattermost_configs": _mattermost,
    "telegram_configs": _telegram,
    "opsgenie_configs": _through("opsgenie://{api_key}?action=map", ("api_key", "opsgenie_api_key")),
    "pushover_configs": _through("pover://{user_key}@{token}", ("user_key", ""), ("token", "")),
    "victorops_configs": _through(
        "splunk://{routing_key}@{api_key}?action=map", ("api_key", "victorops_api_key"), ("routing_key", "")
    ),
    "webex_configs": _webex,
    "sns_configs": _sns,
    "wechat_configs": _wechat,
    "rocketchat_configs": _rocketchat,
    "incidentio_configs": _incidentio,
}
"""How each service's address is put together; `None` where it cannot be, which is told."""
