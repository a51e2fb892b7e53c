"""The text of matchers, cut into (name, operator, value); what the parts mean is the business of rules.matchers.

Both of Alertmanager's dialects are read, as its default mode reads them (A:matcher/compat/parse.go): where the classic
one understands the text it decides, else the UTF-8 one. Unlike in the classic dialect alone, braces must balance: a
bare regex that ends in `}` would lose its last character there.
"""

from __future__ import annotations

import re
from typing import Final

from rules import go_strings
from rules.errors import MatcherError

Part = tuple[str, str, str]

MAX_TEXT: Final = 65536

_WHITE: Final = "\\t\\n\\v\\f\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
_WORD: Final = f"[^{_WHITE}{{}}!=~,\\\\\"'`]+"
"""What needs no quotes in the UTF-8 dialect (A:matcher/parse isReserved); the spaces are those of Go's unicode."""


def needs_quotes(name: str) -> bool:
    """Whether a label name must stand in double quotes."""
    return re.fullmatch(_WORD, name) is None


def cut(text: str) -> list[Part]:
    """The parts of each matcher in `{a="b",c!~"d"}`; braces are optional, one trailing comma is allowed.

    Raises MatcherError with the position (characters from 0) of what is wrong.
    """
    if len(text) > MAX_TEXT:
        raise MatcherError(f"matchers of {len(text)} characters are too long; the most is {MAX_TEXT}")
    try:
        return _classic_parts(text)
    except _NotClassicError:
        return _Utf8Parser(text).parts()


# --- the classic dialect (A:matcher/oldparse/parse.go) ---

_SPACES: Final = "\t\n\f\r "
_AROUND: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What is cut off between the braces: more than may stand between the parts."""
_HEAD: Final = re.compile(r"[\t\n\f\r ]*+([a-zA-Z_:][a-zA-Z0-9_:]*+)[\t\n\f\r ]*+(=~|=|!=|!~)")
_TOKEN: Final = re.compile(r'(?:[^,"\\]|\\["\\]?|"(?:[^"\\]|\\["\\]?)*+"?)*+')
_ESCAPE: Final = re.compile(r'\\([n"\\])')
_BARE_QUOTE: Final = re.compile(r'(?:[^"\\]|\\.|\\\Z)*+"', re.DOTALL)


class _NotClassicError(Exception):
    """The text is not in the classic dialect; never seen outside."""


def _classic_parts(text: str) -> list[Part]:
    if text.startswith("{") != text.endswith("}"):
        raise _NotClassicError
    tokens = _comma_separated(text.removeprefix("{").removesuffix("}").strip(_AROUND))
    return [_classic_part(token) for token in tokens]


def _comma_separated(body: str) -> list[str]:
    tokens, position = [], 0
    while position <= len(body):
        found = _TOKEN.match(body, position)
        assert found is not None  # the pattern also matches nothing
        tokens.append(found[0])
        position = found.end() + 1
    return tokens if tokens[-1].strip(_SPACES) else tokens[:-1]


def _classic_part(token: str) -> Part:
    head = _HEAD.match(token)
    if head is None:
        raise _NotClassicError
    raw = token[head.end() :].strip(_SPACES)
    if raw.startswith('"'):
        raw = _without_quotes(raw)
    if _BARE_QUOTE.match(raw):
        raise _NotClassicError
    return head[1], head[2], _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], raw)


def _without_quotes(raw: str) -> str:
    inner = raw[1:-1]
    trailing_backslashes = len(inner) - len(inner.rstrip("\\"))
    if len(raw) < 2 or not raw.endswith('"') or trailing_backslashes % 2:
        raise _NotClassicError
    return inner


# --- the UTF-8 dialect (A:matcher/parse) ---

_WHITES: Final = re.compile(f"[{_WHITE}]*+")
_UTF8_TOKEN: Final = re.compile(
    r"(?P<end>\Z)|(?P<open>\{)|(?P<close>\})|(?P<comma>,)|(?P<operator>=~|!=|!~|=)"
    rf'|(?P<quoted>"(?:[^"\\]|\\.)*+")|(?P<plain>{_WORD})|(?P<bad>.)',
    re.DOTALL,
)


class _Utf8Parser:
    """One pass over the text with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._token = self._next(0)

    def parts(self) -> list[Part]:
        parts: list[Part] = []
        braced = self._taken("open") is not None
        stop = "close" if braced else "end"
        while self._token.lastgroup != stop:
            parts.append(self._part())
            if self._taken("comma") is None:
                break
        if self._taken(stop) is None:
            raise self._error("expected a comma or a closing brace" if braced else "expected a comma or the end")
        if self._token.lastgroup != "end":
            raise self._error("expected the end after the closing brace")
        return parts

    def _part(self) -> Part:
        name = self._word("a label name")
        operator = self._taken("operator")
        if operator is None:
            raise self._error("expected an operator: = != =~ !~")
        return name, operator, self._word("a label value")

    def _word(self, wanted: str) -> str:
        start = self._token.start()
        plain = self._taken("plain")
        if plain is not None:
            return plain
        quoted = self._taken("quoted")
        if quoted is None:
            raise self._error(f"expected {wanted}")
        try:
            return go_strings.unquote(quoted)
        except ValueError as error:
            message = f"{self._text[:80]!r}: at position {start}: {quoted[:80]} is no string: {error}"
            raise MatcherError(message) from error

    def _taken(self, kind: str) -> str | None:
        if self._token.lastgroup != kind:
            return None
        token = self._token
        self._token = self._next(token.end())
        return token[0]

    def _next(self, position: int) -> re.Match[str]:
        spaces = _WHITES.match(self._text, position)
        assert spaces is not None  # the pattern also matches nothing
        token = _UTF8_TOKEN.match(self._text, spaces.end())
        assert token is not None  # the pattern has a branch for any character, and for the end
        return token

    def _error(self, what: str) -> MatcherError:
        found = repr(self._token[0][:80]) if self._token[0] else "the end"
        hint = 'put values in double quotes, as in team="db"'
        return MatcherError(f"{self._text[:80]!r}: at position {self._token.start()}: {what}, found {found}; {hint}")
