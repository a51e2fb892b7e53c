"""Inhibition: which alert keeps which other quiet, as Alertmanager's rules say."""

from __future__ import annotations

import pytest

from rules.errors import InhibitError
from rules.inhibition import InhibitRule, check, equal_values, inhibits
from rules.matchers import parse_matchers

CRITICAL = {"alertname": "Down", "severity": "critical", "cluster": "a"}
WARNING = {"alertname": "Slow", "severity": "warning", "cluster": "a"}


def rule(source: str = "severity=critical", target: str = "severity=warning", *equal: str) -> InhibitRule:
    return InhibitRule(
        id="r", source_matchers=parse_matchers(source), target_matchers=parse_matchers(target), equal=equal
    )


@pytest.mark.parametrize(
    ("by", "source", "target", "quiet"),
    [
        pytest.param(rule(), CRITICAL, WARNING, True, id="source and target match"),
        pytest.param(rule(), WARNING, CRITICAL, False, id="not the other way round"),
        pytest.param(rule(), CRITICAL, {"severity": "info"}, False, id="no target"),
        pytest.param(rule(), {"severity": "info"}, WARNING, False, id="no source"),
        pytest.param(rule("severity=critical", 'severity!="x"', "cluster"), CRITICAL, WARNING, True, id="equal values"),
        pytest.param(
            rule("severity=critical", "severity=warning", "cluster"),
            CRITICAL,
            {**WARNING, "cluster": "b"},
            False,
            id="different values",
        ),
        pytest.param(
            rule("severity=critical", "severity=warning", "cluster"),
            {"severity": "critical"},
            WARNING,
            False,
            id="one lacks the label",
        ),
        pytest.param(
            rule("severity=critical", "severity=warning", "rack"), CRITICAL, WARNING, True, id="both lack the label"
        ),
        pytest.param(
            rule("severity=critical", "severity=warning", "rack"),
            CRITICAL,
            {**WARNING, "rack": ""},
            True,
            id="an empty label is an absent one",
        ),
        pytest.param(
            rule("severity=critical", "severity=warning", "cluster", "alertname"),
            CRITICAL,
            WARNING,
            False,
            id="all of equal, not one",
        ),
        pytest.param(rule("cluster=a", "cluster=a"), CRITICAL, CRITICAL, False, id="not itself"),
        pytest.param(rule("cluster=a", "cluster=a"), CRITICAL, WARNING, False, id="nor another two-sided one"),
        pytest.param(
            rule("cluster=a", "severity=warning"), WARNING, {**WARNING, "alertname": "Late"}, False, id="two-sided both"
        ),
        pytest.param(
            rule("cluster=a", "severity=warning"), CRITICAL, WARNING, True, id="a one-sided source, a two-sided target"
        ),
        pytest.param(
            rule("severity=~critical|warning", "cluster=~.+"),
            {"severity": "critical"},
            WARNING,
            True,
            id="a source that is no target inhibits a two-sided target",
        ),
        pytest.param(
            rule("severity=critical", "cluster=a"),
            CRITICAL,
            WARNING,
            True,
            id="a two-sided source inhibits a one-sided target",
        ),
    ],
)
def test_a_rule_inhibits_as_alertmanager_does(
    by: InhibitRule, source: dict[str, str], target: dict[str, str], quiet: bool
) -> None:
    assert inhibits(by, source, target) is quiet


def test_what_source_and_target_have_in_common_is_the_values_of_equal() -> None:
    assert equal_values(rule("a=b", "c=d", "cluster", "rack"), CRITICAL) == ("a", "")


def test_a_rule_with_two_sides_is_good() -> None:
    check(rule("a=b", "c=d", "cluster", "namespace"))


@pytest.mark.parametrize(
    ("bad", "field", "said"),
    [
        pytest.param(rule("", "a=b"), "source_matchers", "name some, such as severity=critical", id="no source side"),
        pytest.param(rule("a=b", "{}"), "target_matchers", "so it takes every alert", id="no target side"),
        pytest.param(
            rule("a=b", "c=d", "cluster", ""), "equal", "'', a label no alert has", id="a label without a name"
        ),
        pytest.param(rule("a=b", "c=d", "__name__"), "equal", "name one such as cluster", id="the metric's name"),
        pytest.param(rule("a=b", "c=d", "x", "y", "x"), "equal", "'x' twice", id="a label twice"),
    ],
)
def test_a_rule_that_would_take_everything_or_nothing_is_refused(bad: InhibitRule, field: str, said: str) -> None:
    with pytest.raises(InhibitError) as refused:
        check(bad)
    assert refused.value.field == field
    assert said in refused.value.message
