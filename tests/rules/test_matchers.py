"""Matchers read both of Alertmanager's dialects, match as it does, and print what reads back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import MatcherError
from rules.matcher_syntax import MAX_TEXT
from rules.matchers import Matcher, Operator, parse_matcher, parse_matchers, print_matchers
from rules.regexes import MAX_PATTERN_BYTES

EQUAL, NOT_EQUAL, REGEX, NOT_REGEX = Operator

UNICODE = st.text(st.characters(codec="utf-8"), max_size=20)
MATCHERS = st.builds(
    lambda name, operator, value: Matcher(name or "x", operator, value),
    UNICODE | st.sampled_from(["job", "a b", "größe", "a.b", "{", "1a"]),
    st.sampled_from([EQUAL, NOT_EQUAL]),
    UNICODE,
) | st.builds(
    Matcher,
    st.sampled_from(["job", "a b"]),
    st.sampled_from([REGEX, NOT_REGEX]),
    st.sampled_from([".*", "a|b", "[a-z]{2}", 'x"y', "\\d+", "\\\\", "a,b", "}", "\n"]),
)


@pytest.mark.parametrize(
    ("matcher", "value", "expected"),
    [
        pytest.param(Matcher("a", EQUAL, "x"), "x", True, id="equal"),
        pytest.param(Matcher("a", EQUAL, "x"), "X", False, id="case counts"),
        pytest.param(Matcher("a", NOT_EQUAL, "x"), "y", True, id="not equal"),
        pytest.param(Matcher("a", NOT_EQUAL, "x"), "x", False, id="not equal to the same"),
        pytest.param(Matcher("a", REGEX, "x|y"), "y", True, id="an alternative"),
        pytest.param(Matcher("a", REGEX, "x"), "xx", False, id="a regex is anchored at the end"),
        pytest.param(Matcher("a", REGEX, "x"), "ax", False, id="a regex is anchored at the start"),
        pytest.param(Matcher("a", REGEX, "x|yz"), "xz", False, id="anchors go around all alternatives"),
        pytest.param(Matcher("a", REGEX, "é."), "éü", True, id="a dot is a character and not a byte"),
        pytest.param(Matcher("a", REGEX, "a.b"), "a\nb", False, id="a dot is no line feed"),
        pytest.param(Matcher("a", NOT_REGEX, "x.*"), "xyz", False, id="not regex"),
        pytest.param(Matcher("a", NOT_REGEX, "x.*"), "y", True, id="not regex of another"),
    ],
)
def test_a_matcher_compares_one_label(matcher: Matcher, value: str, expected: bool) -> None:
    assert matcher.matches({"a": value, "b": "other"}) is expected


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (Matcher("a", EQUAL, ""), True),
        (Matcher("a", EQUAL, "x"), False),
        (Matcher("a", NOT_EQUAL, ""), False),
        (Matcher("a", NOT_EQUAL, "x"), True),
        (Matcher("a", REGEX, ".*"), True),
        (Matcher("a", REGEX, ".+"), False),
        (Matcher("a", NOT_REGEX, ".+"), True),
    ],
    ids=str,
)
def test_an_absent_label_counts_as_empty(matcher: Matcher, expected: bool) -> None:
    assert matcher.matches({}) is expected
    assert matcher.matches({"a": ""}) is expected


def test_matchers_are_values() -> None:
    assert Matcher("a", REGEX, "x") == Matcher("a", REGEX, "x")
    assert len({Matcher("a", REGEX, "x"), Matcher("a", REGEX, "x"), Matcher("a", EQUAL, "x")}) == 2
    assert repr(Matcher("a", REGEX, "x")) == "Matcher(name='a', operator=<Operator.REGEX: '=~'>, value='x')"


# The table of A:matcher/parse/parse_test.go, and A:pkg/labels/parse_test.go where the classic dialect decides.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("{}", [], id="empty braces"),
        pytest.param("{foo=bar}", [("foo", EQUAL, "bar")], id="unquoted"),
        pytest.param("foo=bar,", [("foo", EQUAL, "bar")], id="a trailing comma"),
        pytest.param("{foo=bar,}", [("foo", EQUAL, "bar")], id="a trailing comma in braces"),
        pytest.param("{foo=~[a-z]+}", [("foo", REGEX, "[a-z]+")], id="an unquoted regex"),
        pytest.param("foo!~[a-z]+", [("foo", NOT_REGEX, "[a-z]+")], id="not regex"),
        pytest.param("foo=🙂bar", [("foo", EQUAL, "🙂bar")], id="an emoji"),
        pytest.param('{"foo"="bar"}', [("foo", EQUAL, "bar")], id="a quoted name"),
        pytest.param('{"foo bar"!="x",}', [("foo bar", NOT_EQUAL, "x")], id="a name with a space"),
        pytest.param('"foo"="\\xf0\\x9f\\x99\\x82"', [("foo", EQUAL, "🙂")], id="bytes"),
        pytest.param('"foo"="\\U0001f642"', [("foo", EQUAL, "🙂")], id="a code point"),
        pytest.param('foo="\\"bar\\""', [("foo", EQUAL, '"bar"')], id="escaped quotes"),
        pytest.param('foo="bar\\\\"', [("foo", EQUAL, "bar\\")], id="an escaped backslash"),
        pytest.param('foo="a\\nb"', [("foo", EQUAL, "a\nb")], id="a line feed"),
        pytest.param("a=b,c!=d", [("a", EQUAL, "b"), ("c", NOT_EQUAL, "d")], id="two"),
        pytest.param('{a="x,y",c="}"}', [("a", EQUAL, "x,y"), ("c", EQUAL, "}")], id="commas and braces in quotes"),
        pytest.param(" { foo = bar } ", [("foo", EQUAL, "bar")], id="spaces anywhere"),
        pytest.param('{"a b"="x" ,\t"c" = y }', [("a b", EQUAL, "x"), ("c", EQUAL, "y")], id="spaces, UTF-8"),
        pytest.param("größe=5", [("größe", EQUAL, "5")], id="a name in UTF-8 needs no quotes"),
        pytest.param("foo=", [("foo", EQUAL, "")], id="classic: no value is the empty one"),
        pytest.param("foo=a b", [("foo", EQUAL, "a b")], id="classic: a space in a bare value"),
        pytest.param('foo="a\\d"', [("foo", EQUAL, "a\\d")], id="classic: an unknown escape is itself"),
        pytest.param('foo="a\\tb"', [("foo", EQUAL, "a\\tb")], id="classic: and so is a tab, where it decides"),
        pytest.param("foo=a\\", [("foo", EQUAL, "a\\")], id="classic: a last backslash"),
        pytest.param('{foo=~"a{2}"}', [("foo", REGEX, "a{2}")], id="braces in a quoted regex"),
        pytest.param("{foo=~a{2}}", [("foo", REGEX, "a{2}")], id="classic: braces in a bare regex in braces"),
        pytest.param('"a b"=x,c="d\\te"', [("a b", EQUAL, "x"), ("c", EQUAL, "d\te")], id="one UTF-8 makes all UTF-8"),
    ],
)
def test_matchers_are_read(text: str, expected: list[tuple[str, Operator, str]]) -> None:
    assert parse_matchers(text) == tuple(Matcher(*parts) for parts in expected)


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        pytest.param(",", 0, "expected a label name, found ','", id="a comma"),
        pytest.param("{,}", 1, "expected a label name, found ','", id="a comma in braces"),
        pytest.param("a=b,,", 4, "expected a label name, found ','", id="two commas"),
        pytest.param("{", 1, "expected a label name, found the end", id="an open brace"),
        pytest.param("}", 0, "expected a label name, found '}'", id="a closing brace"),
        pytest.param("foo=bar}", 7, "expected a comma or the end, found '}'", id="no open brace"),
        pytest.param("{foo=bar", 8, "expected a comma or a closing brace, found the end", id="no closing brace"),
        pytest.param(
            "foo=~[a-z]{2}", 10, "expected a comma or the end, found '{'", id="a bare regex ending in a brace"
        ),
        pytest.param('{a="b"} x', 8, "expected the end after the closing brace, found 'x'", id="text after it"),
        pytest.param('"foo bar"', 9, "expected an operator", id="only a name"),
        pytest.param('"foo bar"=', 10, "expected a label value, found the end", id="no value"),
        pytest.param("\"a b\"='x'", 6, 'expected a label value, found "\'"', id="single quotes"),
        pytest.param('{foo=:"bar"}', 6, "expected a comma or a closing brace", id="text before a quote"),
        pytest.param('foo="x"y"', 7, "expected a comma or the end, found 'y'", id="a quote too many"),
        pytest.param('foo="', 4, "expected a label value, found '\"'", id="a quote alone"),
        pytest.param('foo="a\\"', 4, "expected a label value, found '\"'", id="a closing quote that is escaped"),
        pytest.param('"a b"="\\xf0\\x9f"', 6, "is no string: ", id="bytes that are not UTF-8"),
        pytest.param('"a b"="\\w"', 6, "is no string: bad escape", id="an unknown escape"),
    ],
)
def test_an_error_names_the_position(text: str, position: int, what: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert caught.value.message.startswith(f"{text!r}: at position {position}: ")
    assert what in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('foo=~"["', "matcher 'foo': bad regex '[': missing ]", id="RE2's own words"),
        pytest.param('foo=~"(?=x)"', "invalid perl operator", id="no look-ahead in RE2"),
        pytest.param('foo=~"a)|(b"', "unexpected )", id="no way around the anchors"),
        pytest.param('foo=~"(\\\\pL{30}){30}"', "too large", id="a regex bomb"),
        pytest.param(f'foo=~"{"x" * (MAX_PATTERN_BYTES + 1)}"', "a regex of 4097 bytes", id="a long regex"),
        pytest.param('""="x"', "a matcher needs a label name", id="an empty name"),
        pytest.param("x" * (MAX_TEXT + 1), "too long", id="a long text"),
        pytest.param('"a b"="\ud800"', "is no string", id="half a surrogate pair"),
        pytest.param("foo=\ud800", "not valid Unicode", id="half a surrogate pair, classic"),
    ],
)
def test_a_bad_matcher_is_refused_with_the_reason(text: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert message in caught.value.message
    assert capfd.readouterr().err == ""


def test_one_matcher_is_read_without_braces() -> None:
    assert parse_matcher('team="db"') == Matcher("team", EQUAL, "db")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 1 matcher such as team="),
        ("a=b,c=d", "found 2"),
        ("{a=b}", "unexpected brace"),
        ("a=~b{2}", "unexpected brace"),
    ],
)
def test_anything_but_one_matcher_is_refused_there(text: str, message: str) -> None:
    with pytest.raises(MatcherError, match=message):
        parse_matcher(text)


@pytest.mark.parametrize(
    ("matcher", "text"),
    [
        (Matcher("foo", EQUAL, 'a"b\\c\nd'), r'foo="a\"b\\c\nd"'),
        (Matcher("größe", NOT_EQUAL, "x"), 'größe!="x"'),
        (Matcher("a b", REGEX, "x\ty"), r'"a b"=~"x\ty"'),
        (Matcher("a,b", NOT_REGEX, "x"), '"a,b"!~"x"'),
    ],
)
def test_a_matcher_prints_as_alertmanager_prints_it(matcher: Matcher, text: str) -> None:
    assert str(matcher) == text


@given(st.lists(MATCHERS, max_size=4))
def test_printed_matchers_read_back(matchers: list[Matcher]) -> None:
    assert parse_matchers(print_matchers(matchers)) == tuple(matchers)


@given(MATCHERS)
def test_a_printed_matcher_reads_back_alone(matcher: Matcher) -> None:
    assert parse_matcher(str(matcher)) == matcher


@given(st.text(alphabet="{}=!~,\"\\'` \n\tab.*[({é1", max_size=40) | st.text(max_size=40))
def test_any_text_is_matchers_or_refused(text: str) -> None:
    try:
        matchers = parse_matchers(text)
    except MatcherError:
        return
    assert parse_matchers(print_matchers(matchers)) == matchers


@given(MATCHERS, UNICODE)
def test_a_negative_matcher_is_the_opposite_of_its_positive(matcher: Matcher, value: str) -> None:
    opposite = {EQUAL: NOT_EQUAL, NOT_EQUAL: EQUAL, REGEX: NOT_REGEX, NOT_REGEX: REGEX}[matcher.operator]
    labels = {matcher.name: value}
    assert Matcher(matcher.name, opposite, matcher.value).matches(labels) is not matcher.matches(labels)
