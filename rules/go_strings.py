"""Go's string literals, as matchers, PromQL and templates write them (Go's strconv, P:util/strutil/quote.go)."""

from __future__ import annotations

import re
from typing import Final

_ONE_LETTER: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34, "'": 39}
_ESCAPES: Final = {chr(code): f"\\{letter}" for letter, code in _ONE_LETTER.items() if letter != "'"}
_PIECES: Final = {
    quote_mark: re.compile(
        rf"""(?P<plain>[^{quote_mark}\\\n]+)
        | \\(?P<letter>[abfnrtv\\{quote_mark}])
        | \\x(?P<byte>[0-9a-fA-F]{{2}})
        | \\(?P<octal>[0-3][0-7]{{2}})
        | \\u(?P<short>[0-9a-fA-F]{{4}})
        | \\U(?P<long>[0-9a-fA-F]{{8}})""",
        re.VERBOSE,
    )
    for quote_mark in ('"', "'")
}


def quote(text: str) -> str:
    """The text as a double-quoted literal on one line; what cannot be printed is escaped."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def unquote(literal: str) -> str:
    r"""The text a literal in double, single or back quotes stands for: `"a\tb"`, `"\xc3\xa9"`, `'é'`.

    Raises ValueError for missing quotes, a raw line feed, an unknown escape, or bytes that are not UTF-8.
    """
    if len(literal) < 2 or literal[0] != literal[-1] or literal[0] not in "\"'`":
        raise ValueError("not in quotes")
    return literal[1:-1] if literal[0] == "`" else _unescaped(literal, _PIECES[literal[0]])


def _unescaped(literal: str, pieces: re.Pattern[str]) -> str:
    position, last, out = 1, len(literal) - 1, bytearray()
    while position < last:
        piece = pieces.match(literal, position, last)
        if piece is None:
            raise ValueError(f"bad escape or character {literal[position : position + 2]!r}")
        out += _bytes(str(piece.lastgroup), piece[str(piece.lastgroup)])
        position = piece.end()
    return out.decode()


def _bytes(kind: str, content: str) -> bytes:
    match kind:
        case "letter":
            return bytes((_ONE_LETTER[content],))
        case "byte":
            return bytes((int(content, 16),))
        case "octal":
            return bytes((int(content, 8),))
        case "short" | "long":
            return _code_point(int(content, 16))
        case _:
            return content.encode()


def _code_point(number: int) -> bytes:
    if number > 0x10FFFF:
        raise ValueError(f"no character has the number {number:#x}")
    return chr(number).encode()


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
