"""The tokens of PromQL, and the guard that keeps the parser from what would kill it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import PromqlError
from rules.promql_text import MAX_BYTES, MAX_NESTING, MAX_OPERATORS, MAX_REGEXES, Kind, guard, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(" \t\r\n# all of it", [], id="blanks and a comment"),
        pytest.param("a # x > 5\n> 3", ["a", ">", "3"], id="a comment ends with its line"),
        pytest.param("a # x\r> 3", ["a", ">", "3"], id="also with a carriage return"),
        pytest.param("a>=-5", ["a", ">=", "-", "5"], id="operators without blanks"),
        pytest.param(
            'a{b="c>5#",d=~\'e"\'}', ["a", "{", "b", "=", '"c>5#"', ",", "d", "=~", "'e\"'", "}"], id="strings"
        ),
        pytest.param('"a\\"b" `c\\`', ['"a\\"b"', "`c\\`"], id="escapes, and none in back quotes"),
        pytest.param("0x1F 1e3 .5 5. 1h30m 1.5e-3", ["0x1F", "1e3", ".5", "5.", "1h30m", "1.5e-3"], id="numbers"),
        pytest.param("job:x_y:sum5m", ["job:x_y:sum5m"], id="a recorded name"),
        pytest.param("a @ é", ["a", "@", "é"], id="what PromQL may not know"),
    ],
)
def test_text_is_cut_into_tokens(text: str, expected: list[str]) -> None:
    assert [token.text for token in tokens(text)] == expected


def test_an_unequal_sign_is_a_comparison_outside_of_braces_and_a_matching_inside() -> None:
    kinds = {token.start: token.kind for token in tokens('a{b!="c"} != 5')}
    assert (kinds[3], kinds[10]) == (Kind.MATCHING, Kind.COMPARISON)


def test_brackets_have_the_depth_of_what_surrounds_them() -> None:
    assert [(token.text, token.depth) for token in tokens("(a[5m])")] == [
        ("(", 0),
        ("a", 1),
        ("[", 1),
        ("5m", 2),
        ("]", 1),
        (")", 0),
    ]


@given(st.text(alphabet="ab(){}[]\"'`\\#\n\r>=<!~+-*/%^@,.5eé \x00", max_size=60))
def test_tokens_leave_nothing_out_but_blanks_and_comments(text: str) -> None:
    position = 0
    for token in tokens(text):
        between = text[position : token.start]
        assert not between.strip(" \t\r\n\f") or between.lstrip(" \t\r\n\f").startswith("#")
        assert text[token.start : token.end] == token.text
        position = token.end


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * MAX_BYTES, id="as long as may be"),
        pytest.param("(" * MAX_NESTING + "a" + ")" * MAX_NESTING, id="as deep as may be"),
        pytest.param("+".join("a" * (MAX_OPERATORS + 1)), id="as many operators as may be"),
        pytest.param('"' + "(" * 1000 + '"', id="brackets in a string"),
        pytest.param("a # " + "(" * 1000, id="brackets in a comment"),
        pytest.param("a{" + ",".join(f"l{i}='b'" for i in range(400)) + "}", id="signs in braces are no operators"),
    ],
)
def test_what_is_safe_passes(text: str) -> None:
    assert len(guard(text)) > 0


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        pytest.param("a" * (MAX_BYTES + 1), "has 4097 bytes, the most is 4096", None, id="too long"),
        pytest.param("é" * 2049, "has 4098 bytes", None, id="bytes count, not letters"),
        pytest.param("(" * 101 + "a" + ")" * 101, "nest deeper than 100", 101, id="too deep"),
        pytest.param("abs(" * 101 + "a" + ")" * 101, "nest deeper than 100", 404, id="too deep in calls"),
        pytest.param("+".join("a" * 302), "301 operators, the most is 300", 601, id="too many operators"),
        pytest.param("-" * 301 + "a", "301 operators", 300, id="too many signs"),
        pytest.param(" AND ".join("a" * 302), "301 operators", 1802, id="too many words that are operators"),
        pytest.param("a > " * 301, "301 operators", 1202, id="too many comparisons"),
        pytest.param("a{b=~'c'}" * 33, "33 regex matchers", 291, id="too many regexes"),
        pytest.param('a{b="c}', "has no closing quote", 4, id="an open string"),
        pytest.param('"a\nb"', "has no closing quote", 0, id="a line feed in a string"),
        pytest.param("a\ud800", "not valid Unicode", 1, id="half a surrogate pair"),
    ],
)
def test_what_could_kill_the_parser_is_refused_with_its_place(text: str, message: str, position: int | None) -> None:
    with pytest.raises(PromqlError) as caught:
        guard(text)
    assert message in caught.value.message
    assert caught.value.position == position


@pytest.mark.parametrize("piece", ["(", "a[", "-", "and ", '"', "'`", "1.", "1e", "#", "\\", "=~", "{", "a{b='c'}+"])
def test_a_flood_is_refused_or_read_at_once(piece: str) -> None:
    started = time.process_time()
    list(tokens(piece * 50_000))
    with pytest.raises(PromqlError):
        guard(piece * 5_000)
    assert time.process_time() - started < 5


def test_there_are_fewer_regexes_than_operators() -> None:
    assert MAX_REGEXES < MAX_OPERATORS
