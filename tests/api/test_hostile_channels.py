"""Channels declared to reach what their author cannot: each is refused when it is declared, or when it is to be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.core.messages import render
from engine.core.outcome import Outcome
from engine.delivery.addresses import Unconfigured, address, recipients
from engine.delivery.deliver import deliver
from engine.destinations import PrivateAddresses
from engine.resolver import Resolver
from engine.store.database import Database
from rules.channels import Channel
from tests.api.stand_in import StandIn, StandInSettings
from tests.core.telling import facts
from tests.servers import Request, Response, ScriptedServer

ENVIRONMENT = {"TOCSIN_API_KEYS": "canary-0123456789", "HOOK": "http://169.254.169.254/latest/"}
META = "169.254.169.254"


@dataclass(frozen=True, kw_only=True)
class Sending(StandIn):
    """An engine that stands still but really sends its test messages."""

    resolver: Resolver = field(default_factory=Resolver)

    def test_channel(self, channel: Channel) -> Outcome | Unconfigured:
        where = address(channel, self.settings.environment)
        if isinstance(where, Unconfigured):
            return where
        body = render(channel.kind, facts(), {})
        return deliver(where, body, recipients(where)[0], timedelta(seconds=5), self.resolver)


@pytest.fixture
def sending(database: Database) -> TestClient:
    return TestClient(create_app(Sending(database=database, settings=StandInSettings(environment=ENVIRONMENT))))


def hook(url: str, **settings: str) -> dict[str, Any]:
    return {"kind": "webhook", "url": url, "settings": settings}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({"kind": "json", "url": "json://host/"}, "kind", id="a kind of Apprise's"),
        pytest.param(hook("json://localhost/"), "url", id="an URL of Apprise's"),
        pytest.param(hook("jsons://user:pass@localhost/"), "url", id="another one"),
        pytest.param(hook("file:///etc/passwd"), "url", id="a file"),
        pytest.param(hook("file:/etc/passwd"), "url", id="a file by reference"),
        pytest.param(hook("file:/proc/self/environ"), "url", id="our own environment"),
        pytest.param(hook("env:TOCSIN_API_KEYS"), "url", id="our own keys"),
        pytest.param(
            hook("https://h/", authorization="env:TOCSIN_API_KEYS"), "settings.authorization", id="our keys as a header"
        ),
        pytest.param(hook("gopher://localhost:6379/_FLUSHALL"), "url", id="gopher"),
        pytest.param(hook("ftp://localhost/"), "url", id="ftp"),
        pytest.param(hook("javascript:alert(1)"), "url", id="a script"),
        pytest.param(hook("//localhost/"), "url", id="no scheme"),
        pytest.param(hook("http:///path"), "url", id="no host"),
        pytest.param(hook("http://h:99999/"), "url", id="no port there is"),
        pytest.param(hook("http://h/\r\nHost: evil"), "url", id="a line break"),
        pytest.param(hook("http://h\t/"), "url", id="a tab"),
        pytest.param(hook("http://h/ HTTP/1.1"), "url", id="a blank"),
        pytest.param(hook("http://h/\u2028x"), "url", id="a line separator"),
        pytest.param(hook("http://[::1/"), "url", id="half an IPv6 address"),
        pytest.param(hook("http://a..b/"), "url", id="an empty label"),
        pytest.param(hook("http://\u2100.test/"), "url", id="a letter that becomes a slash"),
        pytest.param(hook("https://h/", authorization="Bearer x\r\nX: y"), "settings.authorization", id="a second header"),
        pytest.param({"kind": "slack", "url": "xoxb-a\nb", "settings": {"channel": "#a"}}, "url", id="a broken token"),
        pytest.param({"kind": "slack", "url": "xoxb-1", "settings": {"channel": "#a", "api_url": "file:///etc"}},
                     "settings.api_url", id="an API in a file"),
        pytest.param({"kind": "pagerduty", "url": "key\r\nx"}, "url", id="a broken key"),
        pytest.param({"kind": "email", "url": "smtp.h", "settings": {"to": "a@b.c\r\nBcc: d@e.f"}}, "settings.to", id="a Bcc"),
        pytest.param({"kind": "email", "url": "smtp.h", "settings": {"to": "a@b.c", "from": "x@y.z\nX: y"}},
                     "settings.from", id="a sender of two lines"),
        pytest.param({"kind": "email", "url": "http://h/", "settings": {"to": "a@b.c"}}, "url", id="mail over HTTP"),
    ],
)  # fmt: skip
def test_what_can_never_be_right_is_refused_when_it_is_declared(
    sending: TestClient, body: Mapping[str, Any], field: str
) -> None:
    answered = sending.put("/api/v1/channels/hostile", json=body)
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, field)
    assert "canary" not in answered.text


def slack_bot(url: str) -> dict[str, Any]:
    return {"kind": "slack", "url": "xoxb-1", "settings": {"channel": "#a", "api_url": url}}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(hook(f"http://{META}/latest/meta-data/"), id="metadata"),
        pytest.param(hook("http://[::ffff:169.254.169.254]/"), id="IPv4-mapped"),
        pytest.param(hook("http://[64:ff9b::a9fe:a9fe]/"), id="NAT64"),
        pytest.param(hook("http://[2002:a9fe:a9fe::]/"), id="6to4"),
        pytest.param(hook("http://2852039166/"), id="decimal"),
        pytest.param(hook("http://0xa9fea9fe/"), id="hexadecimal"),
        pytest.param(hook("http://0251.0376.0251.0376/"), id="octal"),
        pytest.param(hook("http://169.254.43518/"), id="of three parts"),
        pytest.param(hook("http://\uff11\uff16\uff19.254.169.254/"), id="full-width digits"),
        pytest.param(hook("http://169\u3002254\u3002169\u3002254/"), id="ideographic full stops"),
        pytest.param(hook(f"http://hooks.slack.com@{META}/"), id="a trusted name as the user"),
        pytest.param(hook(f"http://hooks.slack.com%2f@{META}/"), id="the same, escaped"),
        pytest.param(hook(f"http://{META}#@hooks.slack.com/"), id="a trusted name in the fragment"),
        pytest.param(hook(f"http://{META}?@hooks.slack.com/"), id="a trusted name in the query"),
        pytest.param(hook("http://0.0.0.0:1/"), id="unspecified"),
        pytest.param(hook("http://0:1/"), id="unspecified, in short"),
        pytest.param(hook("http://[::]:1/"), id="unspecified over IPv6"),
        pytest.param(hook("http://[fe80::1]/"), id="link-local"),
        pytest.param(hook("http://224.0.0.1/"), id="multicast"),
        pytest.param(hook("http://255.255.255.255/"), id="broadcast"),
        pytest.param(hook("http://100.100.100.200/"), id="metadata of Alibaba"),
        pytest.param(hook("http://168.63.129.16/"), id="metadata of Azure"),
        pytest.param(hook("env:HOOK"), id="by reference"),
        pytest.param(slack_bot(f"http://{META}/api"), id="as Slack's API"),
        pytest.param({"kind": "slack", "url": f"http://{META}/"}, id="as a webhook of Slack's"),
        pytest.param({"kind": "pagerduty", "url": f"http://key@{META}/"}, id="as PagerDuty"),
        pytest.param({"kind": "email", "url": f"{META}:25", "settings": {"to": "a@b.c"}}, id="as a mail server"),
    ],
)
def test_what_leads_where_nothing_may_connect_is_never_sent(sending: TestClient, body: Mapping[str, Any]) -> None:
    declared = sending.put("/api/v1/channels/hostile", json=body)
    if declared.status_code == 422:
        return
    told = sending.post("/api/v1/channels/hostile/test").json()
    assert (told["delivered"], told["outcome"], told["retryable"]) == (False, "forbidden", False)
    assert told["detail"].endswith("Tocsin does not connect there")


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"])
def test_this_machine_is_reached_by_no_spelling_where_private_addresses_are_refused(
    database: Database, host: str
) -> None:
    api = TestClient(create_app(Sending(database=database, resolver=Resolver(private=PrivateAddresses.REFUSE))))

    def answer(_: Request) -> Response:
        return Response()

    with ScriptedServer(answer) as server:
        api.put("/api/v1/channels/hostile", json=hook(f"http://{host}:{server.port}/"))
        told = api.post("/api/v1/channels/hostile/test").json()
        assert server.requests == []
    assert told["outcome"] == "forbidden"
    assert "TOCSIN_PRIVATE_ADDRESSES=refuse" in told["detail"]


def test_a_user_in_the_address_is_sent_as_such_and_names_no_host(sending: TestClient) -> None:
    def answer(_: Request) -> Response:
        return Response()

    with ScriptedServer(answer) as server:
        sending.put("/api/v1/channels/hostile", json=hook(server.url.replace("//", f"//{META}:80@")))
        assert sending.post("/api/v1/channels/hostile/test").json()["delivered"] is True
        assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"
