"""Expressions are checked before they are asked, and cut at their threshold only where that changes nothing."""

import math
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import lints, promql
from rules.errors import PromqlError
from rules.promql import Comparison
from rules.rule import Condition, Rule

ABOVE, AT_LEAST, BELOW, AT_MOST, EQUAL, NOT_EQUAL = Condition

SELECTORS = st.sampled_from(
    [
        "up",
        'a{b="c > 5"}',
        "rate(a[5m])",
        "sum by (x) (a)",
        '{"http.x"}',
        "(a)",
        "a # > 5\n",
        "-a",
        'a{b=~"x|\\\\Qy\\\\E"}',
    ]
)


def tree_of(text: str) -> promql_parser.Expr:
    return unwrapped(promql_parser.parse(text.replace("\\\\Qy\\\\E", "y")))


def unwrapped(tree: promql_parser.Expr) -> promql_parser.Expr:
    while isinstance(tree, promql_parser.ParenExpr):
        tree = tree.expr
    return tree


def parses(text: str) -> bool:
    """Not all that can be put together is PromQL: `up > 7 / on(x) up` matches a number with a vector."""
    try:
        tree_of(text)
    except ValueError:
        return False
    return True


EXPRESSIONS = st.recursive(
    SELECTORS,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "*", "^", "/ on(x)", "and", "or", "unless"]), inner),
        st.builds("{} {} {}".format, inner, st.sampled_from([*Condition, "> bool"]), inner | st.just("7")),
        st.builds("({})".format, inner),
        st.builds("abs({})".format, inner),
    ),
    max_leaves=5,
).filter(parses)
NUMBERS = st.floats(allow_nan=False)


# --- check ---


@pytest.mark.parametrize(
    "text",
    [
        "up",
        "up == 0",
        "time()",
        "5",
        "vector(1)",
        "sum by (job) (rate(x[5m])) / 2 > 0.5",
        'absent(up{job="x"})',
        '{"http.requests", le="5"}',
        "max_over_time(a[1h:5m])",
        "a > 5 # with a comment",
        'a{b=~"\\\\Qx\\\\E"}',
    ],
)
def test_what_a_rule_can_evaluate_passes(text: str) -> None:
    promql.check(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no expression found", id="nothing"),
        pytest.param("# only a comment", "no expression found", id="only a comment"),
        pytest.param("up >", "is not PromQL", id="half a comparison"),
        pytest.param("sum(", "unclosed left parenthesis", id="half a call"),
        pytest.param("nosuch(up)", "nosuch", id="an unknown function"),
        pytest.param("rate(up)", "expected type matrix", id="a wrong type"),
        pytest.param("up[5m]", "'up[5m]' is a range vector or a string", id="a range vector"),
        pytest.param('"up"', "range vector or a string", id="a string"),
        pytest.param('{a=~".*"}', "at least one non-empty matcher", id="everything"),
        pytest.param('{a!~"x"}', "at least one non-empty matcher", id="nearly everything"),
        pytest.param("1 > 2", "must use BOOL", id="two numbers compared"),
    ],
)
def test_what_no_rule_can_evaluate_is_refused(text: str, message: str) -> None:
    with pytest.raises(PromqlError, match=r".+") as caught:
        promql.check(text)
    assert message in caught.value.message
    assert caught.value.field == "expr"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('a{b=~"("}', "bad regex '(': missing )", id="a regex RE2 refuses"),
        pytest.param('a{b=~"x\\z"}', "is no regex: bad escape", id="an escape Go does not know"),
        pytest.param('a{b=~"' + "\\\\pL" * 900 + '"}', "bad regex", id="a regex that is too large"),
    ],
)
def test_a_bad_regex_is_refused_with_its_position(text: str, message: str) -> None:
    with pytest.raises(PromqlError) as caught:
        promql.check(text)
    assert message in caught.value.message
    assert caught.value.position == 5


# --- split ---


