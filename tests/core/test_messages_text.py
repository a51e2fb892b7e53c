"""The pieces of text that messages share."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.messages_text import (
    Level,
    capped,
    clean,
    common,
    front_page,
    headline,
    level,
    links,
    measured,
    number,
    one_line,
    own_labels,
    rfc3339,
    spoken,
    subject,
    title,
    told_once,
    web_address,
    worst_severity,
)
from tests.core.telling import DASHBOARD, NOON, QUERY, RUNBOOK, alert, facts, many

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)  # Lone surrogates and controls included.


@pytest.mark.parametrize(
    ("severity", "meant"),
    [
        pytest.param("critical", Level.CRITICAL, id="critical"),
        pytest.param("page", Level.CRITICAL, id="page-means-critical"),
        pytest.param("error", Level.ERROR, id="error"),
        pytest.param("Warning", Level.WARNING, id="case-does-not-matter"),
        pytest.param(" warn ", Level.WARNING, id="blanks-do-not-matter"),
        pytest.param("info", Level.INFO, id="info"),
        pytest.param("none", Level.INFO, id="none-is-the-least"),
        pytest.param("sev-b", Level.ERROR, id="an-unknown-word-is-an-error"),
        pytest.param("", Level.ERROR, id="no-severity-is-an-error"),
    ],
)
def test_a_severity_label_has_one_meaning(severity: str, meant: Level) -> None:
    assert level(severity) is meant


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(None, "", id="unknown"),
        pytest.param(0.0, "0", id="zero"),
        pytest.param(-3.0, "-3", id="a-whole-number-has-no-point"),
        pytest.param(0.0523, "0.0523", id="a-ratio"),
        pytest.param(97.256789, "97.2568", id="six-digits"),
        pytest.param(12345678.0, "12345678", id="large-whole"),
        pytest.param(12345678.5, "12345678.50", id="large-with-a-fraction-has-no-exponent"),
        pytest.param(1e20, "1e+20", id="huge"),
        pytest.param(1.5e-9, "1.5e-09", id="tiny"),
        pytest.param(math.nan, "NaN", id="nan"),
        pytest.param(math.inf, "+Inf", id="infinity"),
        pytest.param(-math.inf, "-Inf", id="minus-infinity"),
    ],
)
def test_a_value_reads_as_people_write_it(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("at", "written"),
    [
        pytest.param(NOON, "2026-03-01T12:00:00Z", id="whole-seconds"),
        pytest.param(NOON + timedelta(microseconds=120_000), "2026-03-01T12:00:00.12Z", id="no-trailing-zeros"),
        pytest.param(NOON.astimezone(timezone(timedelta(hours=2))), "2026-03-01T12:00:00Z", id="always-utc"),
        pytest.param(datetime(33, 1, 1, tzinfo=UTC), "0033-01-01T00:00:00Z", id="four-digits-of-year"),
        pytest.param(NOON.replace(second=50), "2026-03-01T12:00:50Z", id="a-zero-in-the-seconds-stays"),
    ],
)
def test_an_instant_is_written_as_go_writes_it(at: datetime, written: str) -> None:
    assert rfc3339(at) == written


def test_an_instant_is_spoken_in_utc_and_says_so() -> None:
    assert spoken(NOON.astimezone(timezone(timedelta(hours=-5)))) == "2026-03-01 12:00:00 UTC"


@given(ANY_TEXT)
def test_cleaned_text_can_always_be_encoded_and_holds_no_controls(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned
    assert not any(character < " " and character not in "\n\t" for character in cleaned)


@given(ANY_TEXT, st.integers(2, 50))
def test_a_line_is_one_line_within_its_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


def test_text_within_the_limit_is_not_touched() -> None:
    assert capped("exactly ten", 11) == "exactly ten"


def test_text_over_the_limit_ends_in_an_ellipsis() -> None:
    assert capped("one two three", 8) == "one two…"


@pytest.mark.parametrize(
    ("maps", "shared"),
    [
        pytest.param([], {}, id="of-nothing-nothing"),
        pytest.param([{"a": "1", "b": "2"}], {"a": "1", "b": "2"}, id="of-one-all"),
        pytest.param([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}], {"a": "1"}, id="equal-pairs-only"),
        pytest.param([{"a": "1"}, {"b": "1"}], {}, id="none"),
    ],
)
def test_common_pairs_are_those_every_map_has(maps: list[dict[str, str]], shared: dict[str, str]) -> None:
    assert common(maps) == shared


def test_the_worst_severity_is_that_of_the_worst_firing_alert() -> None:
    told = facts(alert({"severity": "info"}), alert({"severity": "warning"}), alert(status="resolved"))
    assert worst_severity(told) == "warning"


def test_when_all_is_over_the_worst_severity_is_the_worst_there_was() -> None:
    told = facts(alert({"severity": "warning"}, status="resolved"), alert(status="resolved"))
    assert worst_severity(told) == "critical"


def test_a_severity_nobody_set_is_not_made_up() -> None:
    assert worst_severity(facts(alert({"severity": ""}))) == ""


@pytest.mark.parametrize(
    ("severities", "worst"),
    [
        pytest.param(["warning", "bogus"], "bogus", id="unknown-over-warning"),
        pytest.param(["bogus", "critical"], "critical", id="critical-over-unknown"),
    ],
)
def test_an_unknown_severity_stands_between_warning_and_critical(severities: list[str], worst: str) -> None:
    assert worst_severity(facts(*(alert({"severity": severity}) for severity in severities))) == worst


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(facts(*many(2)), "[FIRING:2] HighErrorRate (critical)", id="firing"),
        pytest.param(facts(*many(2, "resolved")), "[RESOLVED] HighErrorRate (critical)", id="resolved"),
        pytest.param(
            facts(alert(), alert({"instance": "b"}, status="resolved")),
            "[FIRING:1] HighErrorRate (critical)",
            id="only-the-firing-are-counted",
        ),
        pytest.param(facts(alert({"severity": ""})), "[FIRING:1] HighErrorRate", id="without-severity"),
        pytest.param(
            facts(alert(), alert({"alertname": "SlowAnswers"}), group_labels={"team": "web"}),
            "[FIRING:2] web (critical)",
            id="a-group-of-several-names-is-called-by-its-labels",
        ),
        pytest.param(
            facts(alert(), alert({"alertname": "SlowAnswers"}), group_labels={}),
            "[FIRING:2] 2 alerts (critical)",
            id="a-group-by-nothing-is-counted",
        ),
        pytest.param(
            facts(alert({"alertname": "two\nlines"}), group_labels={}), "[FIRING:1] two lines (critical)", id="one-line"
        ),
    ],
)
def test_the_title_tells_status_name_and_severity(told: object, expected: str) -> None:
    assert isinstance(told, type(facts()))
    assert title(told) == expected


def test_the_subject_is_alertmanagers_default() -> None:
    told = facts(*many(2), group_labels={"alertname": "HighErrorRate"})
    assert subject(told) == "[FIRING:2] HighErrorRate (critical)"


def test_the_subject_puts_the_alert_name_before_the_other_group_values() -> None:
    one = alert({"zone": "z1", "cluster": "eu"})
    told = facts(one, group_labels={"cluster": "eu", "alertname": "HighErrorRate"})
    assert subject(told) == "[FIRING:1] HighErrorRate eu (web-1 critical z1)"


def test_a_subject_with_nothing_beyond_the_group_has_no_brackets() -> None:
    one = alert({"severity": "", "instance": ""})
    assert subject(facts(one, group_labels=one.labels)) == "[FIRING:1] HighErrorRate"


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        pytest.param({"summary": "S", "description": "D"}, "S", id="summary-first"),
        pytest.param({"summary": " ", "description": "D"}, "D", id="then-description"),
        pytest.param({"message": "M"}, "M", id="then-message"),
        pytest.param({}, "HighErrorRate", id="then-the-name"),
    ],
)
def test_an_alert_says_of_itself_the_best_it_has(annotations: dict[str, str], said: str) -> None:
    assert headline(alert(annotations=annotations)) == said


def test_alerts_of_one_message_name_only_the_labels_they_differ_in() -> None:
    told = facts(*many(2))
    assert [own_labels(one, told_once(told)) for one in told.alerts] == ["instance=web-1", "instance=web-2"]


def test_a_lone_alert_names_every_label_the_title_does_not() -> None:
    told = facts(alert({"zone": "z1"}))
    assert own_labels(told.alerts[0], told_once(told)) == "instance=web-1, zone=z1"


@pytest.mark.parametrize(
    ("value", "threshold", "seen"),
    [
        pytest.param(97.25, "> 80", "value 97.25 (threshold > 80), since 2026-03-01 12:00:00 UTC", id="both"),
        pytest.param(97.25, None, "value 97.25, since 2026-03-01 12:00:00 UTC", id="value"),
        pytest.param(None, None, "since 2026-03-01 12:00:00 UTC", id="neither"),
    ],
)
def test_what_was_measured_is_told_with_what_is_known(value: float | None, threshold: str | None, seen: str) -> None:
    assert measured(alert(value=value, threshold=threshold)) == seen


def test_a_resolved_alert_tells_when_it_ended() -> None:
    assert measured(alert(status="resolved")).endswith("resolved 2026-03-01 12:05:00 UTC")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param(" https://example.org/a?b=c&d=e#f ", "https://example.org/a?b=c&d=e#f", id="kept"),
        pytest.param("https://example.org/a b", "https://example.org/a%20b", id="a-blank"),
        pytest.param("https://example.org/a%20b", "https://example.org/a%20b", id="not-encoded-twice"),
        pytest.param('https://example.org/"><x>|`', "https://example.org/%22%3E%3Cx%3E%7C%60", id="what-ends-a-link"),
        pytest.param("javascript:alert(1)", None, id="another-scheme"),
        pytest.param("/relative", None, id="no-scheme"),
        pytest.param("https://", None, id="no-host"),
        pytest.param("https://[::1", None, id="a-broken-host"),
        pytest.param("https://example.org/" + "a" * 2000, None, id="too-long"),
        pytest.param("", None, id="empty"),
    ],
)
def test_only_a_web_address_becomes_a_link(text: str, address: str | None) -> None:
    assert web_address(text) == address


def test_links_lead_to_runbook_dashboard_and_query() -> None:
    one = alert(annotations={"dashboard_url": DASHBOARD, "runbook_url": RUNBOOK})
    assert links(one) == {"Runbook": RUNBOOK, "Dashboard": DASHBOARD, "Query": QUERY}


@pytest.mark.parametrize(
    ("status", "parts"), [pytest.param("firing", ["Silence", "Explain"]), pytest.param("resolved", ["Explain"])]
)
def test_an_alert_of_the_engine_leads_to_its_own_page(status: Literal["firing", "resolved"], parts: list[str]) -> None:
    one = alert(status=status, generator_url="", number=7)
    page = f"https://tocsin.example.org/alerts/{one.fingerprint}"
    assert links(one, "https://tocsin.example.org") == {words: f"{page}#{words.lower()}" for words in parts}
    assert front_page(facts(one)) == f"{page}#explain"


def test_without_an_address_of_our_own_there_is_no_page_to_lead_to() -> None:
    assert links(alert(generator_url="", number=7), "") == {}


@pytest.mark.parametrize(
    ("external_url", "generator_url", "leads_to"),
    [
        pytest.param("https://tocsin.example.org", QUERY, "https://tocsin.example.org", id="our-own-page"),
        pytest.param("", QUERY, QUERY, id="else-the-query"),
        pytest.param("", "", None, id="else-nowhere"),
    ],
)
def test_the_title_leads_somewhere(external_url: str, generator_url: str, leads_to: str | None) -> None:
    assert front_page(facts(alert(generator_url=generator_url), external_url=external_url)) == leads_to


@given(st.text(max_size=300))
def test_no_label_can_break_the_title_or_the_subject(text: str) -> None:
    told = facts(alert({"alertname": text, "severity": text, "zone": text}), group_labels={"zone": text})
    for line in (title(told), subject(told)):
        assert len(line.splitlines()) == 1
        assert json.loads(json.dumps(line, ensure_ascii=False).encode()) == line
