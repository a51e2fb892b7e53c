"""The generic webhook over a real connection."""

from __future__ import annotations

from base64 import b64encode

import pytest

from engine.core.messages import render
from engine.core.outcome import Delivered, Failed, FailureReason
from engine.delivery.webhook import basic
from rules.channels import ChannelKind
from tests.core.telling import facts
from tests.delivery.posting import always, at, send
from tests.servers import Response, ScriptedServer

WEBHOOK = ChannelKind.WEBHOOK


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_success_whatever_the_body_says(status: int) -> None:
    with ScriptedServer(always(status, b"" if status == 204 else b'{"ok": false}')) as server:
        assert send(at(WEBHOOK, f"{server.url}/hook?team=a%20b"), WEBHOOK) == Delivered(detail=f"HTTP {status}")
    (request,) = server.requests
    assert request.path == "/hook?team=a%20b"
    assert request.body == render(WEBHOOK, facts(), {})


def test_an_address_without_a_path_is_asked_at_the_root() -> None:
    with ScriptedServer(always()) as server:
        send(at(WEBHOOK, server.url), WEBHOOK)
    assert server.requests[0].path == "/"


def test_a_path_outside_ascii_is_encoded() -> None:
    with ScriptedServer(always()) as server:
        send(at(WEBHOOK, f"{server.url}/тревога?a=ü"), WEBHOOK)
    assert server.requests[0].path == "/%D1%82%D1%80%D0%B5%D0%B2%D0%BE%D0%B3%D0%B0?a=%C3%BC"


def test_the_configured_header_goes_out_as_it_is() -> None:
    with ScriptedServer(always()) as server:
        send(at(WEBHOOK, server.url, {"authorization": "Bearer abc"}), WEBHOOK)
    assert server.requests[0].headers["authorization"] == "Bearer abc"


def test_user_and_password_in_the_url_become_basic_authentication() -> None:
    with ScriptedServer(always()) as server:
        send(at(WEBHOOK, f"http://me:p%40ss@127.0.0.1:{server.port}/x"), WEBHOOK)
    (request,) = server.requests
    assert request.headers["authorization"] == f"Basic {b64encode(b'me:p@ss').decode()}"
    assert request.path == "/x"


@pytest.mark.parametrize(
    ("url", "header"),
    [
        pytest.param("https://example.org/", "", id="no-user"),
        pytest.param("https://me@example.org/", "Basic bWU6", id="no-password"),
    ],
)
def test_authentication_needs_a_user_only(url: str, header: str) -> None:
    assert basic(url) == header


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        pytest.param(400, FailureReason.CLIENT_ERROR, False, id="bad-request"),
        pytest.param(401, FailureReason.AUTH_ERROR, False, id="unauthorised"),
        pytest.param(404, FailureReason.CLIENT_ERROR, False, id="not-found"),
        pytest.param(408, FailureReason.CLIENT_ERROR, True, id="request-timeout"),
        pytest.param(410, FailureReason.CLIENT_ERROR, False, id="gone"),
        pytest.param(429, FailureReason.RATE_LIMITED, True, id="too-many"),
        pytest.param(500, FailureReason.SERVER_ERROR, True, id="server-error"),
        pytest.param(502, FailureReason.SERVER_ERROR, True, id="bad-gateway"),
    ],
)
def test_a_status_decides_the_reason_and_the_retry(status: int, reason: FailureReason, retryable: bool) -> None:
    with ScriptedServer(always(status, "why")) as server:
        outcome = send(at(WEBHOOK, server.url), WEBHOOK)
    assert outcome == Failed(reason=reason, retryable=retryable, detail=f"HTTP {status}: why")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_and_nothing_sent_after_it(status: int) -> None:
    with ScriptedServer(always()) as inside:
        elsewhere = f"{inside.url}/metadata"
        with ScriptedServer(lambda _: Response(status=status, headers={"Location": elsewhere})) as server:
            outcome = send(at(WEBHOOK, server.url), WEBHOOK)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.CLIENT_ERROR, False)
    assert "redirects are not followed" in outcome.detail
    assert elsewhere not in outcome.detail
    assert inside.requests == []
