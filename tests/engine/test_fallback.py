"""When it is told that Tocsin is blind, to whom, and in what order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import Address, LogAddress, PagerDutyKey, SlackWebhook, WebhookUrl
from engine.delivery.deliver import deliver
from engine.fallback import (
    BLIND_AFTER,
    Component,
    Fallback,
    Pending,
    Say,
    State,
    advance,
    channel,
    message,
    problem,
    queued,
    sender,
)
from rules.channels import ChannelKind
from rules.errors import ChannelError
from tests.servers import Request, Response, ScriptedServer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "canary-31c8"
AWAY = Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="connection refused")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class Hands:
    """A clock that stands still until it is set, and a channel that takes what it is told to take."""

    authoritative = True

    def __init__(self) -> None:
        self.at = NOON
        self.outcome: Outcome = Delivered()
        self.tried: list[str] = []
        self.told: list[str] = []
        self.fallback = Fallback(send=self.send, clock=self)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def wait(self, event: object, span: timedelta) -> bool:
        raise AssertionError("nothing here waits")

    def send(self, text: str) -> Outcome:
        self.tried.append(text)
        if isinstance(self.outcome, Delivered):
            self.told.append(text)
        return self.outcome

    def tick(self, *seconds: float) -> None:
        for second in seconds:
            self.at = after(second)
            self.fallback.tick(self.at)

    def report(self, second: float, healthy: bool, detail: str = "refused") -> None:
        self.at = after(second)
        self.fallback.report("database", healthy, detail)


@pytest.mark.parametrize(
    ("state", "healthy", "second", "expected", "say"),
    [
        pytest.param(State(), True, 0, State(), None, id="well-stays-well"),
        pytest.param(State(), False, 0, State(since=NOON), None, id="an-outage-begins-silently"),
        pytest.param(State(since=NOON), False, 29.9, State(since=NOON), None, id="a-short-one-is-not-told"),
        pytest.param(State(since=NOON), True, 29.9, State(), None, id="nor-is-its-end"),
        pytest.param(State(since=NOON), True, 300, State(), None, id="nor-the-end-of-one-nobody-looked-at"),
        pytest.param(State(since=NOON), False, 30, State(since=NOON, told=True), Say.BLIND, id="told-after-30s"),
        pytest.param(State(since=NOON, told=True), False, 99, State(since=NOON, told=True), None, id="told-once"),
        pytest.param(State(since=NOON, told=True), True, 99, State(), Say.SEES, id="its-end-is-told"),
        pytest.param(State(since=NOON), False, -60, State(since=after(-60)), None, id="a-clock-set-back-starts-anew"),
    ],
)
def test_what_is_told_of_a_component(
    state: State, healthy: bool, second: float, expected: State, say: Say | None
) -> None:
    assert advance(state, healthy, after(second)) == (expected, say)


LOOKS = st.lists(st.tuples(st.booleans(), st.integers(min_value=0, max_value=40)), max_size=60)


def walked(looks: list[tuple[bool, int]]) -> Iterator[tuple[bool, datetime, Say | None]]:
    """Every look, so many seconds after the one before, and what was told at it."""
    state, now = State(), NOON
    for healthy, seconds in looks:
        now += timedelta(seconds=seconds)
        state, say = advance(state, healthy, now)
        yield healthy, now, say


@given(LOOKS)
def test_blind_and_its_end_take_turns(looks: list[tuple[bool, int]]) -> None:
    told = [say for _, _, say in walked(looks) if say is not None]
    assert all(one is not other for one, other in pairwise(told))
    assert told[:1] in ([], [Say.BLIND])


@given(LOOKS)
def test_blind_is_told_of_outages_of_30_seconds_and_of_no_shorter_ones(looks: list[tuple[bool, int]]) -> None:
    since: datetime | None = None
    blind = False
    for healthy, now, say in walked(looks):
        since = None if healthy else since or now
        due = since is not None and now - since >= BLIND_AFTER
        assert (say is Say.BLIND) is (due and not blind)
        blind = due


@given(LOOKS, st.booleans())
def test_however_it_went_the_end_of_a_told_outage_is_told(looks: list[tuple[bool, int]], last: bool) -> None:
    told = [say for _, _, say in walked([*looks, (last, 0)]) if say is not None]
    assert not last or told[-1:] in ([], [Say.SEES])


def pending(say: Say, component: Component = "database", text: str = "") -> Pending:
    return Pending(component=component, say=say, text=text, created_at=NOON, due=NOON)


def test_an_end_takes_the_place_of_what_is_unsaid_of_its_component() -> None:
    other = pending(Say.BLIND, "delivery")
    end = pending(Say.SEES, text="2")
    assert queued((pending(Say.SEES), other, pending(Say.BLIND)), end) == (other, end)
    assert queued((end,), pending(Say.BLIND)) == (end, pending(Say.BLIND))


def test_an_outage_and_its_end_are_told_once_each() -> None:
    hands = Hands()
    hands.report(0, healthy=False, detail="connection\nrefused")
    hands.tick(*range(1, 120))
    assert hands.told == ["Tocsin is blind: database (connection refused)"]
    hands.report(180, healthy=True)
    hands.tick(181, 182, 183)
    assert hands.told[1:] == ["Tocsin sees again: database (blind for 3m)"]


def test_blind_is_told_within_a_minute_though_nobody_reports_again() -> None:
    hands = Hands()
    hands.report(0, healthy=False)
    hands.tick(*range(1, 30))
    assert hands.told == []
    hands.tick(30)
    assert len(hands.told) == 1


def test_an_interruption_between_two_ticks_starts_the_outage_anew() -> None:
    hands = Hands()
    hands.report(0, healthy=False)
    hands.report(20.2, healthy=True)
    hands.report(20.4, healthy=False)
    hands.tick(*range(21, 50))
    assert hands.told == []


def test_components_are_told_apart() -> None:
    hands = Hands()
    hands.fallback.report("datasource", False, "")
    hands.fallback.report("delivery", False, "slack: HTTP 500")
    hands.tick(30)
    hands.fallback.report("delivery", True, "")
    hands.tick(31)
    assert hands.told == [
        "Tocsin is blind: datasource", "Tocsin is blind: delivery (slack: HTTP 500)",
        "Tocsin sees again: delivery (blind for 30s)",
    ]  # fmt: skip


def test_a_failed_send_is_tried_again_with_growing_pauses_until_it_is_told() -> None:
    hands = Hands()
    hands.outcome = AWAY
    hands.report(0, healthy=False)
    hands.tick(*range(1, 60))
    assert len(hands.tried) == 5  # At 30 s, and then after waits of a little over 1, 2, 4 and 8 seconds.
    hands.outcome = Delivered()
    hands.tick(*range(60, 90))
    assert hands.told == ["Tocsin is blind: database (refused)"]


def test_what_the_channel_refuses_for_good_is_given_up_loudly() -> None:
    hands = Hands()
    hands.outcome = Failed(reason=FailureReason.AUTH_ERROR, retryable=False, detail="HTTP 403")
    hands.report(0, healthy=False)
    with capture_logs() as logs:
        hands.tick(30, 31, 100, 1000)
    assert len(hands.tried) == 1
    assert [(line["log_level"], line["event"]) for line in logs][-1] == ("error", "fallback_given_up")


def test_an_outage_that_could_not_be_told_is_told_at_its_end_alone() -> None:
    hands = Hands()
    hands.outcome = AWAY
    hands.report(0, healthy=False)
    hands.tick(30, 40)
    hands.outcome = Delivered()
    hands.report(95, healthy=True)
    hands.tick(95)
    assert hands.told == ["Tocsin sees again: database (blind for 1m35s)"]


def test_an_end_that_waits_for_its_next_attempt_is_not_overtaken() -> None:
    hands = Hands()
    hands.report(0, healthy=False, detail="first")
    hands.tick(30)
    hands.outcome = AWAY
    hands.report(40, healthy=True)
    hands.tick(40)
    hands.report(40.5, healthy=False, detail="second")
    hands.tick(70.5)
    hands.outcome = Delivered()
    hands.tick(80, 81)
    assert hands.told == [
        "Tocsin is blind: database (first)", "Tocsin sees again: database (blind for 40s)",
        "Tocsin is blind: database (second)",
    ]  # fmt: skip


def test_a_report_during_a_send_neither_waits_for_it_nor_is_lost() -> None:
    hands = Hands()

    def slow(text: str) -> Outcome:
        hands.told.append(text)
        if len(hands.told) == 1:
            hands.report(35, healthy=True)
        return Delivered()

    hands.fallback = Fallback(send=slow, clock=hands)
    hands.report(0, healthy=False)
    hands.tick(30, 36)
    assert hands.told[1:] == ["Tocsin sees again: database (blind for 35s)"]


def test_what_is_told_is_logged_too_without_credentials() -> None:
    hands = Hands()
    with capture_logs() as logs:
        hands.report(0, healthy=False, detail=f"no postgresql://u:{SECRET}@h/n")
        hands.tick(30)
    assert hands.told == ["Tocsin is blind: database (no postgresql://***@h/n)"]
    assert [line["text"] for line in logs] == hands.told


@pytest.mark.parametrize(
    ("text", "kind", "url"),
    [
        pytest.param("log", ChannelKind.LOG, "", id="log"),
        pytest.param("slack:https://h/x:1", ChannelKind.SLACK, "https://h/x:1", id="slack"),
        pytest.param("slack:env:SLACK", ChannelKind.SLACK, "env:SLACK", id="reference"),
        pytest.param("pagerduty:KEY", ChannelKind.PAGERDUTY, "KEY", id="pagerduty"),
        pytest.param("webhook:http://h", ChannelKind.WEBHOOK, "http://h", id="webhook"),
    ],
)
def test_a_fallback_channel_is_a_kind_and_an_address(text: str, kind: ChannelKind, url: str) -> None:
    found = channel(text)
    assert (found.name, found.kind, found.url) == ("fallback", kind, url)


@pytest.mark.parametrize(
    "text", ["", "slack", "slack:", "log:x", "email:smtp://h", f"https://{SECRET}", f"pager:{SECRET}", "Slack:x"]
)
def test_what_is_no_fallback_channel_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ChannelError, match="write kind:address") as caught:
        channel(text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        pytest.param("log", {}, None, id="log-always-works"),
        pytest.param("pagerduty:env:KEY", {"KEY": SECRET}, None, id="set"),
        pytest.param("pagerduty:env:KEY", {}, "env:KEY is unset", id="unset"),
        pytest.param(f"slack:{SECRET}", {}, "must be a URL", id="no-url"),
        pytest.param(
            "slack:env:BOT", {"BOT": f"xoxb-{SECRET}"}, "settings.channel is not set", id="bot-nowhere-to-post"
        ),
        pytest.param("webhook:file:/run/secrets/nonexistent", {}, "is no file", id="no-file"),
    ],
)
def test_a_channel_that_cannot_be_used_says_why(
    text: str, environment: Mapping[str, str], expected: str | None
) -> None:
    found = problem(text, environment)
    assert found is None if expected is None else expected in (found or "")
    assert SECRET not in (found or "")


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        pytest.param("log", {}, LogAddress(name="fallback"), id="log"),
        pytest.param("slack:env:HOOK", {"HOOK": "https://h/x"}, SlackWebhook(url="https://h/x"), id="slack"),
        pytest.param("pagerduty:KEY", {}, PagerDutyKey(key="KEY"), id="pagerduty"),
        pytest.param("webhook:http://h", {}, WebhookUrl(url="http://h"), id="webhook"),
    ],
)
def test_what_is_told_goes_to_the_address(text: str, environment: Mapping[str, str], expected: Address) -> None:
    def take(address: Address, body: bytes, recipient: str, deadline: timedelta) -> Outcome:
        assert b"Tocsin is blind: database (x)" in body
        return Delivered() if (address, recipient, deadline) == (expected, "", timedelta(seconds=5)) else AWAY

    send = sender(text, lambda: environment, take, timedelta(seconds=5), Hands())
    assert send("Tocsin is blind: database (x)") == Delivered()


@pytest.mark.parametrize("text", ["slack:env:HOOK", "webhook:file:/run/secrets/nonexistent"])
def test_a_reference_that_leads_nowhere_yet_is_tried_again(text: str) -> None:
    def never(*_: object) -> Outcome:
        raise AssertionError("there is nowhere to send it to")

    outcome = sender(text, dict, never, timedelta(seconds=5), Hands())("Tocsin is blind: database")
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.UNCONFIGURED, True)


def test_a_real_webhook_hears_of_outage_and_end_as_one_alert() -> None:
    def taken(_: Request) -> Response:
        return Response(status=200)

    with ScriptedServer(taken) as server:
        send = sender(f"webhook:{server.url}", dict, deliver, timedelta(seconds=5), Hands(), node="n1")
        outcomes = [send("Tocsin is blind: delivery (x)"), send("Tocsin sees again: delivery (blind for 1m)")]
    assert [type(outcome) for outcome in outcomes] == [Delivered, Delivered]
    first, last = (request.json for request in server.requests)
    assert (first["status"], last["status"]) == ("firing", "resolved")
    assert first["alerts"][0]["fingerprint"] == last["alerts"][0]["fingerprint"]
    assert first["alerts"][0]["labels"] == {
        "alertname": "TocsinBlind", "component": "delivery", "node": "n1", "severity": "critical"
    }  # fmt: skip


def event(text: str, node: str = "") -> dict[str, object]:
    found: dict[str, object] = json.loads(message(ChannelKind.PAGERDUTY, text, NOON, node=node))
    return found


def test_pagerduty_opens_one_incident_per_component_and_node_and_closes_it() -> None:
    blind, sees = event("Tocsin is blind: database (x)", "a"), event("Tocsin sees again: database (blind for 1m)", "a")
    assert (blind["event_action"], sees["event_action"]) == ("trigger", "resolve")
    assert blind["dedup_key"] == sees["dedup_key"]
    others = [event("Tocsin is blind: delivery", "a"), event("Tocsin is blind: database", "b")]
    assert len({str(each["dedup_key"]) for each in (blind, *others)}) == 3


@pytest.mark.parametrize("kind", [kind for kind in ChannelKind if kind is not ChannelKind.EMAIL])
def test_every_kind_of_message_holds_the_words(kind: ChannelKind) -> None:
    text = "Tocsin is blind: database (connection refused)"
    assert text in message(kind, text, NOON, external_url="https://t.example").decode()


def test_a_text_of_another_form_is_told_as_firing() -> None:
    assert event("anything else")["event_action"] == "trigger"
