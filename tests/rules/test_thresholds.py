"""Threshold rows: which one governs, what is compared with what, and how loosely Prometheus has to be asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.labels import Labels
from rules.matchers import Matcher, Operator
from rules.promql import Comparison
from rules.rule import Condition, Rule
from rules.thresholds import (
    Governance,
    Level,
    Sieve,
    Threshold,
    Why,
    breaches,
    governing,
    levels,
    loosest,
    own_severity,
    rank,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = Rule(id="r", name="Disk", metric_name="disk_used", condition=Condition.ABOVE, threshold=80, severity="warning")
CUT = Comparison(lhs="disk_used", condition=Condition.ABOVE, threshold=80)
RANKS = {"info": 10, "warning": 20, "critical": 30}
WEB = {"__name__": "disk_used", "host": "web", "zone": "a"}


def host(value: str) -> Matcher:
    return Matcher("host", Operator.EQUAL, value)


def zone(value: str) -> Matcher:
    return Matcher("zone", Operator.EQUAL, value)


def row(
    id_: str,
    *matchers: Matcher,
    threshold: float = 90,
    priority: int = 0,
    severity: str = "",
    since: int | None = None,
    until: int | None = None,
) -> Threshold:
    """A row of RULE that is valid from so many hours after NOON until so many hours after it."""
    return Threshold(
        id=id_,
        rule_id="r",
        threshold=threshold,
        matchers=matchers,
        priority=priority,
        severity=severity,
        valid_from=None if since is None else NOON + since * HOUR,
        valid_to=None if until is None else NOON + until * HOUR,
    )


def level(*rows: Threshold, severity: str = "warning") -> Level:
    """The level of this severity at NOON."""
    return next(one for one in levels(RULE, CUT, rows, NOON, RANKS) if one.severity == severity)


@pytest.mark.parametrize(
    ("rows", "governs", "why", "tied"),
    [
        pytest.param([], None, Why.OWN, (), id="without rows, the rule's own threshold"),
        pytest.param([row("a", host("db"))], None, Why.OWN, (), id="a row for another series leaves it so"),
        pytest.param([row("a", host("web"))], "a", Why.ONLY_ROW, (), id="the one row that matches"),
        pytest.param([row("a")], "a", Why.ONLY_ROW, (), id="a row without matchers matches every series"),
        pytest.param([row("a"), row("b", priority=1)], "b", Why.PRIORITY, (), id="the higher priority"),
        pytest.param(
            [row("a", host("web"), zone("a")), row("b", priority=1)], "b", Why.PRIORITY, (), id="before more matchers"
        ),
        pytest.param([row("a"), row("b", host("web"))], "b", Why.MATCHERS, (), id="more matchers"),
        pytest.param(
            [row("c", zone("a")), row("b", host("web")), row("a")],
            "b",
            Why.LOWEST_ID,
            ("c",),
            id="a tie: the lowest id",
        ),
        pytest.param(
            [row("a", severity="critical")], None, Why.OWN, (), id="a row of another level is none of this one"
        ),
        pytest.param(
            [row("a", severity="warning")], "a", Why.ONLY_ROW, (), id="the rule's severity may be spelled out"
        ),
        pytest.param([row("a", since=1)], None, Why.OWN, (), id="a row that is not valid yet"),
        pytest.param([row("a", since=0, until=1)], "a", Why.ONLY_ROW, (), id="valid from its first moment"),
        pytest.param([row("a", since=-1, until=0)], None, Why.OWN, (), id="and no more at its last"),
    ],
)
def test_the_governing_row_is_the_first_by_priority_then_matchers_then_id(
    rows: list[Threshold], governs: str | None, why: Why, tied: tuple[str, ...]
) -> None:
    found = governing(level(*rows), WEB)
    assert (None if found.row is None else found.row.id, found.why, found.tied) == (governs, why, tied)
    assert found.threshold == (80 if governs is None else 90)


def test_the_rules_own_threshold_is_for_its_own_severity_only() -> None:
    critical = level(row("a", host("db"), severity="critical"), severity="critical")
    assert governing(critical, WEB) == Governance(why=Why.NOTHING)
    assert governing(critical, WEB).recovery is None


def test_the_recovery_of_a_row_is_its_threshold_where_it_says_no_other() -> None:
    assert governing(level(row("a")), WEB).recovery == 90
    assert governing(level(replace(row("a"), recovery_threshold=70)), WEB).recovery == 70
    assert governing(level(), WEB).recovery == 80


def test_levels_stand_in_the_order_of_their_ranks_those_without_one_lowest() -> None:
    rows = [row(severity, severity=severity) for severity in ("critical", "odd", "info", "even", "")]
    found = levels(RULE, CUT, rows, NOON, RANKS)
    assert [one.severity for one in found] == ["even", "odd", "info", "warning", "critical"]
    assert [one.own for one in found] == [None, None, None, 80, None]
    assert [[each.id for each in one.rows] for one in found] == [["even"], ["odd"], ["info"], [""], ["critical"]]
    assert rank("odd", RANKS) == rank("even", RANKS) < rank("info", {"info": -5})


def test_a_level_whose_rows_are_not_valid_now_is_a_level_all_the_same() -> None:
    (_, critical) = levels(RULE, CUT, [row("a", severity="critical", since=1)], NOON, RANKS)
    assert (critical.severity, critical.rows) == ("critical", ())


@pytest.mark.parametrize(
    ("severity", "labels", "expected"),
    [
        pytest.param("page", {"severity": "info"}, "page", id="the column"),
        pytest.param("", {"severity": "info"}, "info", id="else the label"),
        pytest.param("", {"severity": "{{ $labels.level }}"}, "", id="unless it is a template"),
        pytest.param("", {}, "", id="else none"),
    ],
)
def test_a_rules_own_level_is_its_severity(severity: str, labels: Mapping[str, str], expected: str) -> None:
    assert own_severity(replace(RULE, severity=severity, labels=Labels(labels))) == expected


def governed(threshold: float, recovery: float | None = None) -> Governance:
    found = replace(row("a", threshold=threshold), recovery_threshold=recovery)
    return Governance(why=Why.ONLY_ROW, row=found, threshold=threshold)


@pytest.mark.parametrize(
    ("value", "condition", "threshold", "expected"),
    [
        (81, ">", 80, True),
        (80, ">", 80, False),
        (80, ">=", 80, True),
        (79, "<", 80, True),
        (80, "<", 80, False),
        (80, "<=", 80, True),
        (80, "==", 80, True),
        (81, "!=", 80, True),
        (0.0, "==", -0.0, True),
        (math.inf, ">", 1e308, True),
        (-math.inf, "<", -math.inf, False),
        *((math.nan, condition, 80, condition == "!=") for condition in Condition),
    ],
)
def test_numbers_compare_as_in_promql(value: float, condition: str, threshold: float, expected: bool) -> None:
    for firing in (False, True):
        assert breaches(value, Condition(condition), governed(threshold), firing=firing) is expected


@pytest.mark.parametrize(
    ("condition", "recovery", "value", "held"),
    [
        (">", 70, 75, True),
        (">", 70, 70, False),
        (">=", 70, 70, True),
        (">=", 70, 69, False),
        ("<", 90, 85, True),
        ("<", 90, 90, False),
        ("<=", 90, 90, True),
        ("==", 70, 70, False),
        ("!=", 70, 80, False),
        (">", 70, math.nan, False),
    ],
)
def test_what_fires_is_held_until_it_is_back_past_the_recovery(
    condition: str, recovery: float, value: float, held: bool
) -> None:
    at = governed(80, recovery)
    assert breaches(value, Condition(condition), at, firing=True) is held
    assert breaches(value, Condition(condition), at, firing=False) is False


def test_where_nothing_governs_nothing_is_breached() -> None:
    assert breaches(1e9, Condition.ABOVE, Governance(why=Why.NOTHING), firing=True) is False


@pytest.mark.parametrize(
    ("condition", "expected"),
    [(">", 60), (">=", 60), ("<", 95), ("<=", 95), ("==", None), ("!=", None)],
)
def test_prometheus_is_asked_at_the_loosest_number_of_the_slot(condition: str, expected: float | None) -> None:
    rows = [
        replace(row("a", threshold=90), recovery_threshold=60),
        row("over", threshold=1, until=0),
        row("far", threshold=200, since=1),
        row("soon", threshold=95, since=0),
        row("later today", threshold=200, since=2),
    ]
    cut = replace(CUT, condition=Condition(condition))
    assert loosest(cut, rows, since=NOON, until=NOON + HOUR) == expected


def test_a_row_that_becomes_valid_before_the_next_slot_counts_already() -> None:
    rows = [row("soon", threshold=5, since=1)]
    assert loosest(CUT, rows, since=NOON, until=NOON + HOUR) == 80
    assert loosest(CUT, rows, since=NOON, until=NOON + HOUR + timedelta(seconds=1)) == 5


# --- against a plain reference, written from the words of the documentation ---


NOT_DB = Matcher("host", Operator.NOT_EQUAL, "db")
NO_RACK = Matcher("rack", Operator.EQUAL, "")


def holds(matcher: Matcher, value: str) -> bool:
    return value != matcher.value if matcher is NOT_DB else value == matcher.value


def reference(rows: Sequence[Threshold], labels: Mapping[str, str], severity: str, now: datetime) -> list[str]:
    """The ids of the rows that match, the governing one first."""
    left = [one for one in rows if (one.severity or "warning") == severity]
    left = [one for one in left if one.valid_from is None or not now < one.valid_from]
    left = [one for one in left if one.valid_to is None or now < one.valid_to]
    left = [one for one in left if all(holds(each, labels.get(each.name, "")) for each in one.matchers)]
    order = []
    while left:
        highest = max(one.priority for one in left)
        most = max(len(one.matchers) for one in left if one.priority == highest)
        first = min(one.id for one in left if one.priority == highest and len(one.matchers) == most)
        order.append(first)
        left = [one for one in left if one.id != first]
    return order


HOURS = st.none() | st.integers(-2, 2)
MATCHERS = [host("web"), host("db"), zone("a"), NOT_DB, NO_RACK]
ROWS = st.lists(
    st.builds(
        lambda id_, matchers, **rest: row(id_, *matchers, **rest),
        st.text("abc", min_size=1, max_size=2),
        st.lists(st.sampled_from(MATCHERS), max_size=2),
        priority=st.integers(-1, 1),
        severity=st.sampled_from(["", "warning", "critical"]),
        since=HOURS,
        until=HOURS,
    )
    | st.builds(row, st.text("def", min_size=1, max_size=2), priority=st.integers(-1, 1), since=HOURS, until=HOURS),
    max_size=6,
    unique_by=lambda one: one.id,
)


@given(
    rows=ROWS,
    at=st.sampled_from(["web", "db", "other"]),
    severity=st.sampled_from(["warning", "critical"]),
)
@settings(max_examples=150)
def test_governing_agrees_with_the_plain_reference(rows: list[Threshold], at: str, severity: str) -> None:
    labels = {"host": at, "zone": "a"}
    order = reference(rows, labels, severity, NOON)
    found = {one.severity: one for one in levels(RULE, CUT, rows, NOON, RANKS)}.get(severity)
    if found is None:
        assert order == []
        return
    governance = governing(found, labels)
    assert Sieve(found).governing(labels) == governance
    assert ([] if governance.row is None else [governance.row.id]) == order[:1]
    by_id = {one.id: one for one in rows}
    same = [one for one in order[1:] if by_id[one].precedence == by_id[order[0]].precedence]
    assert sorted(governance.tied) == sorted(same)


@given(rows=ROWS, value=st.floats(allow_nan=True) | st.integers(60, 100), condition=st.sampled_from(list(Condition)))
@settings(max_examples=150)
def test_what_may_be_active_in_the_slot_is_never_left_out_of_the_question(
    rows: list[Threshold], value: float, condition: Condition
) -> None:
    cut = replace(CUT, condition=condition)
    rows = [replace(one, threshold=85 + index, recovery_threshold=75 - index) for index, one in enumerate(rows)]
    asked = loosest(cut, rows, since=NOON, until=NOON + HOUR)
    let_through = asked is None or breaches(value, condition, governed(asked), firing=False)
    for moment in (NOON, NOON + HOUR / 2):
        for one in levels(RULE, cut, rows, moment, RANKS):
            active = breaches(value, condition, governing(one, WEB), firing=True)
            assert let_through or not active
