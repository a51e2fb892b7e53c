"""The Slack message: colour, fields, links and limits."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from engine.core.facts import Facts
from engine.core.messages_slack import escape, render
from tests.core.telling import DASHBOARD, QUERY, RUNBOOK, alert, facts, many


def message(told: Facts) -> Any:
    return json.loads(render(told))


def attachment(told: Facts) -> Any:
    return message(told)["attachments"][0]


def field_values(told: Facts) -> dict[str, str]:
    return {field["title"]: field["value"] for field in attachment(told)["fields"]}


def test_the_whole_message_for_one_critical_alert() -> None:
    told = facts(alert(annotations={"summary": "Too many errors", "runbook_url": RUNBOOK}))
    assert message(told) == {
        "text": "[FIRING:1] HighErrorRate (critical): Too many errors",
        "attachments": [
            {
                "color": "danger",
                "title": "[FIRING:1] HighErrorRate (critical)",
                "title_link": "https://tocsin.example.org",
                "fallback": "[FIRING:1] HighErrorRate (critical): Too many errors",
                "text": "🔴 *Too many errors*\n"
                "instance=web-1 — value 97.25 (threshold &gt; 80), since 2026-03-01 12:00:00 UTC\n"
                f"<{RUNBOOK}|Runbook> · <{QUERY.replace('&', '&amp;')}|Query>",
                "fields": [
                    {"title": "Current value", "value": "97.25", "short": True},
                    {"title": "Threshold", "value": "&gt; 80", "short": True},
                    {"title": "Severity", "value": "critical", "short": True},
                ],
                "mrkdwn_in": ["text"],
                "footer": "Tocsin · ops · first notification",
                "ts": 1772366460,
            }
        ],
        "reply": {
            "text": "*[FIRING:1] HighErrorRate (critical)* — first notification\n"
            "🔴 Too many errors — instance=web-1 — value 97.25 (threshold &gt; 80), since 2026-03-01 12:00:00 UTC",
            "reply_broadcast": True,
            "unfurl_links": False,
        },
    }


@pytest.mark.parametrize(
    ("told", "colour"),
    [
        pytest.param(facts(alert()), "danger", id="critical-is-red"),
        pytest.param(facts(alert({"severity": "error"})), "danger", id="error-is-red"),
        pytest.param(facts(alert({"severity": ""})), "danger", id="no-severity-is-red"),
        pytest.param(facts(alert({"severity": "warning"})), "warning", id="warning-is-orange"),
        pytest.param(facts(alert({"severity": "info"})), "#3AA3E3", id="info-is-blue"),
        pytest.param(facts(alert({"severity": "warning"}), alert()), "danger", id="the-worst-decides"),
        pytest.param(
            facts(alert({"severity": "warning"}), alert(status="resolved")), "warning", id="the-worst-that-still-fires"
        ),
        pytest.param(facts(alert(status="resolved")), "good", id="resolved-is-green"),
    ],
)
def test_the_colour_tells_how_bad_it_is(told: Facts, colour: str) -> None:
    assert attachment(told)["color"] == colour


def test_group_labels_are_fields_less_those_the_title_tells() -> None:
    one = alert({"cluster": "eu", "team": "web"})
    told = facts(
        one, group_labels={"alertname": "HighErrorRate", "severity": "critical", "cluster": "eu", "team": "web"}
    )
    assert list(field_values(told)) == ["Current value", "Threshold", "Severity", "cluster", "team"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        pytest.param([1.0], "1", id="one"),
        pytest.param([1.0, 2.5], "1, 2.5", id="two"),
        pytest.param([1.0, 2.0, 3.0, 4.0], "1, 2, 3, …", id="more-than-three"),
        pytest.param([math.nan, math.inf], "NaN, +Inf", id="no-numbers"),
        pytest.param([None, 2.0], "2", id="an-unknown-one-is-left-out"),
    ],
)
def test_the_values_of_several_alerts_share_a_field(values: list[float | None], shown: str) -> None:
    told = facts(*(alert({"instance": str(index)}, value=value) for index, value in enumerate(values)))
    assert field_values(told)["Current value"] == shown


def test_resolved_alerts_show_their_last_value_as_the_last() -> None:
    assert field_values(facts(alert(status="resolved")))["Last value"] == "97.25"


def test_fields_without_a_value_are_left_out() -> None:
    assert field_values(facts(alert({"severity": ""}, value=None, threshold=None))) == {}


def test_a_long_field_takes_the_whole_width() -> None:
    told = facts(group_labels={"path": "/" + "a" * 60})
    assert [field["short"] for field in attachment(told)["fields"]] == [True, True, True, False]


def test_there_are_never_more_fields_than_slack_shows_well() -> None:
    told = facts(group_labels={f"label_{index:02}": "x" for index in range(30)})
    assert len(attachment(told)["fields"]) == 10


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        pytest.param("<!channel>", "&lt;!channel&gt;", id="a-mention-of-everyone"),
        pytest.param("<@U1>", "&lt;@U1&gt;", id="a-mention-of-one"),
        pytest.param("<https://evil.example|click>", "&lt;https://evil.example|click&gt;", id="a-link"),
        pytest.param("a & b", "a &amp; b", id="an-ampersand"),
        pytest.param("&lt;", "&amp;lt;", id="an-entity"),
        pytest.param("```x", "ˋˋˋx", id="backticks"),
    ],
)
def test_a_hostile_label_value_stays_text_everywhere(hostile: str, shown: str) -> None:
    assert escape(hostile) == shown
    told = facts(
        alert({"alertname": hostile, "severity": hostile, "zone": hostile}, annotations={"summary": hostile}),
        group_labels={"zone": hostile},
        reason=hostile,
        receiver=hostile,
        notes=(hostile,),
    )
    text = render(told).decode()
    assert hostile not in text.replace("&amp;", "§") or hostile == "a & b"
    assert f"zone={shown}" in attachment(told)["text"]


def test_newlines_in_a_label_make_no_new_line_in_the_message() -> None:
    told = facts(alert({"zone": "a\n\nFAKE: all is well"}))
    assert "zone=a FAKE: all is well" in attachment(told)["text"]


def test_a_description_beyond_the_summary_is_told_too() -> None:
    told = facts(alert(annotations={"summary": "S", "description": "What to make of it"}))
    assert attachment(told)["text"].splitlines()[1] == "What to make of it"


def test_all_three_links_stand_on_one_line() -> None:
    told = facts(alert(annotations={"runbook_url": RUNBOOK, "dashboard_url": DASHBOARD}, generator_url=""))
    assert attachment(told)["text"].splitlines()[-1] == f"<{RUNBOOK}|Runbook> · <{DASHBOARD}|Dashboard>"


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    told = facts(alert(annotations={"runbook_url": "javascript:alert(1)"}, generator_url="x|y>"), external_url="")
    assert "Runbook" not in attachment(told)["text"]
    assert "title_link" not in attachment(told)


def test_ten_alerts_are_told_and_the_rest_counted() -> None:
    text = attachment(facts(*many(12)))["text"]
    assert text.count("🔴") == 10
    assert text.endswith("… and 2 more")


def test_alerts_too_long_to_show_are_counted_as_well() -> None:
    long = "&" * 290
    told = facts(*(alert({"instance": str(index)}, annotations={"summary": long, "description": long + "x"})
                   for index in range(10)))  # fmt: skip
    text = attachment(told)["text"]
    shown = text.count("🔴")
    assert 0 < shown < 10
    assert f"… and {10 - shown} more" in text
    assert len(text) < 8000


def test_firing_and_resolved_alerts_are_marked_apart() -> None:
    text = attachment(facts(alert(), alert({"instance": "web-2"}, status="resolved")))["text"]
    assert [line[0] for line in text.splitlines() if "Too many errors" in line] == ["🔴", "✅"]


def test_the_preview_says_the_first_of_several_headlines_and_how_many_more() -> None:
    told = facts(alert(), alert({"instance": "b"}, annotations={"summary": "Other words"}))
    assert message(told)["text"] == "[FIRING:2] HighErrorRate (critical): Too many errors, and 1 more"


def test_notes_stand_at_the_end() -> None:
    assert attachment(facts(notes=("a template failed",)))["text"].splitlines()[-1] == "_a template failed_"
