"""The demo's stand-ins speak the protocols they stand for."""

from __future__ import annotations

import smtplib
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests

from api.demo.stand_ins import PagerDutyStandIn, SlackStandIn, SmtpStandIn
from engine.core.messages import render
from engine.core.outcome import Delivered, Failed, FailureReason
from engine.delivery.deliver import deliver
from rules.channels import ChannelKind
from tests.core.telling import alert, facts
from tests.delivery.posting import SOON, at, message_alone, send

FIRING, OVER = facts(), facts(alert(status="resolved"))


def event(stand_in: PagerDutyStandIn, **changes: Any) -> requests.Response:
    """Post a trigger to PagerDuty, with these fields changed; `None` leaves a field out."""
    payload = {"summary": "down", "source": "web-1", "severity": "critical"}
    body = {"routing_key": stand_in.key, "event_action": "trigger", "dedup_key": "k", "payload": payload, **changes}
    kept = {name: value for name, value in body.items() if value is not None}
    return requests.post(f"{stand_in.url}/v2/enqueue", json=kept, timeout=5)


def test_slacks_webhook_takes_our_message_and_prints_it() -> None:
    lines: list[str] = []
    with SlackStandIn(lines.append) as slack:
        outcome = send(at(ChannelKind.SLACK, slack.webhook_url), ChannelKind.SLACK)
        assert outcome == Delivered(detail="HTTP 200")
        assert slack.messages == [message_alone(render(ChannelKind.SLACK, FIRING, {}))]
    assert lines == ["slack      [FIRING:1] HighErrorRate (critical): Too many errors [danger]"]


def test_slacks_api_takes_a_bots_message_and_names_it() -> None:
    with SlackStandIn() as slack:
        where = at(ChannelKind.SLACK, "xoxb-1-abc", {"channel": "#ops", "api_url": slack.api_url})
        outcome = send(where, ChannelKind.SLACK)
        assert slack.messages[0]["channel"] == "#ops"
    assert isinstance(outcome, Delivered)
    assert outcome.reference


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param("{", "invalid_payload", id="no-json"),
        pytest.param("[]", "invalid_payload", id="no-object"),
        pytest.param("{}", "no_text", id="empty"),
        pytest.param('{"text":"x","attachments":{}}', "invalid_attachments", id="attachments"),
    ],
)
def test_slacks_webhook_refuses_what_slack_refuses(body: str, said: str) -> None:
    with SlackStandIn() as slack:
        answer = requests.post(slack.webhook_url, data=body, timeout=5)
        assert (answer.status_code, answer.text) == (400, said)
        assert slack.messages == []


@pytest.mark.parametrize(
    ("token", "body", "error"),
    [
        pytest.param("", {"text": "x", "channel": "#a"}, "not_authed", id="no-token"),
        pytest.param("Bearer xoxb-1", {"text": "x"}, "channel_not_found", id="no-channel"),
        pytest.param("Bearer xoxb-1", {"channel": "#a"}, "no_text", id="no-text"),
    ],
)
def test_slacks_api_refuses_with_status_200(token: str, body: dict[str, str], error: str) -> None:
    with SlackStandIn() as slack:
        url, headers = f"{slack.api_url}/chat.postMessage", {"Authorization": token}
        answer = requests.post(url, json=body, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})


def test_a_stand_in_told_to_fail_fails_once() -> None:
    with SlackStandIn() as slack:
        slack.fail_next(429, {"Retry-After": "3"})
        where = at(ChannelKind.SLACK, slack.webhook_url)
        first, second = send(where, ChannelKind.SLACK), send(where, ChannelKind.SLACK)
    assert isinstance(first, Failed)
    assert (first.reason, first.retry_after) == (FailureReason.RATE_LIMITED, timedelta(seconds=3))
    assert isinstance(second, Delivered)


def test_pagerduty_opens_one_incident_and_closes_it() -> None:
    lines: list[str] = []
    with PagerDutyStandIn(lines.append) as pagerduty:
        where = at(ChannelKind.PAGERDUTY, pagerduty.channel_url)
        for told in (FIRING, FIRING):
            assert isinstance(deliver(where, render(ChannelKind.PAGERDUTY, told, {}), "", SOON), Delivered)
        (incident,) = pagerduty.open
        deliver(where, render(ChannelKind.PAGERDUTY, OVER, {}), "", SOON)
        assert pagerduty.open == []
        assert pagerduty.incidents == [incident]
    assert (incident.status, incident.severity, len(incident.events)) == ("resolved", "critical", 3)
    assert [line.split(":")[0] for line in lines] == [
        "pagerduty  incident opened (critical)",
        "pagerduty  joined the open incident",
        "pagerduty  incident resolved",
    ]


def test_pagerduty_opens_another_incident_after_the_first_is_over() -> None:
    with PagerDutyStandIn() as pagerduty:
        for action in ("trigger", "acknowledge", "resolve", "trigger"):
            assert event(pagerduty, event_action=action).status_code == 202
        assert [incident.status for incident in pagerduty.incidents] == ["resolved", "open"]


def test_pagerduty_takes_a_resolve_of_nothing() -> None:
    with PagerDutyStandIn() as pagerduty:
        assert event(pagerduty, event_action="resolve", payload=None).json() == {
            "status": "success",
            "message": "Event processed",
            "dedup_key": "k",
        }
        assert pagerduty.incidents == []


