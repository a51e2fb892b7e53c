"""Any other service through Apprise: its own plugins, on a wire of ours."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.facts import Facts
from engine.core.messages import render
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import AppriseUrl, Unconfigured, address
from engine.delivery.anywhere import fitted, service
from engine.delivery.deliver import deliver
from engine.resolver import Resolver
from rules.channels import Channel, ChannelKind
from rules.errors import ChannelError
from tests.core.telling import alert, facts, many
from tests.delivery.posting import always
from tests.servers import Request, Response, ScriptedServer

SOON = timedelta(seconds=5)
SMS = f"twilio://AC{'a' * 32}:{'b' * 32}@15551112222/15553334444"
CALL = f"clicksend://user:{'k' * 20}@15553334444"


def tell(url: str, told: Facts | None = None, *, deadline: timedelta = SOON) -> Outcome:
    """One delivery through Apprise."""
    body = render(ChannelKind.APPRISE, told or facts(), {})
    return deliver(AppriseUrl(url=url), body, "", deadline, Resolver())


def host(server: ScriptedServer) -> str:
    return server.url.removeprefix("http://")


def test_a_service_gets_title_text_and_how_loud_it_is() -> None:
    with ScriptedServer(always()) as server:
        assert tell(f"json://{host(server)}/here") == Delivered(detail="HTTP 200")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/here")
    assert request.json["title"] == "[FIRING:1] HighErrorRate (critical)"
    assert request.json["message"].startswith("Too many errors | instance=web-1 | value 97.25")
    assert request.json["type"] == "failure"


def test_an_end_is_good_news() -> None:
    with ScriptedServer(always()) as server:
        tell(f"json://{host(server)}", facts(alert(status="resolved")))
    assert server.requests[0].json["type"] == "success"


def test_an_sms_by_a_gateway_of_ones_own() -> None:
    with ScriptedServer(always(body='{"result": {"status": "ok"}}')) as server:
        assert tell(f"smseagle://token123@{host(server)}/15553334444") == Delivered(detail="HTTP 200")
    assert "[FIRING:1] HighErrorRate (critical)" in server.requests[0].json["params"]["message"]


@pytest.mark.parametrize("url", [pytest.param(SMS, id="sms"), pytest.param(CALL, id="clicksend")])
def test_what_goes_into_a_pocket_is_one_short_line_that_names_the_alert(url: str) -> None:
    plugin = service(url)
    told = json.loads(render(ChannelKind.APPRISE, facts(*many(9)), {}))
    title, text = fitted(told, 160, 0)
    assert (title, text) == ("", "[FIRING:9] HighErrorRate (critical): Too many errors")
    assert len(fitted(told, plugin.body_maxlen, plugin.title_maxlen)[1]) <= plugin.body_maxlen


PAYLOADS = st.fixed_dictionaries(
    {"title": st.text(min_size=1, max_size=250), "body": st.text(max_size=3000), "short": st.text(max_size=500)}
)


@given(PAYLOADS, st.integers(10, 2000), st.sampled_from([0, 50, 250]))
def test_no_text_is_longer_than_a_service_takes(told: dict[str, str], body: int, title: int) -> None:
    head, text = fitted(told, body, title)
    assert len(head) <= title
    assert len(text) <= body


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        pytest.param(401, FailureReason.AUTH_ERROR, False, id="a-wrong-key"),
        pytest.param(404, FailureReason.CLIENT_ERROR, False, id="a-wrong-path"),
        pytest.param(429, FailureReason.RATE_LIMITED, True, id="too-many"),
        pytest.param(503, FailureReason.SERVER_ERROR, True, id="down"),
    ],
)
def test_a_refusal_keeps_its_reason_where_apprise_says_only_no(
    status: int, reason: FailureReason, retryable: bool
) -> None:
    with ScriptedServer(always(status, "not now", {"Retry-After": "9"})) as server:
        outcome = tell(f"ntfy://{host(server)}/topic")
    after = timedelta(seconds=9) if retryable else None
    assert outcome == Failed(reason=reason, retryable=retryable, detail=f"HTTP {status}: not now", retry_after=after)


def test_it_takes_no_longer_than_the_deadline() -> None:
    slow = lambda _: Response(body=[b"o"] * 40, drip=timedelta(seconds=0.2))  # noqa: E731
    with ScriptedServer(slow) as server:
        outcome = tell(f"json://{host(server)}", deadline=timedelta(seconds=0.4))
    assert outcome == Failed(
        reason=FailureReason.DEADLINE_EXCEEDED, retryable=True, detail="no complete answer before the deadline"
    )


def test_nothing_follows_a_redirect() -> None:
    with (
        ScriptedServer(always()) as elsewhere,
        ScriptedServer(always(307, headers={"Location": elsewhere.url})) as server,
    ):
        outcome = tell(f"json://{host(server)}/?x=1")
        assert elsewhere.requests == []
    assert isinstance(outcome, Failed)
    assert "redirects are not followed" in outcome.detail


def test_a_forbidden_address_is_never_connected_to() -> None:
    outcome = tell("json://169.254.169.254/latest")
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.FORBIDDEN, False)


def test_nobody_there_is_tried_again() -> None:
    outcome = tell("json://127.0.0.1:1/")
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.UNREACHABLE, True)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("nonsense://x", "knows no such URL", id="no-service"),
        pytest.param("syslog://", "other means than HTTP", id="no-http"),
    ],
)
def test_a_url_apprise_does_not_know_or_cannot_post_to_is_refused(url: str, why: str) -> None:
    outcome = tell(url)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.UNCONFIGURED, False)
    assert why in outcome.detail


def test_no_secret_of_the_url_is_told(caplog: pytest.LogCaptureFixture) -> None:
    secret = "hunter2hunter2hunter2"
    with (
        caplog.at_level(logging.DEBUG),
        ScriptedServer(lambda request: Response(status=400, body=request.path.encode())) as server,
    ):
        outcome = tell(f"json://user:{secret}@{host(server)}/{secret}")
    assert isinstance(outcome, Failed)
    # urllib3's debug lines hold paths; engine/telemetry.py keeps them from every log.
    said = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    assert secret not in repr((outcome, AppriseUrl(url=secret), said))


def test_a_mention_in_a_label_calls_nobody() -> None:
    with ScriptedServer(always()) as server:
        tell(f"json://{host(server)}", facts(alert({"zone": "@everyone <@1>"})))
    message = unquote(server.requests[0].json["message"])
    assert "@everyone" not in message
    assert "<@1>" not in message


def at(url: str, **settings: str) -> object:
    return address(Channel(name="sms", kind=ChannelKind.APPRISE, url=url, settings=settings), {"TOKEN": "s/e?c"})


def test_settings_fill_the_places_of_the_url() -> None:
    assert at("tgram://{bot}/{chat}", bot="env:TOKEN", chat="12") == AppriseUrl(url="tgram://s%2Fe%3Fc/12")
    assert at("{hook}", hook="https://discord.com/api/webhooks/1/x") == AppriseUrl(
        url="https://discord.com/api/webhooks/1/x"
    )


@pytest.mark.parametrize(
    ("url", "settings"), [("", {}), ("tgram://{bot}/1", {}), ("tgram://{bot}/1", {"bot": "env:NONE"})]
)
def test_an_address_with_a_place_nobody_fills_is_unconfigured(url: str, settings: dict[str, str]) -> None:
    assert isinstance(at(url, **settings), Unconfigured)


@pytest.mark.parametrize("url", ["no url", "x:y", "tgram://a\nb"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ChannelError, match="is no Apprise URL"):
        at(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("json://host/?redirect=yes", "'redirect'", id="a-redirect"),
        pytest.param("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazk?template=/etc/passwd", "'template'", id="a-file"),
        pytest.param("fcm://project@device?keyfile=/etc/passwd", "'keyfile'", id="a-key-file"),
        pytest.param("jsons://host/?Verify=no", "'Verify'", id="trust-in-anybody"),
        pytest.param("mailto://a:b@example.org", "kind email", id="mail"),
    ],
)
def test_a_url_that_leads_past_the_wire_is_refused(url: str, why: str) -> None:
    with pytest.raises(ChannelError, match=why):
        at(url)


def test_other_threads_keep_their_own_wire() -> None:
    def handler(request: Request) -> Response:
        return Response(status=200 if request.path == "/a" else 500)

    with ScriptedServer(handler) as server:
        assert tell(f"json://{host(server)}/a") == Delivered(detail="HTTP 200")
        assert isinstance(tell(f"json://{host(server)}/b"), Failed)
