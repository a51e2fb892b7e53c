"""Slack's webhook and bot token, byte for byte."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from engine.core.messages import render
from engine.core.outcome import Delivered, Failed, FailureReason
from engine.delivery.addresses import Address
from rules.channels import ChannelKind
from tests.core.telling import facts
from tests.delivery.posting import SOON, always, at, message_alone, send
from tests.servers import Request, Response, ScriptedServer

SLACK = ChannelKind.SLACK


def webhook(server: ScriptedServer, settings: dict[str, str] | None = None) -> Address:
    return at(SLACK, f"{server.url}/services/T0ABCDEF1/B0ABCDEF2/hunter2hunter2", settings)


def bot(server: ScriptedServer) -> Address:
    return at(SLACK, "xoxb-123456-hunter2", {"channel": "#alerts", "api_url": f"{server.url}/api"})


def test_a_webhook_gets_the_kept_payload_as_utf8_json() -> None:
    with ScriptedServer(always()) as server:
        assert send(webhook(server), SLACK) == Delivered(detail="HTTP 200")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/services/T0ABCDEF1/B0ABCDEF2/hunter2hunter2")
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.json == message_alone(render(SLACK, facts(), {}))


def test_a_webhook_is_told_another_channel_when_one_is_set() -> None:
    with ScriptedServer(always()) as server:
        send(webhook(server, {"channel": "#alerts"}), SLACK)
    assert server.requests[0].json["channel"] == "#alerts"


def test_a_bot_posts_to_its_channel_under_its_token() -> None:
    answer = {"ok": True, "channel": "C1", "ts": "1503435956.000247"}
    with ScriptedServer(always(body=json.dumps(answer))) as server:
        assert send(bot(server), SLACK) == Delivered(detail="ok", reference="1503435956.000247 C1 #alerts")
    (request,) = server.requests
    assert request.path == "/api/chat.postMessage"
    assert request.headers["authorization"] == "Bearer xoxb-123456-hunter2"
    assert request.json == message_alone(render(SLACK, facts(), {})) | {"channel": "#alerts"}


def test_an_answer_that_repeats_a_large_message_is_still_an_answer() -> None:
    answer = {"ok": True, "message": {"text": "x" * 100_000}, "channel": "C1", "ts": "1503435956.000247"}
    with ScriptedServer(always(body=json.dumps(answer))) as server:
        assert send(bot(server), SLACK) == Delivered(detail="ok", reference="1503435956.000247 C1 #alerts")


@pytest.mark.parametrize(
    ("error", "reason", "retryable"),
    [
        pytest.param("channel_not_found", FailureReason.REFUSED, False, id="a-wrong-channel"),
        pytest.param("not_in_channel", FailureReason.REFUSED, False, id="not-invited"),
        pytest.param("invalid_auth", FailureReason.AUTH_ERROR, False, id="a-wrong-token"),
        pytest.param("token_revoked", FailureReason.AUTH_ERROR, False, id="a-revoked-token"),
        pytest.param("ratelimited", FailureReason.RATE_LIMITED, True, id="too-many"),
        pytest.param("internal_error", FailureReason.SERVER_ERROR, True, id="slacks-own-fault"),
        pytest.param("service_unavailable", FailureReason.SERVER_ERROR, True, id="slack-is-down"),
    ],
)
def test_a_bots_refusal_comes_with_status_200(error: str, reason: FailureReason, retryable: bool) -> None:
    body = json.dumps({"ok": False, "error": error})
    with ScriptedServer(always(body=body, headers={"Retry-After": "7"})) as server:
        outcome = send(bot(server), SLACK)
    after = timedelta(seconds=7) if retryable else None
    assert outcome == Failed(reason=reason, retryable=retryable, detail=f"Slack: {error}", retry_after=after)


def test_a_webhook_that_answers_like_the_api_is_understood() -> None:
    with ScriptedServer(always(body='{"ok": false, "error": "no_text"}')) as server:
        assert send(webhook(server), SLACK) == Failed(
            reason=FailureReason.REFUSED, retryable=False, detail="Slack: no_text"
        )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>please sign in</html>", id="a-portals-page"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b'{"ok": 1}', id="not-quite-true"),
        pytest.param(b"\xff\xfe", id="no-text"),
    ],
)
def test_a_200_that_is_not_slacks_is_tried_again(body: bytes) -> None:
    with ScriptedServer(always(body=body)) as server:
        outcome = send(webhook(server), SLACK)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.OTHER, True)


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        pytest.param(400, "invalid_payload", FailureReason.CLIENT_ERROR, False, id="a-bad-payload"),
        pytest.param(403, "action_prohibited", FailureReason.AUTH_ERROR, False, id="prohibited"),
        pytest.param(404, "no_service", FailureReason.CLIENT_ERROR, False, id="a-deleted-webhook"),
        pytest.param(410, "channel_is_archived", FailureReason.CLIENT_ERROR, False, id="an-archived-channel"),
        pytest.param(500, "rollup_error", FailureReason.SERVER_ERROR, True, id="slacks-own-fault"),
    ],
)
def test_a_webhooks_refusal_is_its_status_and_text(
    status: int, body: str, reason: FailureReason, retryable: bool
) -> None:
    with ScriptedServer(always(status, body)) as server:
        assert send(webhook(server), SLACK) == Failed(
            reason=reason, retryable=retryable, detail=f"HTTP {status}: {body}"
        )  # fmt: skip


def test_a_429_says_how_long_to_wait() -> None:
    with ScriptedServer(always(429, '{"ok":false,"error":"ratelimited"}', {"Retry-After": "30"})) as server:
        assert send(bot(server), SLACK) == Failed(
            reason=FailureReason.RATE_LIMITED,
            retryable=True,
            detail="HTTP 429: ratelimited",
            retry_after=timedelta(seconds=30),
        )


def test_an_ok_cut_short_by_the_deadline_is_no_success() -> None:
    handler = lambda _: Response(body=[b"o", b"k"], drip=timedelta(seconds=1))  # noqa: E731
    with ScriptedServer(handler) as server:
        outcome = send(webhook(server), SLACK, deadline=timedelta(seconds=0.2))
    assert isinstance(outcome, Failed)
    assert outcome.retryable


def test_a_payload_with_text_from_everywhere_arrives_unchanged() -> None:
    def handler(request: Request) -> Response:
        assert request.body.decode()
        return Response(body=b"ok")

    with ScriptedServer(handler) as server:
        assert send(webhook(server, {"channel": "#прод"}), SLACK, deadline=SOON) == Delivered(detail="HTTP 200")
    assert server.requests[0].json["channel"] == "#прод"
