"""String literals mean what they mean in Go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.go_strings import quote, unquote

UNICODE = st.text(st.characters(codec="utf-8"), max_size=50)


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        pytest.param('""', "", id="nothing"),
        pytest.param('"é"', "é", id="a letter as itself"),
        pytest.param(r'"\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"', id="one-letter escapes"),
        pytest.param(r'"\xc3\xa9"', "é", id="bytes that are UTF-8"),
        pytest.param(r'"\303\251"', "é", id="octal bytes"),
        pytest.param(r'"\u00e9\U0001f642"', "é🙂", id="code points"),
        pytest.param(r"'it\'s \"x\"'".replace(r"\"", '"'), 'it\'s "x"', id="single quotes"),
        pytest.param(r"`a\n`", r"a\n", id="back quotes take all as it is"),
        pytest.param('"\t"', "\t", id="a raw tab"),
    ],
)
def test_a_literal_stands_for_its_text(literal: str, text: str) -> None:
    assert unquote(literal) == text


@pytest.mark.parametrize(
    "literal",
    [
        pytest.param("", id="empty"),
        pytest.param('"', id="one quote"),
        pytest.param("\"a'", id="quotes of two kinds"),
        pytest.param("abc", id="no quotes"),
        pytest.param('"a\nb"', id="a raw line feed"),
        pytest.param('"a"b"', id="a bare quote inside"),
        pytest.param(r'"\w"', id="an unknown escape"),
        pytest.param(r'"\'"', id="the escape of the other quote"),
        pytest.param(r'"\400"', id="an octal beyond a byte"),
        pytest.param('"\\"', id="an escaped closing quote"),
        pytest.param(r'"\xf0\x9f"', id="bytes that are not UTF-8"),
        pytest.param(r'"\ud800"', id="half a surrogate pair"),
        pytest.param(r'"\U00110000"', id="beyond the last character"),
    ],
)
def test_what_go_refuses_is_refused(literal: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - callers add what they were reading
        unquote(literal)


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        pytest.param('a"b\\c', r'"a\"b\\c"', id="quote and backslash"),
        pytest.param("it's", '"it\'s"', id="a single quote needs nothing"),
        pytest.param("é🙂", '"é🙂"', id="printable letters stay"),
        pytest.param("\x00\x7f", r'"\x00\x7f"', id="control characters"),
        pytest.param("\u200b", r'"\u200b"', id="what cannot be seen"),
        pytest.param("\U000e0001", r'"\U000e0001"', id="what cannot be seen, further out"),
    ],
)
def test_text_is_quoted_on_one_visible_line(text: str, literal: str) -> None:
    assert quote(text) == literal


@given(UNICODE)
def test_quoted_text_reads_back(text: str) -> None:
    assert unquote(quote(text)) == text
