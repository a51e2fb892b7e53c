"""What the lints prove of an expression holds in a real Prometheus, whatever the expression; and promtool's exit codes are ours.

An answer never has a label that was said to be dropped, nor a value that was said to be impossible.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from api.commands import checking
from engine.private_prometheus import PrivatePrometheus
from engine.prometheus import QueryError
from rules.formats import series_notation
from rules.label_flow import carried
from rules.promql_tree import tree
from rules.value_range import values
from tests.peers.require import find_binary, require_peer
from tests.peers.test_rule_files_against_promtool import CASES

AT = datetime(2026, 1, 1, tzinfo=UTC)
SERIES = {
    'x{a="1",b="1"}': "-3+1x10",
    'x{a="1",b="2"}': "0x10",
    'x{a="2",c="1"}': "5-1x10",
    'y{a="1",b="1",c="1"}': "1x10",
    'y{a="2"}': "NaNx10",
    'z{b="2",le="1"}': "Infx5 -Infx4",
    'n{a="1",b="1",le="0.5"}': "0+2x10",
    'n{a="1",b="1",le="+Inf"}': "0+3x5 1+1x4",
}


@pytest.fixture(scope="module")
def prometheus() -> Iterator[PrivatePrometheus]:
    require_peer("prometheus")
    program = find_binary("prometheus")
    assert program is not None
    with PrivatePrometheus(program) as running:
        running.write(
            (
                series_notation.labels(name),
                [
                    (int((AT + at * timedelta(minutes=1)).timestamp() * 1000), value)
                    for run in series_notation.values(text)
                    for at, value in run.values()
                ],
            )
            for name, text in SERIES.items()
        )
        yield running


NAMES = st.sampled_from(
    ["x", "y", "z", "n", 'x{a="1"}', 'x{b=""}', 'y{c=~".*"}', '{__name__=~"x|y"}', "nothing{a='1'}"]
)
NUMBERS = st.sampled_from(["0", "1", "-2", "0.5", "3"])
LABELS = st.lists(st.sampled_from(["a", "b", "c", "le"]), max_size=2, unique=True).map(", ".join)
AGGREGATES = st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"])
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"])
SCALAR_OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", ">", "<", ">=", "<=", "> bool", "== bool"])
CALLS = st.sampled_from(
    ["abs", "sgn", "sqrt", "exp", "hour", "sort", "absent", "timestamp", "floor", "sin", "day_of_month"]
)
RANGED = ["avg", "min", "max", "count", "last", "changes", "resets", "stddev", "present", "absent", "delta"]
OVER_TIME = st.sampled_from(
    [name if name in ("changes", "resets", "delta") else f"{name}_over_time" for name in RANGED]
)


def deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Everything that can be made of expressions."""
    return st.one_of(
        st.builds("{}({})".format, AGGREGATES, inner),
        st.builds("{} by ({}) ({})".format, AGGREGATES, LABELS, inner),
        st.builds("{} without ({}) ({})".format, AGGREGATES, LABELS, inner),
        st.builds("topk by ({}) (1, {})".format, LABELS, inner),
        st.builds('count_values by ({}) ("b", {})'.format, LABELS, inner),
        st.builds("({}) {} {}".format, inner, SCALAR_OPERATORS, NUMBERS),
        st.builds("{} {} ({})".format, NUMBERS, SCALAR_OPERATORS, inner),
        st.builds("({}) {} ({})".format, inner, OPERATORS, inner),
        st.builds("({}) {} on ({}) ({})".format, inner, OPERATORS, LABELS, inner),
        st.builds("({}) {} ignoring ({}) ({})".format, inner, OPERATORS, LABELS, inner),
        st.builds("({}) * on ({}) group_left ({}) ({})".format, inner, LABELS, LABELS, inner),
        st.builds("({}) > on ({}) group_right ({}) ({})".format, inner, LABELS, LABELS, inner),
        st.builds("{}({})".format, CALLS, inner),
        st.builds("{}(({})[5m:1m])".format, OVER_TIME, inner),
        st.builds("-({})".format, inner),
        st.builds("clamp({}, {}, {})".format, inner, NUMBERS, NUMBERS),
        st.builds("clamp_min({}, {})".format, inner, NUMBERS),
        st.builds('label_replace({}, "c", "v", "a", ".*")'.format, inner),
        st.builds('label_join({}, "b", "-", "a", "c")'.format, inner),
        st.builds("vector(scalar({}))".format, inner),
        st.builds("histogram_quantile(0.9, {})".format, inner),
    )


LEAVES = st.sampled_from(
    ["rate(n[5m])", "increase(n[5m])", "vector(1)", "hour()", "absent(nothing{b='2'})", "sgn(x)", "-abs(x)",
     "sum by (a) (x) * on (a) group_left (c) y", "sum by (a) (x) * on (a) group_left (b, c) y"]
)  # fmt: skip
EXPRESSIONS = st.recursive(st.one_of(NAMES, LEAVES), deeper, max_leaves=5)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EXPRESSIONS)
def test_no_answer_has_what_was_proved_to_be_impossible(prometheus: PrivatePrometheus, expr: str) -> None:
    try:
        answer = prometheus.query(expr, AT + timedelta(minutes=9))
    except QueryError:
        return  # Two series of one side that match one of the other, for example.
    labels, interval = carried(tree(expr)), values(tree(expr))
    for sample in answer.samples:
        assert [label for label in sample.labels if not labels.may_have(label)] == []
        assert math.isnan(sample.value) or interval.low <= sample.value <= interval.high


@pytest.fixture(scope="module")
def exits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """By case, the exit code of promtool, which knows of lints only that a rule is there twice, and of ours of the same."""
    require_peer("promtool")
    folder = tmp_path_factory.mktemp("rules")
    files = {name: folder / f"{at}.yml" for at, name in enumerate(CASES)}
    for name, file in files.items():
        file.write_text(CASES[name], encoding="utf-8")
    with ThreadPoolExecutor(4) as pool:
        theirs = list(pool.map(_promtool, files.values()))
    return dict(zip(files, zip(theirs, map(_tocsin, files.values()), strict=True), strict=True))


def _promtool(file: Path) -> int:
    command = [str(find_binary("promtool")), "check", "rules", "--lint-fatal", str(file)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode


def _tocsin(file: Path) -> int:
    app = typer.Typer()
    app.command()(checking.check)
    return CliRunner().invoke(app, [str(file), "--lint", "duplicate-rule"]).exit_code


@pytest.mark.parametrize("name", CASES)
def test_promtool_and_tocsin_end_with_the_same_exit_code(name: str, exits: dict[str, tuple[int, int]]) -> None:
    theirs, ours = exits[name]
    assert ours == theirs