@pytest.mark.parametrize(
    ("text", "lhs", "condition", "threshold"),
    [
        pytest.param("a > 5", "a", ABOVE, 5, id="plain"),
        pytest.param("a>=5", "a", AT_LEAST, 5, id="no blanks"),
        pytest.param("a != 5", "a", NOT_EQUAL, 5, id="not equal"),
        pytest.param("5 < a", "a", ABOVE, 5, id="the number first: below becomes above"),
        pytest.param("5 >= a + b", "a + b", AT_MOST, 5, id="the number first: at least becomes at most"),
        pytest.param("5 == a", "a", EQUAL, 5, id="the number first: equal stays"),
        pytest.param("((a > 5))", "a", ABOVE, 5, id="all in parentheses"),
        pytest.param("(a) > (5)", "(a)", ABOVE, 5, id="parts in parentheses"),
        pytest.param("a > -5", "a", ABOVE, -5, id="a negative number"),
        pytest.param("a < - -5", "a", BELOW, 5, id="two signs"),
        pytest.param("a > 1e3", "a", ABOVE, 1000, id="an exponent"),
        pytest.param("a > 0x1F", "a", ABOVE, 31, id="hexadecimal"),
        pytest.param("a > .5", "a", ABOVE, 0.5, id="no leading zero"),
        pytest.param("a > -Inf", "a", ABOVE, -math.inf, id="minus infinity"),
        pytest.param("a < inf", "a", BELOW, math.inf, id="infinity in small letters"),
        pytest.param("a > 5m", "a", ABOVE, 300, id="a duration is seconds"),
        pytest.param("a > 5 > 6", "a > 5", ABOVE, 6, id="the last comparison is the outermost"),
        pytest.param("5 < a < 10", "5 < a", BELOW, 10, id="a range"),
        pytest.param("a == b > 0", "a == b", ABOVE, 0, id="two vectors, then a number"),
        pytest.param("a > bool 1 > 0", "a > bool 1", ABOVE, 0, id="bool further in"),
        pytest.param("a # x\n > 5 # y", "a", ABOVE, 5, id="comments fall away at the ends"),
        pytest.param("a # > 3\n + b > 5", "a # > 3\n + b", ABOVE, 5, id="and stay inside"),
        pytest.param('a{b="x > 5"} > 6', 'a{b="x > 5"}', ABOVE, 6, id="a comparison in a string"),
        pytest.param('a{b!="x"} > 6', 'a{b!="x"}', ABOVE, 6, id="a sign in braces"),
        pytest.param("sum(a > 3) > 6", "sum(a > 3)", ABOVE, 6, id="a comparison in a call"),
        pytest.param("(a or b) > 6", "(a or b)", ABOVE, 6, id="a union in parentheses"),
        pytest.param("a offset 1m30s500ms > 6", "a offset 1m30s500ms", ABOVE, 6, id="milliseconds are kept"),
        pytest.param('a{b=~"\\\\d+\\"x"} > 6', 'a{b=~"\\\\d+\\"x"}', ABOVE, 6, id="escapes are kept"),
        pytest.param("-a > 5", "-a", ABOVE, 5, id="a negated vector"),
    ],
)
def test_an_expression_is_cut_at_its_threshold(text: str, lhs: str, condition: Condition, threshold: float) -> None:
    assert promql.split(text) == Comparison(lhs=lhs, condition=condition, threshold=threshold)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a", id="no comparison"),
        pytest.param("a + 5", id="no comparison, but a number"),
        pytest.param("(a > 5) + 1", id="a comparison further in"),
        pytest.param("a > b", id="two vectors"),
        pytest.param("5 > a > b", id="a number, but not at the outermost comparison"),
        pytest.param("a > bool 5", id="bool"),
        pytest.param("a > on(x) b", id="a matching modifier"),
        pytest.param("a >= fill(0) 5", id="a modifier of newer servers"),
        pytest.param("a or b > 5", id="or binds more loosely"),
        pytest.param("a > 5 or b", id="or after it"),
        pytest.param("a > 5 and b", id="and"),
        pytest.param("a unless b == 3", id="unless"),
        pytest.param("abs(a > 5)", id="inside a call"),
        pytest.param("-(a > 5)", id="inside a negation"),
        pytest.param("a > 2 ^ 3", id="a computed number"),
        pytest.param("a > time()", id="a scalar that is no number"),
        pytest.param("a > NaN", id="NaN"),
        pytest.param("1 < bool 2", id="two numbers"),
        pytest.param("(a) > 5 or (b)", id="parentheses at both ends that are no pair"),
    ],
)
def test_what_cannot_be_cut_without_a_change_is_not_cut(text: str) -> None:
    assert promql.split(text) is None


def test_an_expression_that_does_not_parse_cannot_be_cut() -> None:
    with pytest.raises(PromqlError, match="is not PromQL"):
        promql.split("a > > 5")


