"""How Prometheus' unit tests write series: `up{job="db"}` for the labels, `1+2x3 _ stale` for the values.

Source: prometheus/promql/parser (ParseMetric, ParseSeriesDesc). Values stay runs and are not written out, so that `0x1000000000`
costs nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rules import go_strings
from rules.errors import SeriesError
from rules.labels import METRIC_NAME, Labels

_NUMBER: Final = r"(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|inf|nan)"
_ITEM: Final = re.compile(
    rf"""(?P<blank>_) (?:x(?P<blanks>[0-9]{{1,18}}))?
    | (?:(?P<stale>stale) | (?P<first>[-+]?{_NUMBER})) (?: (?P<step>[-+]{_NUMBER})? x(?P<more>[0-9]{{1,18}}) )?""",
    re.VERBOSE | re.IGNORECASE,
)
_NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_TEXT: Final = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"""
_HEAD: Final = re.compile(rf"\s*(?P<name>{_NAME})?\s*(?P<open>\{{)?")
_PAIR: Final = re.compile(
    rf"\s*(?:(?P<name>{_NAME}|{_TEXT})\s*=\s*(?P<value>{_TEXT})|(?P<alone>{_TEXT}))\s*(?:,|(?=\}}))"
)
_CLOSED: Final = re.compile(r"\s*\}\s*")
_OVER: Final = re.compile(r"\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Values at `length` intervals on end: from `first`, each `step` more than the one before; `None` marks them stale."""

    begin: int
    length: int
    first: float | None
    step: float = 0.0

    def values(self) -> Iterator[tuple[int, float | None]]:
        """Each value with the number of its interval. A step is added to the value before it, as promtool does."""
        value = self.first
        for at in range(self.begin, self.begin + self.length):
            yield at, value
            value = None if value is None else value + self.step


def values(text: str) -> tuple[Run, ...]:
    """The runs that the text writes down, gaps left out. Raises SeriesError for what is none, with its position."""
    found: list[Run] = []
    at = 0
    for word in re.finditer(r"\S+", text):
        item = _ITEM.fullmatch(word[0])
        if item is None:
            raise _refused(word[0], word.start())
        if item["blank"]:
            at += int(item["blanks"] or 1)
        else:
            found.append(_run(item, at))
            at += found[-1].length
    return tuple(found)


def _run(item: re.Match[str], begin: int) -> Run:
    first = None if item["stale"] else float(item["first"])
    return Run(begin=begin, length=int(item["more"] or 0) + 1, first=first, step=float(item["step"] or 0))


def _refused(word: str, position: int) -> SeriesError:
    if "{{" in word:
        message = "native histograms are not supported: a rule of Tocsin compares floats; leave the series out"
    else:
        message = f"{word[:40]!r} is no value; write 1, 1+2x3, 1x3, _, _x3 or stale, with blanks between them"
    return SeriesError(message, position=position)


def labels(text: str) -> Labels:
    """The labels of one series, the name as `__name__`. Raises SeriesError for all else, matchers like `!=` too."""
    head = _HEAD.match(text)
    assert head is not None, "it matches nothing at all, too"
    at = head.end()
    pairs = [(METRIC_NAME, head["name"])] if head["name"] else []
    for pair in _pairs(text, head):
        pairs.append(_pair(pair))
        at = pair.end()
    if not (_CLOSED if head["open"] else _OVER).fullmatch(text, at) or not text.strip():
        raise SeriesError(f'{text[:80]!r} is no series; write it as name{{label="value"}}', position=at)
    _check_once(name for name, _ in pairs)
    return Labels(pairs)


def _check_once(names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise SeriesError(f"{name!r} is given twice; keep one of them", position=0)


def _pairs(text: str, head: re.Match[str]) -> Iterator[re.Match[str]]:
    """What stands between the braces, where there are any."""
    at = head.end()
    while head["open"] and (found := _PAIR.match(text, at)):
        yield found
        at = found.end()


def _pair(found: re.Match[str]) -> tuple[str, str]:
    """Name and value; a text alone is the name of the metric."""
    try:
        if found["alone"] is not None:
            return METRIC_NAME, go_strings.unquote(found["alone"])
        name = found["name"]
        return go_strings.unquote(name) if name[0] in "\"'`" else name, go_strings.unquote(found["value"])
    except ValueError as error:
        raise SeriesError(f"{found[0].strip()[:80]} is no label: {error}", position=found.start()) from error