def test_pagerduty_names_an_incident_nobody_named() -> None:
    with PagerDutyStandIn() as pagerduty:
        keys = {event(pagerduty, dedup_key=None).json()["dedup_key"] for _ in range(2)}
        assert {incident.key for incident in pagerduty.incidents} == keys
    assert len(keys) == 2


GOOD = {"summary": "down", "source": "web-1", "severity": "critical"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"routing_key": "short"}, "routing_key", id="a-short-key"),
        pytest.param({"event_action": "fire"}, "event_action", id="an-unknown-action"),
        pytest.param({"dedup_key": "k" * 256}, "dedup_key", id="a-long-dedup-key"),
        pytest.param({"event_action": "resolve", "dedup_key": None}, "dedup_key", id="a-resolve-of-what"),
        pytest.param({"payload": None}, "payload", id="no-payload"),
        pytest.param({"payload": {**GOOD, "summary": ""}}, "payload.summary", id="no-summary"),
        pytest.param({"payload": {**GOOD, "summary": "s" * 1025}}, "payload.summary", id="a-long-summary"),
        pytest.param({"payload": {**GOOD, "source": ""}}, "payload.source", id="no-source"),
        pytest.param({"payload": {**GOOD, "severity": "page"}}, "payload.severity", id="an-unknown-severity"),
    ],
)
def test_pagerduty_refuses_what_pagerduty_refuses(changes: dict[str, Any], error: str) -> None:
    with PagerDutyStandIn() as pagerduty:
        answer = event(pagerduty, **changes)
        assert answer.status_code == 400
        assert f"'{error}'" in answer.json()["errors"][0]
        assert pagerduty.messages == []


def test_pagerduty_knows_one_path_and_only_json() -> None:
    with PagerDutyStandIn() as pagerduty:
        assert requests.post(f"{pagerduty.url}/elsewhere", json={}, timeout=5).status_code == 404
        assert requests.post(f"{pagerduty.url}/v2/enqueue", data="x", timeout=5).status_code == 400


def test_a_mail_of_ours_arrives() -> None:
    lines: list[str] = []
    with SmtpStandIn(lines.append) as smtp:
        where = at(ChannelKind.EMAIL, smtp.host, {"to": "ops@example.org", "tls": "none", "from": "t@example.org"})
        assert isinstance(send(where, ChannelKind.EMAIL, recipient="ops@example.org"), Delivered)
        (mail,) = smtp.wait(1)
    assert (mail.sender, mail.recipients) == ("t@example.org", ("ops@example.org",))
    assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]
    assert lines == ["email      to ops@example.org: [FIRING:1] HighErrorRate (web-1 critical)"]


def test_lines_that_begin_with_a_dot_arrive_as_they_were() -> None:
    body = "Subject: dots\r\n\r\n.\r\n..two\r\n.three\r\n"
    with SmtpStandIn() as smtp, smtplib.SMTP("127.0.0.1", smtp.port, local_hostname="test") as client:
        client.sendmail("a@example.org", ["b@example.org", "c@example.org"], body)
        (mail,) = smtp.messages
    assert mail.message.get_content().splitlines() == [".", "..two", ".three"]
    assert mail.recipients == ("b@example.org", "c@example.org")


def test_the_mail_server_keeps_the_order_of_smtp() -> None:
    with SmtpStandIn() as smtp, smtplib.SMTP("127.0.0.1", smtp.port, local_hostname="test") as client:
        assert client.helo()[0] == 250
        assert client.rcpt("b@example.org")[0] == 503
        assert client.docmd("DATA")[0] == 503
        assert client.mail("a@example.org")[0] == 250
        assert client.docmd("DATA")[0] == 503
        assert client.noop()[0] == 250
        assert client.rset()[0] == 250
        assert client.rcpt("b@example.org")[0] == 503
        assert client.docmd("VRFY", "b@example.org")[0] == 502


def test_the_mail_server_refuses_a_recipient_when_told() -> None:
    with SmtpStandIn() as smtp:
        smtp.fail_next(451)
        where = at(ChannelKind.EMAIL, smtp.host, {"to": "ops@example.org", "tls": "none"})
        first = send(where, ChannelKind.EMAIL, recipient="ops@example.org")
        assert isinstance(send(where, ChannelKind.EMAIL, recipient="ops@example.org"), Delivered)
    assert first == Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail="SMTP 451: told to fail")


def test_a_mail_that_breaks_off_is_not_taken() -> None:
    with SmtpStandIn() as smtp:
        with socket.create_connection(("127.0.0.1", smtp.port)) as client, client.makefile("rb") as replies:
            for command in (b"HELO x", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA", b"Subject: half"):
                client.sendall(command + b"\r\n")
            assert [replies.readline()[:3] for _ in range(5)] == [b"220", b"250", b"250", b"250", b"354"]
            client.shutdown(socket.SHUT_WR)
            assert replies.readline()[:3] == b"451"
        assert smtp.messages == []


def test_messages_from_many_threads_are_all_kept() -> None:
    with PagerDutyStandIn() as pagerduty, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: event(pagerduty, dedup_key=f"k{number % 4}"), range(40)))
        assert len(pagerduty.wait(40)) == 40
        assert len(pagerduty.open) == 4


def test_waiting_for_what_never_comes_ends() -> None:
    with SlackStandIn() as slack, pytest.raises(TimeoutError, match="0 of 1 messages arrived"):
        slack.wait(1, seconds=0.01)
