"""PromQL as text: its tokens, and the sizes up to which it is safe to hand it to the parser.

The parser's tree knows no positions and cannot be printed back, so whatever cuts or compares expressions works on these
tokens. The parser itself dies of deep nesting and long chains of operators, hence the guard that comes before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from rules.errors import PromqlError

MAX_BYTES: Final = 4096
MAX_NESTING: Final = 100
MAX_OPERATORS: Final = 300
MAX_REGEXES: Final = 32
"""A hostile regex costs 12 ms to compile; this keeps the worst expression well below a second."""

_WORD_OPERATORS: Final = frozenset({"and", "or", "unless", "atan2"})


class Kind(StrEnum):
    """What a token is; `comparison` and `arithmetic` only outside of braces, `matching` only inside."""

    WORD = "word"
    NUMBER = "number"
    STRING = "string"
    COMPARISON = "comparison"
    ARITHMETIC = "arithmetic"
    MATCHING = "matching"
    OPEN = "open"
    CLOSE = "close"
    OTHER = "other"
    UNCLOSED = "unclosed"
    """A quote without its end, and all text after it."""


# A tuple and not a dataclass: ten thousand rules are half a million tokens, and a tuple is made three times as fast.
class Token(NamedTuple):
    """One token: `start` and `end` count characters from 0; a bracket has the depth of what surrounds it."""

    kind: Kind
    text: str
    start: int
    depth: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def is_number(self) -> bool:
        return self.kind is Kind.NUMBER or (self.kind is Kind.WORD and self.text.lower() in ("inf", "nan"))


# Blanks and comments are matched and dropped: they have no group.
_TOKEN: Final = re.compile(
    r"""[ \t\r\n\f]++ | \#[^\r\n]*+
    | (?P<number>0[xX][0-9a-fA-F]++ | (?:[0-9]++(?:\.[0-9]*+)? | \.[0-9]++)(?:[eE][+-]?[0-9]++)?+[a-zA-Z0-9_]*+)
    | (?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*+)
    | (?P<string>"(?:[^"\\\n]|\\.)*+" | '(?:[^'\\\n]|\\.)*+' | `[^`]*+`)
    | (?P<unclosed>["'`].*+)
    | (?P<matching>=~ | !~ | =(?!=))
    | (?P<comparison>== | != | >= | <= | > | <)
    | (?P<arithmetic>[-+*/%^])
    | (?P<open>[(\[{]) | (?P<close>[)\]}])
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


_KINDS: Final = {kind.value: kind for kind in Kind}


def tokens(text: str) -> Iterator[Token]:
    """The tokens of any text at all, blanks and comments left out; what PromQL does not know is `other`."""
    depth, in_braces = 0, False
    for found in _TOKEN.finditer(text):
        if found.lastgroup is None:
            continue
        kind, word = _KINDS[found.lastgroup], found[0]
        if kind is Kind.OPEN:
            yield Token(kind, word, found.start(), depth)
            depth, in_braces = depth + 1, word == "{"
        elif kind is Kind.CLOSE:
            depth, in_braces = depth - 1, False
            yield Token(kind, word, found.start(), depth)
        else:
            yield Token(Kind.MATCHING if in_braces and word == "!=" else kind, word, found.start(), depth)


# What looks at one rule asks for the same text several times in a row; more than that need not be remembered.
@lru_cache(maxsize=64)
def guard(text: str) -> Sequence[Token]:
    """The tokens of text that is safe to parse.

    Raises PromqlError, with the position where one is to blame, for text that is too long, too deep or too branched.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise PromqlError("the expression is not valid Unicode", position=error.start) from error
    if size > MAX_BYTES:
        hint = "record parts of it by recording rules"
        raise PromqlError(f"the expression has {size} bytes, the most is {MAX_BYTES}; {hint}")
    found = tuple(tokens(text))
    _refuse_beyond(MAX_OPERATORS, [token for token in found if _operates(token)], "operators")
    _refuse_beyond(MAX_REGEXES, [token for token in found if token.text in ("=~", "!~")], "regex matchers")
    for token in found:
        if token.depth > MAX_NESTING:
            raise PromqlError(f"brackets nest deeper than {MAX_NESTING}; simplify the expression", position=token.start)
        if token.kind is Kind.UNCLOSED:
            raise PromqlError(f"the string {token.text[:40]} has no closing quote", position=token.start)
    return found


def _operates(token: Token) -> bool:
    if token.kind is Kind.WORD:
        return token.text.lower() in _WORD_OPERATORS
    return token.kind is Kind.COMPARISON or token.kind is Kind.ARITHMETIC


def _refuse_beyond(limit: int, found: Sequence[Token], what: str) -> None:
    if len(found) > limit:
        message = f"the expression has {len(found)} {what}, the most is {limit}; split it into several rules"
        raise PromqlError(message, position=found[limit].start)