@given(EXPRESSIONS, st.sampled_from(Condition), NUMBERS)
def test_a_cut_expression_means_the_same_as_the_whole(text: str, condition: Condition, threshold: float) -> None:
    whole = f"{text} {condition} {promql.number(threshold)}"
    cut = promql.split(whole)
    if cut is None:
        assert not isinstance(getattr(tree_of(whole), "rhs", None), promql_parser.NumberLiteral)
        return
    again = tree_of(promql.compared(cut.lhs, cut.condition, cut.threshold))
    original = tree_of(whole)
    assert isinstance(again, promql_parser.BinaryExpr)
    assert isinstance(original, promql_parser.BinaryExpr)
    assert repr(unwrapped(again.lhs)) == repr(unwrapped(original.lhs))
    assert (str(again.op), repr(again.rhs)) == (str(original.op), repr(unwrapped(original.rhs)))


@given(EXPRESSIONS, st.sampled_from(Condition), NUMBERS)
def test_what_is_put_together_is_cut_the_same_way(text: str, condition: Condition, threshold: float) -> None:
    cut = promql.split(promql.compared(text, condition, threshold))
    assert cut is not None
    assert (cut.condition, cut.threshold) == (condition, threshold)
    assert repr(tree_of(cut.lhs)) == repr(tree_of(text))


# --- compared, number, metric ---


@pytest.mark.parametrize(
    ("lhs", "query"),
    [
        pytest.param("a", "(a\n) > 5", id="a vector"),
        pytest.param("a # 100 %)", "(a # 100 %)\n) > 5", id="a comment cannot hide the parenthesis"),
        pytest.param("a or b", "(a or b\n) > 5", id="a union stays together"),
        pytest.param("time() - 3", "vector(time() - 3\n) > 5", id="a scalar becomes a vector"),
    ],
)
def test_a_threshold_is_put_on_an_expression(lhs: str, query: str) -> None:
    assert promql.compared(lhs, ABOVE, 5) == query
    promql.check(query)


@pytest.mark.parametrize("lhs", ["a) or (b", "a[5m]", "", "a > ("])
def test_no_threshold_is_put_on_what_is_no_expression(lhs: str) -> None:
    with pytest.raises(PromqlError):
        promql.compared(lhs, ABOVE, 5)


@pytest.mark.parametrize(
    ("value", "text"),
    [(80.0, "80"), (80, "80"), (0.1, "0.1"), (1e300, "1e+300"), (-0.0, "-0"), (1e-7, "1e-07"), (math.nan, "NaN")],
)
def test_numbers_are_written_for_prometheus_and_people(value: float, text: str) -> None:
    assert promql.number(value) == text


@given(NUMBERS)
def test_a_number_reads_back_bit_by_bit(value: float) -> None:
    tree = promql_parser.parse(promql.number(value))
    assert isinstance(tree, promql_parser.NumberLiteral)
    assert tree.val.hex() == value.hex()


@pytest.mark.parametrize(
    ("name", "selector"),
    [
        ("up", "up"),
        ("job:x:rate5m", "job:x:rate5m"),
        ("sum", "sum"),
        ("http.server.duration", '{"http.server.duration"}'),
        ("größe", '{"größe"}'),
        ("Inf", '{__name__="Inf"}'),
        ("and", '{__name__="and"}'),
        ("bool", '{__name__="bool"}'),
    ],
)
def test_a_metric_is_selected_by_its_name(name: str, selector: str) -> None:
    assert promql.metric(name) == selector
    assert promql.metric_names(selector) == {name}


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("", None),
        ("x" * 1025, None),
        ("up > 5", 2),
        ("rate(x[5m])", 4),
        ('up{job="x"}', 2),
        ("a+b", 1),
        ("up\n", 2),
        ("a\\b", 1),
        ("a\ud800", 1),
    ],
)
def test_an_expression_is_no_metric_name(name: str, position: int | None) -> None:
    with pytest.raises(
        PromqlError, match="is not the name of a metric, such as node_load1; put expressions in expr"
    ) as e:
        promql.metric(name)
    assert (e.value.field, e.value.position) == ("metric_name", position)


# --- skeleton, metric_names, filters ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param('a{b="1"} > 5', "a{b='2'}>7.5 # x", id="values, thresholds, blanks, comments"),
        pytest.param("a > 5", "a > -Inf", id="a signed word"),
        pytest.param('{"a.b", c="1"}', '{"a.b", c="2"}', id="a quoted metric"),
    ],
)
def test_rules_that_may_share_a_query_have_one_skeleton(one: str, other: str) -> None:
    assert promql.skeleton(one) == promql.skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("a > 5", "b > 5", id="other metrics"),
        pytest.param("a > 5", "a < 5", id="other conditions"),
        pytest.param('a{b=~"1"}', 'a{b=~"2"}', id="other regexes"),
        pytest.param('a{b!="1"}', 'a{b!="2"}', id="other exclusions"),
        pytest.param('{__name__="a"}', '{__name__="b"}', id="other metrics by label"),
        pytest.param("a[5m]", "a[6m]", id="other ranges"),
        pytest.param("a + 5", "a + 6", id="a number that is no threshold"),
        pytest.param("5", "-6", id="numbers alone"),
        pytest.param('{"a.b"}', '{"a.c"}', id="other quoted metrics"),
    ],
)
def test_rules_that_cannot_share_have_two(one: str, other: str) -> None:
    assert promql.skeleton(one) != promql.skeleton(other)


