"""PagerDuty's Events v2, byte for byte."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from engine.core.messages import render
from engine.core.outcome import Delivered, Failed, FailureReason
from engine.delivery.deliver import deliver
from rules.channels import ChannelKind
from tests.core.telling import alert, facts
from tests.delivery.posting import KEY, SOON, always, at, send
from tests.servers import ScriptedServer

PAGERDUTY = ChannelKind.PAGERDUTY
ACCEPTED = json.dumps({"status": "success", "message": "Event processed", "dedup_key": "k"})


def endpoint(server: ScriptedServer) -> str:
    return f"http://{KEY}@127.0.0.1:{server.port}/v2/enqueue"


def test_the_event_goes_out_under_the_routing_key_and_202_is_success() -> None:
    with ScriptedServer(always(202, ACCEPTED)) as server:
        assert send(at(PAGERDUTY, endpoint(server)), PAGERDUTY) == Delivered(detail="HTTP 202")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v2/enqueue")
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.json == json.loads(render(PAGERDUTY, facts(), {})) | {"routing_key": KEY}


def test_the_key_is_nowhere_but_in_the_body() -> None:
    with ScriptedServer(always(202, ACCEPTED)) as server:
        send(at(PAGERDUTY, endpoint(server)), PAGERDUTY)
    assert not any(KEY in value for value in server.requests[0].headers.values())


def test_trigger_and_resolve_carry_the_same_dedup_key() -> None:
    with ScriptedServer(always(202, ACCEPTED)) as server:
        for told in (facts(), facts(alert(status="resolved"))):
            deliver(at(PAGERDUTY, endpoint(server)), render(PAGERDUTY, told, {}), "", SOON)
    events = [request.json for request in server.requests]
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert events[0]["dedup_key"] == events[1]["dedup_key"]


INVALID = {
    "status": "invalid event",
    "message": "Event object is invalid",
    "errors": ["Length of 'routing_key' is incorrect", "'payload.summary' is blank"],
}


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable", "detail"),
    [
        pytest.param(
            400,
            json.dumps(INVALID),
            FailureReason.CLIENT_ERROR,
            False,
            "HTTP 400: Event object is invalid: Length of 'routing_key' is incorrect, 'payload.summary' is blank",
            id="an-invalid-event-in-pagerdutys-words",
        ),
        pytest.param(
            429,
            '{"status":"throttle exceeded","message":"Requests for this service are arriving too quickly"}',
            FailureReason.RATE_LIMITED,
            True,
            "HTTP 429: Requests for this service are arriving too quickly",
            id="throttled",
        ),
        pytest.param(500, "oops", FailureReason.SERVER_ERROR, True, "HTTP 500: oops", id="no-json"),
        pytest.param(503, "", FailureReason.SERVER_ERROR, True, "HTTP 503", id="no-body"),
        pytest.param(404, "[1]", FailureReason.CLIENT_ERROR, False, "HTTP 404: [1]", id="json-of-someone-else"),
        pytest.param(413, '{"message": 5}', FailureReason.CLIENT_ERROR, False, "HTTP 413: 5", id="odd-json"),
    ],
)
def test_a_refusal_is_told_in_pagerdutys_words(
    status: int, body: str, reason: FailureReason, retryable: bool, detail: str
) -> None:
    with ScriptedServer(always(status, body)) as server:
        outcome = send(at(PAGERDUTY, endpoint(server)), PAGERDUTY)
    assert outcome == Failed(reason=reason, retryable=retryable, detail=detail)


def test_a_429_says_how_long_to_wait() -> None:
    with ScriptedServer(always(429, "{}", {"Retry-After": "12"})) as server:
        outcome = send(at(PAGERDUTY, endpoint(server)), PAGERDUTY)
    assert isinstance(outcome, Failed)
    assert outcome.retry_after == timedelta(seconds=12)
