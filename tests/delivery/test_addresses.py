"""From a channel and the environment to an address, or to what is missing."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from engine.delivery.addresses import (
    Address,
    LogAddress,
    PagerDutyKey,
    SlackBot,
    SlackWebhook,
    SmtpServer,
    Tls,
    Unconfigured,
    WebhookUrl,
    address,
    recipients,
    secrets,
)
from rules.channels import Channel, ChannelKind
from rules.errors import ChannelError

HOOK = "https://hooks.slack.com/services/T0ABCDEF1/B0ABCDEF2/canary1234"
KEY = "0123456789abcdef0123456789abcdef"
CANARY = "canary1234"

Settings = Mapping[str, str]


def given(
    kind: ChannelKind, url: str = "", settings: Settings | None = None, environment: Settings | None = None
) -> Any:
    """The address of a channel with this url and these settings."""
    return address(Channel(name="ops", kind=kind, url=url, settings=settings or {}), environment or {})


def smtp(url: str = "smtp.example.org", settings: Settings | None = None, environment: Settings | None = None) -> Any:
    """The address of a mail channel, to ops@example.org unless the settings say otherwise."""
    return given(ChannelKind.EMAIL, url, {"to": "ops@example.org", **(settings or {})}, environment)


def test_a_slack_webhook_is_its_url() -> None:
    assert given(ChannelKind.SLACK, HOOK) == SlackWebhook(url=HOOK)


def test_a_slack_webhook_may_name_another_channel() -> None:
    found = given(ChannelKind.SLACK, HOOK, {"channel": "env:SLACK_ALERT_CHANNEL"}, {"SLACK_ALERT_CHANNEL": "#alerts"})
    assert found == SlackWebhook(url=HOOK, channel="#alerts")


def test_a_slack_bot_is_a_token_and_a_channel() -> None:
    found = given(ChannelKind.SLACK, "env:BOT", {"channel": "#alerts"}, {"BOT": "xoxb-1-abc"})
    assert found == SlackBot(token="xoxb-1-abc", channel="#alerts", api_url="https://slack.com/api")


def test_a_slack_bot_may_speak_to_another_api() -> None:
    found = given(ChannelKind.SLACK, "xoxb-1-abc", {"channel": "#a", "api_url": "http://127.0.0.1:8080/api/"})
    assert found.api_url == "http://127.0.0.1:8080/api"


@pytest.mark.parametrize(
    ("url", "settings", "key", "endpoint"),
    [
        pytest.param(KEY, {}, KEY, "https://events.pagerduty.com/v2/enqueue", id="a-key"),
        pytest.param(KEY, {"region": "eu"}, KEY, "https://events.eu.pagerduty.com/v2/enqueue", id="a-key-in-europe"),
        pytest.param(f"https://{KEY}@example.org:8443/v2", {}, KEY, "https://example.org:8443/v2", id="an-endpoint"),
        pytest.param("http://a%2Fb@127.0.0.1:99/v2", {}, "a/b", "http://127.0.0.1:99/v2", id="an-encoded-key"),
    ],
)
def test_a_pagerduty_channel_is_a_key_and_an_endpoint(
    url: str, settings: dict[str, str], key: str, endpoint: str
) -> None:
    assert given(ChannelKind.PAGERDUTY, url, settings) == PagerDutyKey(key=key, url=endpoint)


def test_a_webhook_is_its_url_and_header() -> None:
    found = given(
        ChannelKind.WEBHOOK, "https://example.org/x", {"authorization": "env:T", "ca_file": "/ca.pem"}, {"T": "abc"}
    )
    assert found == WebhookUrl(url="https://example.org/x", authorization="abc", ca_file="/ca.pem")


def test_the_log_needs_nothing() -> None:
    assert given(ChannelKind.LOG) == LogAddress(name="ops")


def test_a_mail_server_with_everything_in_settings() -> None:
    settings = {
        "port": "2525",
        "user": "sender@example.org",
        "password": "env:SMTP_PASSWORD",
        "from": "Alerts <alerts@example.org>",
        "to": "Ops <ops@example.org>, sre@example.org, ops@example.org",
        "tls": "none",
        "ca_file": "/ca.pem",
        "hello": "tocsin.example.org",
    }
    found = smtp("env:SMTP_HOST", settings, {"SMTP_HOST": "mail.example.org", "SMTP_PASSWORD": "pw"})
    assert found == SmtpServer(
        host="mail.example.org",
        port=2525,
        user="sender@example.org",
        password="pw",
        sender="alerts@example.org",
        recipients=("ops@example.org", "sre@example.org"),
        tls=Tls.NONE,
        ca_file="/ca.pem",
        hello="tocsin.example.org",
    )


@pytest.mark.parametrize(
    ("url", "settings", "port", "tls"),
    [
        pytest.param("mail.example.org", {}, 587, Tls.STARTTLS, id="a-host"),
        pytest.param("mail.example.org:25", {}, 25, Tls.STARTTLS, id="a-port-does-not-switch-tls-off"),
        pytest.param("mail.example.org:465", {}, 465, Tls.IMPLICIT, id="465-is-implicit"),
        pytest.param("mail.example.org", {"port": "465"}, 465, Tls.IMPLICIT, id="465-in-settings-too"),
        pytest.param("mail.example.org:465", {"tls": "starttls"}, 465, Tls.STARTTLS, id="unless-said-otherwise"),
        pytest.param("mail.example.org", {"tls": "implicit"}, 465, Tls.IMPLICIT, id="implicit-is-465"),
        pytest.param("smtps://mail.example.org", {}, 465, Tls.IMPLICIT, id="smtps"),
        pytest.param("smtp://mail.example.org:2525", {"port": "26"}, 26, Tls.STARTTLS, id="settings-win"),
        pytest.param("mail.example.org", {"tls": "None"}, 587, Tls.NONE, id="case-does-not-matter"),
    ],
)
def test_port_and_tls_have_the_usual_defaults(url: str, settings: dict[str, str], port: int, tls: Tls) -> None:
    found = smtp(url, settings)
    assert (found.port, found.tls) == (port, tls)


def test_user_and_password_may_stand_in_the_url() -> None:
    found = smtp("smtp://me%40example.org:p%40ss@mail.example.org")
    assert (found.host, found.user, found.password) == ("mail.example.org", "me@example.org", "p@ss")


@pytest.mark.parametrize(
    ("settings", "sender"),
    [
        pytest.param({"from": "a@example.org", "user": "u@example.org", "password": "p"}, "a@example.org", id="from"),
        pytest.param({"user": "u@example.org", "password": "p"}, "u@example.org", id="else-the-user"),
        pytest.param({"user": "u", "password": "p"}, f"tocsin@{socket.gethostname()}", id="a-user-that-is-no-mailbox"),
        pytest.param({}, f"tocsin@{socket.gethostname()}", id="else-tocsin-at-this-host"),
    ],
)
def test_a_mail_has_a_sender(settings: dict[str, str], sender: str) -> None:
    assert smtp(settings=settings).sender == sender


def test_an_ipv6_mail_server_is_a_host() -> None:
    assert (smtp("[::1]:2525").host, smtp("[::1]:2525").port) == ("::1", 2525)


@pytest.mark.parametrize(
    ("kind", "url", "settings", "reason"),
    [
        pytest.param(ChannelKind.SLACK, "", {}, "url is not set: give an incoming-webhook URL", id="slack"),
        pytest.param(
            ChannelKind.SLACK, "env:SLACK_WEBHOOK_URL", {}, "(env:SLACK_WEBHOOK_URL is unset", id="an-unset-variable"
        ),
        pytest.param(ChannelKind.SLACK, "xoxb-1-abc", {}, "settings.channel is not set", id="a-bot-without-a-channel"),
        pytest.param(
            ChannelKind.PAGERDUTY, "<integration key>", {}, "its text is unset or a placeholder", id="pagerduty"
        ),
        pytest.param(ChannelKind.WEBHOOK, "", {}, "url is not set", id="webhook"),
        pytest.param(ChannelKind.EMAIL, "", {"to": "a@b.org"}, "url is not set", id="no-mail-server"),
        pytest.param(ChannelKind.EMAIL, "host", {}, "settings.to is not set", id="no-recipients"),
        pytest.param(
            ChannelKind.EMAIL,
            "host",
            {"to": "a@b.org", "user": "u", "password": "<password>"},
            "settings.password is not set",
            id="a-user-without-a-password",
        ),
    ],
)
def test_what_is_not_there_yet_is_unconfigured_and_says_what_to_set(
    kind: ChannelKind, url: str, settings: dict[str, str], reason: str
) -> None:
    found = given(kind, url, settings)
    assert isinstance(found, Unconfigured)
    assert found.reason.startswith("channel 'ops': ")
    assert reason in found.reason


@pytest.mark.parametrize(
    ("kind", "url", "settings", "field", "fix"),
    [
        pytest.param(ChannelKind.SLACK, CANARY, {}, "url", "must be a URL", id="slack-no-url"),
        pytest.param(ChannelKind.SLACK, f"ftp://x/{CANARY}", {}, "url", "must be a URL", id="slack-scheme"),
        pytest.param(ChannelKind.SLACK, f"https:///{CANARY}", {}, "url", "must be a URL", id="slack-no-host"),
        pytest.param(ChannelKind.SLACK, f"https://h:99999/{CANARY}", {}, "url", "malformed", id="slack-port"),
        pytest.param(ChannelKind.SLACK, f"https://h/\n{CANARY}", {}, "url", "control", id="slack-newline"),
        pytest.param(
            ChannelKind.SLACK, f"xoxb-{CANARY} x", {"channel": "#a"}, "url", "copy it again", id="slack-token"
        ),
        pytest.param(
            ChannelKind.SLACK,
            f"xoxb-{CANARY}",
            {"channel": "#a", "api_url": "slack"},
            "settings.api_url",
            "must be",
            id="api",
        ),
        pytest.param(ChannelKind.PAGERDUTY, f"{CANARY} 1", {}, "url", "copy it again", id="pagerduty-key"),
        pytest.param(ChannelKind.PAGERDUTY, f"https://h/{CANARY}", {}, "url", "must name the key", id="pagerduty-url"),
        pytest.param(
            ChannelKind.SLACK,
            f"xoxb-{CANARY}",
            {"channel": "#a", "update": "yes"},
            "settings.update",
            "in_place or never",
            id="update",
        ),
        pytest.param(ChannelKind.PAGERDUTY, CANARY, {"region": "mars"}, "settings.region", "us or eu", id="region"),
        pytest.param(ChannelKind.WEBHOOK, f"http://[{CANARY}", {}, "url", "malformed", id="webhook-host"),
        pytest.param(ChannelKind.WEBHOOK, f"http://{'a' * 70}/{CANARY}", {}, "url", "malformed", id="webhook-idna"),
        pytest.param(
            ChannelKind.WEBHOOK,
            "http://h",
            {"authorization": f"x\r\n{CANARY}"},
            "settings.authorization",
            "one line",
            id="header",
        ),
        pytest.param(ChannelKind.EMAIL, f"https://{CANARY}", {}, "url", "SMTP host", id="mail-scheme"),
        pytest.param(ChannelKind.EMAIL, "h", {"port": "0"}, "settings.port", "1 to 65535", id="port-zero"),
        pytest.param(ChannelKind.EMAIL, "h", {"port": "smtp"}, "settings.port", "1 to 65535", id="port-name"),
        pytest.param(ChannelKind.EMAIL, "h", {"tls": "ssl"}, "settings.tls", "starttls, implicit or none", id="tls"),
        pytest.param(ChannelKind.EMAIL, "h", {"to": "nobody"}, "settings.to", "mail addresses", id="to"),
        pytest.param(ChannelKind.EMAIL, "h", {"to": ", ,"}, "settings.to", "mail addresses", id="to-commas"),
        pytest.param(ChannelKind.EMAIL, "h", {"from": "a\r\nBcc: b@c"}, "settings.from", "mail addresses", id="from"),
        pytest.param(ChannelKind.EMAIL, "file:/run/secrets/absent", {}, "url", "is no file", id="file"),
    ],
)
def test_what_is_wrong_is_refused_by_name_and_never_repeated(
    kind: ChannelKind, url: str, settings: dict[str, str], field: str, fix: str
) -> None:
    settings = {"to": "ops@example.org", **settings} if kind is ChannelKind.EMAIL else settings
    with pytest.raises(ChannelError, match="channel 'ops', ") as caught:
        given(kind, url, settings)
    assert caught.value.field == field
    assert fix in caught.value.message
    assert CANARY not in caught.value.message


@pytest.mark.parametrize(
    "found",
    [
        given(ChannelKind.SLACK, HOOK),
        given(ChannelKind.SLACK, f"xoxb-{CANARY}", {"channel": "#a"}),
        given(ChannelKind.PAGERDUTY, CANARY),
        given(ChannelKind.WEBHOOK, f"https://u:{CANARY}@h/{CANARY}?t={CANARY}", {"authorization": f"Bearer {CANARY}"}),
        smtp(settings={"user": "u", "password": CANARY}),
        given(ChannelKind.SLACK, f"<{CANARY}>"),
    ],
    ids=lambda found: type(found).__name__,
)
def test_no_repr_shows_a_secret(found: Address | Unconfigured) -> None:
    assert CANARY not in repr(found)


@pytest.mark.parametrize(
    ("found", "hidden"),
    [
        pytest.param(
            given(ChannelKind.SLACK, HOOK), {HOOK, CANARY, "T0ABCDEF1", "B0ABCDEF2"}, id="webhook-and-its-parts"
        ),
        pytest.param(given(ChannelKind.SLACK, f"xoxb-{CANARY}", {"channel": "#a"}), {f"xoxb-{CANARY}"}, id="bot"),
        pytest.param(given(ChannelKind.PAGERDUTY, KEY), {KEY}, id="pagerduty"),
        pytest.param(
            given(
                ChannelKind.WEBHOOK, "https://me:p%40ssw@h/a%20longer?t=tokentoken", {"authorization": "Bearer abcdef"}
            ),
            {"me:p%40ssw@h", "p@ssw", "a longer", "tokentoken", "Bearer abcdef", "abcdef"},
            id="webhook-query-user-and-header",
        ),
        pytest.param(
            smtp(settings={"user": "u@example.org", "password": "hunter2"}),
            {"hunter2", "u@example.org", "ops@example.org"},
            id="mail",
        ),
        pytest.param(LogAddress(), set(), id="log"),
    ],
)
def test_every_secret_of_an_address_is_known_longest_first(found: Address, hidden: set[str]) -> None:
    known = secrets(found)
    assert hidden <= set(known)
    assert list(known) == sorted(known, key=len, reverse=True)


def test_a_mail_has_a_row_per_recipient() -> None:
    assert recipients(smtp(settings={"to": "a@example.org,b@example.org"})) == ("a@example.org", "b@example.org")


def test_everything_else_has_one_row() -> None:
    assert recipients(given(ChannelKind.SLACK, HOOK)) == ("",)