@given(st.text(max_size=60))
def test_any_text_has_a_skeleton_without_its_blanks_and_comments(text: str) -> None:
    assert promql.skeleton(f"# comment\n {text}") == promql.skeleton(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("up", {"up"}),
        ("time()", set()),
        ('sum by (a) (rate(x{y="z"}[5m])) / on(b) c > 5', {"x", "c"}),
        ('{"a.b"} or {__name__="c"}', {"a.b", "c"}),
        ('{__name__=~"a.*"}', set()),
        ("-max_over_time((d + e)[5m:1m]) > topk(scalar(f), g)", {"d", "e", "f", "g"}),
    ],
)
def test_the_metrics_an_expression_names_are_found(text: str, names: set[str]) -> None:
    assert promql.metric_names(text) == names


@pytest.mark.parametrize(
    ("name", "plain"), [("up", True), ("a:b_1", True), ("a.b", False), ("1a", False), ("by", False), ("", False)]
)
def test_a_name_that_needs_no_quotes_is_plain(name: str, plain: bool) -> None:
    assert promql.is_plain(name) is plain


# --- hostile expressions ---


def lint(text: str) -> None:
    lints.check_expression(text, frozenset(lints.Lint), scrape_interval=timedelta(minutes=1))
    lints.check(Rule(id="", name="a", expr=text, annotations={"a": "{{ $labels.a }}"}), frozenset(lints.Lint))


def in_a_small_stack(work: Callable[[], None]) -> float:
    """CPU seconds the work took in a thread with a megabyte of stack; the usual is eight."""
    before = threading.stack_size(1024 * 1024)
    try:
        thread = threading.Thread(target=work)
        started = time.process_time()
        thread.start()
        thread.join()
        return time.process_time() - started
    finally:
        threading.stack_size(before)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 100 + "a" + ")" * 100, id="deep parentheses"),
        pytest.param("abs(" * 99 + "a" + ")" * 99, id="deep calls"),
        pytest.param("max_over_time(" * 90 + "a" + "[5m:])" * 90, id="deep subqueries"),
        pytest.param("(a+" * 99 + "a" + ")" * 99, id="deep sums"),
        pytest.param("+".join("a" * 301), id="a long sum"),
        pytest.param("^".join("a" * 301), id="a long power"),
        pytest.param(">".join("a" * 301), id="a long comparison"),
        pytest.param(">".join("a" * 60), id="a comparison that is reasoned about"),
        pytest.param(" and ".join(["a > 5"] * 50), id="many comparisons of the same"),
        pytest.param("(0-" * 90 + "a" + ")" * 90, id="deep differences"),
        pytest.param("-" * 300 + "a", id="many signs"),
        pytest.param("a" + "[5m:]" * 800, id="many ranges"),
        pytest.param("+".join(f'a{{b=~"{i}\\\\pL{{30}}"}}' for i in range(32)), id="many costly regexes"),
        pytest.param("((((" * 1000, id="unclosed parentheses"),
        pytest.param('a{b="' * 700, id="unclosed strings"),
    ],
)
def test_a_hostile_expression_costs_little_time_and_stack(text: str) -> None:
    def work() -> None:
        for function in (promql.check, promql.split, promql.metric_names, lint, promql.skeleton):
            try:
                function(text)
            except PromqlError:
                continue

    assert in_a_small_stack(work) < 2


PIECES = st.sampled_from("(){}[]\"'`#\\-+^>=,@\né") | st.sampled_from(
    'a sum by and or bool on 5 5m == != =~ rate( a[5m] [5m:1m] offset start() Inf a{b="c"} {"a.b"} >5'.split()  # noqa: SIM905 - reads as one line
)


@given(st.lists(PIECES, max_size=25).map(" ".join) | st.text(max_size=40))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        promql.check(text)
    except PromqlError:
        return
    promql.split(text)
    promql.metric_names(text)
    promql.check(promql.compared(text, ABOVE, 1))
