"""What every kind of message has in common: it renders, it stays within its service, it keeps hostile text as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.facts import Facts
from engine.core.messages import plain, render
from rules.channels import ChannelKind
from tests.core.telling import alert, facts, many

JSON_KINDS = [kind for kind in ChannelKind if kind is not ChannelKind.LOG]
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


def strict(body: bytes) -> Any:
    """The JSON, read as strictly as any service does: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(body.decode(), parse_constant=refuse)


@pytest.mark.parametrize("kind", JSON_KINDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_never_breaks_the_json(kind: ChannelKind, value: float) -> None:
    assert strict(render(kind, facts(alert(value=value)), {}))


@pytest.mark.parametrize("kind", list(ChannelKind))
@given(
    text=ANY_TEXT,
    labels=st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=3),
    value=st.none() | st.floats(),
    generator_url=ANY_TEXT,
)
def test_any_text_anywhere_makes_a_message(
    kind: ChannelKind, text: str, labels: dict[str, str], value: float | None, generator_url: str
) -> None:
    one = alert(
        labels, annotations={**labels, "summary": text}, value=value, threshold=text, generator_url=generator_url
    )
    told = facts(
        one, group_labels=labels, dedup_key=text, group_key=text, reason=text, receiver=text, external_url=text,
        notes=(text,),
    )  # fmt: skip
    for body in (render(kind, told, {}), plain(kind, told, text)):
        assert body.decode() if kind is ChannelKind.LOG else strict(body)


@pytest.mark.parametrize("kind", list(ChannelKind))
def test_a_group_without_alerts_still_makes_a_message(kind: ChannelKind) -> None:
    empty = Facts(
        group_key="g",
        dedup_key="k",
        receiver="ops",
        reason="all alerts resolved",
        flush_at=facts().flush_at,
        group_labels=facts().group_labels,
        alerts=(),
    )
    assert b"esolve" in render(kind, empty, {}) or b"RESOLVED" in render(kind, empty, {})


@pytest.mark.parametrize("kind", list(ChannelKind))
def test_the_same_facts_always_make_the_same_bytes(kind: ChannelKind) -> None:
    assert render(kind, facts(*many(3)), {}) == render(kind, facts(*many(3)), {})


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        pytest.param(ChannelKind.SLACK, 40_000, id="slack"),
        pytest.param(ChannelKind.PAGERDUTY, 512_000, id="pagerduty"),
        pytest.param(ChannelKind.EMAIL, 100_000, id="email"),
        pytest.param(ChannelKind.APPRISE, 30_000, id="apprise"),
        pytest.param(ChannelKind.LOG, 16_000, id="log"),
    ],
)
def test_a_hundred_kilobytes_in_every_text_stay_within_the_services_limit(kind: ChannelKind, limit: int) -> None:
    long = "&<x> " * 20_000
    alerts = tuple(
        alert({"instance": f"{index}{long}"}, annotations={"summary": long, "description": long, "runbook_url": long})
        for index in range(20)
    )
    body = render(kind, facts(*alerts, group_labels={"alertname": long}, notes=(long,) * 9, reason=long), {})
    assert len(body) < limit


PLAIN_TEXTS: Mapping[ChannelKind, Any] = {
    ChannelKind.SLACK: lambda body: body["attachments"][0]["text"],
    ChannelKind.PAGERDUTY: lambda body: body["payload"]["custom_details"]["note"],
    ChannelKind.EMAIL: lambda body: body["text"],
    ChannelKind.WEBHOOK: lambda body: body["commonAnnotations"]["note"],
    ChannelKind.APPRISE: lambda body: body["body"],
}


@pytest.mark.parametrize("kind", JSON_KINDS)
def test_the_plain_message_says_what_kept_the_full_one(kind: ChannelKind) -> None:
    body = strict(plain(kind, facts(), "template 'ops.title': line 3: no such field"))
    assert "line 3: no such field" in PLAIN_TEXTS[kind](body)


def test_the_plain_line_names_the_group_and_the_problem() -> None:
    line = plain(ChannelKind.LOG, facts(), "no such field").decode()
    assert line.startswith('[FIRING:1] {alertname="HighErrorRate"} | ')
    assert line.endswith("no such field")


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_a_plain_event_opens_and_closes_the_same_incident_as_a_full_one(status: Any) -> None:
    told = facts(alert(status=status))
    full = strict(render(ChannelKind.PAGERDUTY, told, {}))
    bare = strict(plain(ChannelKind.PAGERDUTY, told, "boom"))
    assert (bare["event_action"], bare["dedup_key"]) == (full["event_action"], full["dedup_key"])


def test_a_plain_mail_stays_in_the_thread() -> None:
    full = strict(render(ChannelKind.EMAIL, facts(), {}))
    assert strict(plain(ChannelKind.EMAIL, facts(), "boom"))["headers"] == full["headers"]


@pytest.mark.parametrize(("status", "colour"), [("firing", "danger"), ("resolved", "good")])
def test_a_plain_slack_message_keeps_its_colour(status: Any, colour: str) -> None:
    body = strict(plain(ChannelKind.SLACK, facts(alert(status=status)), "boom"))
    assert body["attachments"][0]["color"] == colour


def test_a_plain_webhook_message_has_the_keys_of_a_full_one() -> None:
    full = strict(render(ChannelKind.WEBHOOK, facts(), {}))
    assert list(strict(plain(ChannelKind.WEBHOOK, facts(), "boom"))) == list(full)


def test_the_log_line_tells_the_whole_story() -> None:
    assert render(ChannelKind.LOG, facts(), {}).decode() == (
        "[FIRING:1] HighErrorRate (critical) | Too many errors, instance=web-1, "
        "value 97.25 (threshold > 80), since 2026-03-01 12:00:00 UTC | reason: first notification"
    )


def test_the_log_line_counts_what_it_does_not_show() -> None:
    line = render(ChannelKind.LOG, facts(*many(13)), {}).decode()
    assert "web-10" in line
    assert "web-11" not in line
    assert "… and 3 more" in line


def test_any_service_of_apprise_is_told_title_text_and_how_loud() -> None:
    assert strict(render(ChannelKind.APPRISE, facts(), {})) == {
        "title": "[FIRING:1] HighErrorRate (critical)",
        "body": "Too many errors | instance=web-1 | value 97.25 (threshold > 80), since 2026-03-01 12:00:00 UTC",
        "short": "[FIRING:1] HighErrorRate (critical): Too many errors",
        "type": "failure",
    }
    assert strict(render(ChannelKind.APPRISE, facts(alert(status="resolved")), {}))["type"] == "success"
