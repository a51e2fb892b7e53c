"""Regular expressions of users: RE2 behind one door, so that none can take exponential time or fill the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import re2

MAX_PATTERN_BYTES: Final = 4096
_MAX_MEMORY: Final = 1 << 20
"""What RE2 may spend on one pattern: ten thousand silences must not fill the memory. Beyond it RE2 refuses or slows."""


class Found(Protocol):
    """One match; groups that took no part are `None`."""

    def group(self, which: int = 0) -> str | None: ...
    def start(self) -> int: ...
    def end(self) -> int: ...


class Regex(Protocol):
    """A compiled pattern. Bytes (UTF-8) are the quick way to ask yes or no, text the way to get at groups."""

    @property
    def groups(self) -> int: ...
    @property
    def groupindex(self) -> Mapping[str, int]: ...
    def fullmatch(self, text: bytes) -> object | None: ...
    def search(self, text: bytes) -> object | None: ...
    def finditer(self, text: str) -> Iterator[Found]: ...


def compiled(pattern: str) -> Regex:
    """The pattern ready for use. Raises ValueError with RE2's own reason, and writes nothing to stderr."""
    size = len(pattern.encode())
    if size > MAX_PATTERN_BYTES:
        raise ValueError(f"a regex of {size} bytes; the most is {MAX_PATTERN_BYTES}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        regex: Regex = re2.compile(pattern, options)
    except re2.error as error:
        # The reason repeats the pattern as far as it is at fault, which can be all of it.
        reason = str(error.args[0], "utf-8", "replace")[:200]
        raise ValueError(f"bad regex {pattern[:80]!r}: {reason}") from error
    return regex
