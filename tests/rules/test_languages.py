"""Rules in LogQL and LogsQL: what is refused, what is asked, what is compared where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules import languages, lints, promql, query
from rules.datasource import DatasourceKind
from rules.errors import PromqlError
from rules.problems import check_rule
from rules.rule import Condition, Language, NoData, Rule
from rules.thresholds import Threshold

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ERRORS = 'sum by (app) (rate({app=~".+"} |= "error" != `"}` | json | level="(" [5m]))'
COUNTED = "_time:5m error | stats by (app) count() errors"


def rule(expr: str, language: Language, **more: Any) -> Rule:
    return replace(Rule(id="r", name="R", expr=expr, language=language), **more)


@pytest.mark.parametrize(
    ("language", "expr"),
    [
        (Language.LOGQL, f"{ERRORS} > 10"),
        (Language.LOGQL, "vector(1)"),
        (Language.LOGQL, '# why (not\nsum(count_over_time({a="b"}[1m])) > 0 # {'),
        (Language.LOGQL, 'sum(count_over_time({a="\\"("} [1m])) > 0'),
        (Language.LOGSQL, f"{COUNTED} | filter errors:>10"),
        (Language.LOGSQL, 'error range:(1, 10] | count() as n | filter n:>[5, 7)"('),
        (Language.LOGSQL, "* | by (app) count() n"),
    ],
)
def test_a_query_of_logs_is_taken_as_it_is(language: Language, expr: str) -> None:
    declared = rule(expr, language)
    assert check_rule(declared) == ()
    assert query.query_text(declared) == expr
    assert query.comparison(declared) is None
    assert query.question(declared, (), since=NOW, until=LATER).text == expr
    assert lints.check(declared, frozenset(lints.Lint)) == ()


@pytest.mark.parametrize(
    ("language", "expr", "message", "position"),
    [
        (Language.LOGQL, " \n", "expr is empty; write a LogQL query", None),
        (Language.LOGQL, 'sum(rate({app="a"} |= "x" [5m])', r"'\(' has no partner", 3),
        (Language.LOGQL, 'sum(rate({app="a"}] [5m]))', r"'\]' has no partner", 18),
        (Language.LOGQL, "sum(1))", r"'\)' has no partner", 6),
        (Language.LOGQL, 'sum(rate({app="a}[5m]))', "'\"' has no partner", 14),
        (Language.LOGQL, "sum(rate({app=`a}[5m]))", "'`' has no partner", 14),
        (Language.LOGQL, ' {app="a"} |= "x"', r"returns log lines, and a rule needs numbers: count them", None),
        (
            Language.LOGSQL,
            "_time:5m error",
            "returns log lines, and a rule needs numbers: end it in a stats pipe",
            None,
        ),
        (Language.LOGSQL, '"| stats count()"', "returns log lines", None),
    ],
)
def test_what_can_never_be_an_alert_is_refused(
    language: Language, expr: str, message: str, position: int | None
) -> None:
    with pytest.raises(PromqlError, match=message) as caught:
        languages.check(expr, language)
    assert caught.value.position == position
    assert [(one.field, one.position) for one in check_rule(rule(expr, language))] == [("expr", position)]


def test_a_pipe_in_promql_is_told_to_be_another_language() -> None:
    with pytest.raises(PromqlError, match="language = logql or logsql says"):
        languages.check(f"{ERRORS} > 10", Language.PROMQL)
    with pytest.raises(PromqlError) as caught:
        languages.check('sum(m{a="|"}', Language.PROMQL)
    assert "logql" not in caught.value.message


def test_loki_compares_with_the_rules_threshold() -> None:
    declared = rule(ERRORS, Language.LOGQL, condition=Condition.ABOVE, threshold=10.0)
    assert query.query_text(declared) == f"({ERRORS}\n) > 10"
    assert query.threshold_text(declared) == "> 10"
    rows = [Threshold(id="t", rule_id="r", threshold=4.0)]
    asked = query.question(declared, rows, since=NOW, until=LATER)
    assert (asked.text, asked.whole) == (f"({ERRORS}\n) > 4", False)
    assert query.question(replace(declared, no_data=NoData.ALERT), (), since=NOW, until=LATER).text == ERRORS


def test_victorialogs_is_asked_for_all_because_it_cannot_compare() -> None:
    declared = rule(COUNTED, Language.LOGSQL, condition=Condition.ABOVE, threshold=10.0)
    assert query.query_text(declared) == COUNTED
    assert query.asks_all(declared)
    asked = query.question(declared, (), since=NOW, until=LATER)
    assert (asked.text, asked.whole) == (COUNTED, True)
    assert languages.compared(COUNTED, Condition.ABOVE, 1.0, Language.LOGSQL) is None


def test_a_metric_is_not_asked_of_logs() -> None:
    declared = Rule(
        id="r", name="R", metric_name="up", condition=Condition.BELOW, threshold=1.0, language=Language.LOGQL
    )
    [problem] = check_rule(declared)
    assert (problem.field, problem.message) == (
        "language",
        "metric_name is a metric's, and logql asks logs; give expr instead",
    )


def test_each_kind_of_datasource_has_its_language() -> None:
    assert {kind: kind.language for kind in DatasourceKind} == {
        **dict.fromkeys(DatasourceKind, Language.PROMQL),
        DatasourceKind.LOKI: Language.LOGQL,
        DatasourceKind.VICTORIALOGS: Language.LOGSQL,
    }


def test_promql_is_read_as_before() -> None:
    assert query.comparison(rule("up < 1", Language.PROMQL)) == promql.split("up < 1")
