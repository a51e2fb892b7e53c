"""What is wrong with all the threshold rows of a rule together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rules.matchers import Matcher, Operator
from rules.problems import Severity
from rules.rule import Condition, Rule
from rules.threshold_problems import check_thresholds
from rules.thresholds import Threshold

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = Rule(id="r", name="Disk", metric_name="disk", condition=Condition.ABOVE, threshold=80, severity="warning")
RANKS = {"warning": 20, "critical": 30}
WEB = Matcher("host", Operator.EQUAL, "web")
DB = Matcher("host", Operator.EQUAL, "db")
ZONE = Matcher("zone", Operator.EQUAL, "a")
ANY = Matcher("host", Operator.REGEX, "web.*")
FIRST = Threshold(id="a", rule_id="r", threshold=90)
SECOND = replace(FIRST, id="b")


def problems(*rows: Threshold, rule: Rule = RULE) -> list[tuple[str, str]]:
    return [(found.field, found.message) for found in check_thresholds(rule, rows, RANKS)]


def matching(row: Threshold, *matchers: Matcher) -> Threshold:
    return replace(row, matchers=matchers)


def test_good_rows_have_no_problems() -> None:
    assert problems(matching(FIRST, WEB), matching(SECOND, DB), replace(FIRST, id="c", severity="critical")) == []


def test_rows_of_an_expression_that_cannot_be_cut_do_not_count() -> None:
    (problem,) = check_thresholds(Rule(id="r", name="R", expr="a > b"), [FIRST, SECOND], RANKS)
    assert (problem.severity, problem.field) == (Severity.ERROR, "thresholds")
    assert problem.message.startswith("the rule has 2 threshold rows, which do not count: expr does not end in")


@pytest.mark.parametrize("expr", [pytest.param("a > b", id="it cannot be cut"), pytest.param("a >", id="no PromQL")])
def test_without_rows_nothing_is_wrong_with_them(expr: str) -> None:
    assert check_thresholds(Rule(id="r", name="R", expr=expr), [], RANKS) == ()


def test_what_is_wrong_with_one_row_names_the_row() -> None:
    (problem,) = check_thresholds(RULE, [replace(FIRST, recovery_threshold=95)], RANKS)
    assert (problem.severity, problem.field) == (Severity.WARNING, "thresholds.a.recovery_threshold")


def test_a_severity_without_a_rank_is_named_with_those_that_have_one() -> None:
    ((field, message),) = problems(replace(FIRST, severity="odd"))
    assert field == "thresholds.a.severity"
    assert "'odd' has no rank" in message
    assert "one of warning, critical" in message


def test_with_a_single_level_a_rank_does_not_matter() -> None:
    assert problems(FIRST, rule=replace(RULE, severity="odd")) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([FIRST, SECOND], ["b"], id="both match everything"),
        pytest.param([matching(FIRST, WEB), matching(SECOND, WEB)], ["b"], id="the same matchers"),
        pytest.param([matching(FIRST, WEB), matching(SECOND, DB)], [], id="no series has both values"),
        pytest.param([matching(FIRST, WEB), matching(SECOND, ZONE)], ["b"], id="a series may have both labels"),
        pytest.param([matching(FIRST, ANY), matching(SECOND, WEB)], ["b"], id="a regex may match anything"),
        pytest.param([matching(FIRST, ANY), matching(SECOND, ANY)], ["b"], id="two regexes may too"),
        pytest.param([matching(FIRST, ANY, DB), matching(SECOND, ANY, WEB)], [], id="unless equality forbids it"),
        pytest.param([matching(FIRST, WEB), SECOND], [], id="more matchers go first"),
        pytest.param([FIRST, replace(SECOND, priority=1)], [], id="and so does a higher priority"),
        pytest.param([FIRST, replace(SECOND, severity="critical")], [], id="another level"),
        pytest.param([FIRST, replace(SECOND, severity="warning")], ["b"], id="the same level spelled out"),
        pytest.param([replace(FIRST, valid_to=NOON), replace(SECOND, valid_from=NOON)], [], id="one after the other"),
        pytest.param([replace(FIRST, valid_from=NOON), replace(SECOND, valid_to=NOON)], [], id="one before the other"),
        pytest.param(
            [replace(FIRST, valid_to=NOON), replace(SECOND, valid_from=NOON - HOUR)], ["b"], id="for an hour both"
        ),
        pytest.param([SECOND, FIRST, replace(FIRST, id="c")], ["b", "c"], id="each with the first"),
    ],
)
def test_rows_of_which_only_the_id_decides_are_told(rows: Sequence[Threshold], expected: list[str]) -> None:
    found = problems(*rows)
    assert [field for field, _ in found] == [f"thresholds.{name}.priority" for name in expected]
    assert all("row 'a' has the same severity, priority and number of matchers" in message for _, message in found)
