"""The functions Prometheus gives to the templates of rules (P:template/template.go), less those of consoles.

Each takes what the template gave it, says so when that is of the wrong kind, and is pure but for `query`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import quote_plus, urlsplit

from gotpl import TypedMap

from rules import durations, humanize
from rules.regexes import Found, Regex, compiled
from rules.template_budget import MAX_SAMPLES, Samples, Spending

Function = Callable[..., object]


class Element(Protocol):
    """One series of a query's answer, as the engine gives it."""

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def value(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What functions see besides their arguments: the world of one rendering."""

    query: Callable[[str], Sequence[Element]] | None
    external_url: str
    now: datetime | None
    spending: Spending


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"wrong type of argument; expected a string, got {value!r:.40}")
    return value


# --- queries ---


def _query(around: Surroundings, expr: object) -> Samples:
    text = _text(expr)
    if around.query is None:
        raise ValueError("query is not available here")
    around.spending.charge_query()
    answer = around.query(text)
    if len(answer) > MAX_SAMPLES:
        raise ValueError(f"query {text[:80]!r} returned {len(answer)} series, the most is {MAX_SAMPLES}; aggregate it")
    return Samples({"Labels": TypedMap(dict(found.labels), ""), "Value": found.value} for found in answer)


def _now(now: datetime | None) -> float:
    if now is None:
        raise ValueError("now is not available here")
    return now.timestamp()


def _sample(value: object) -> tuple[Mapping[str, str], float]:
    match value:
        case {"Labels": TypedMap() as labels, "Value": float() as number}:
            return labels, number
        case _:
            raise TypeError("expected one element of a query's answer; take it by `first` or `range`")


def _first(samples: object) -> object:
    if not isinstance(samples, Samples):
        raise TypeError("expected a query's answer")
    if not samples:
        raise ValueError("first() called on vector with no elements")
    return samples[0]


def _sorted(name: str, samples: object) -> Samples:
    if not isinstance(samples, Samples):
        raise TypeError("expected a query's answer")
    return Samples(sorted(samples, key=lambda sample: _sample(sample)[0].get(name, "")))


# --- regular expressions ---

_REFERENCE: Final = re.compile(r"\$(?:\$|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})")


def _regex(around: Surroundings, pattern: str, text: str) -> Regex:
    around.spending.charge_pattern(pattern, text)
    return compiled(pattern)


def _match(around: Surroundings, pattern: object, text: object) -> bool:
    return _regex(around, _text(pattern), _text(text)).search(_text(text).encode()) is not None


def _replaced(around: Surroundings, pattern: object, new: object, text: object) -> str:
    """Go's Regexp.ReplaceAllString: `$1` and `${name}` are groups; no empty match right after a match counts."""
    whole, replacement = _text(text), _text(new)
    regex = _regex(around, _text(pattern), whole)
    parts: list[str] = []
    end = 0
    for found in regex.finditer(whole):
        if found.end() == found.start() == end and parts:
            continue
        parts += [whole[end : found.start()], _expanded(regex, found, replacement)]
        end = found.end()
        around.spending.charge(parts[-1])
    return "".join(parts) + whole[end:]


def _expanded(regex: Regex, found: Found, new: str) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        number = int(name) if name.isdigit() and len(name) < 5 else regex.groupindex.get(name, -1)
        return (found.group(number) or "") if 0 <= number <= regex.groups else ""

    return _REFERENCE.sub(group, new)


# --- text ---


def _simple(letter: str, changed: str) -> str:
    """Go changes letter by letter: what would become several letters (ß) stays."""
    return changed if len(changed) == 1 else letter


def _title(text: str) -> str:
    """Go's strings.Title: the first letter of each word in title case, the others as they are."""
    before = " "
    letters = []
    for letter in text:
        letters.append(_simple(letter, letter.title()) if _separates(before) else letter)
        before = letter
    return "".join(letters)


def _separates(letter: str) -> bool:
    return not (letter.isalnum() or letter == "_") if letter.isascii() else letter.isspace()


def _host_and_port(address: str) -> tuple[str, str]:
    """Go's net.SplitHostPort; the whole address and no port where Go sees an error."""
    bracketed = re.fullmatch(r"\[([^\[\]]*)\]:([^\[\]:]*)", address)
    plain = re.fullmatch(r"([^\[\]:]*):([^\[\]:]*)", address)
    found = bracketed or plain
    return (found[1], found[2]) if found else (address, "")


def _without_domain(address: str) -> str:
    host, port = _host_and_port(address)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        short = host.split(".")[0]
        return f"{short}:{port}" if port else short
    return address


PURE: Final[Mapping[str, Function]] = {
    "first": _first,
    "label": lambda name, sample: _sample(sample)[0].get(_text(name), ""),
    "value": lambda sample: _sample(sample)[1],
    "strvalue": lambda sample: _sample(sample)[0].get("__value__", ""),
    "sortByLabel": lambda name, samples: _sorted(_text(name), samples),
    "args": lambda *values: {f"arg{at}": value for at, value in enumerate(values)},
    "safeHtml": _text,
    "title": lambda text: _title(_text(text)),
    "toUpper": lambda text: "".join(_simple(letter, letter.upper()) for letter in _text(text)),
    "toLower": lambda text: "".join(_simple(letter, letter.lower()) for letter in _text(text)),
    "graphLink": lambda expr: f"/graph?g0.expr={quote_plus(_text(expr))}&g0.tab=0",
    "tableLink": lambda expr: f"/graph?g0.expr={quote_plus(_text(expr))}&g0.tab=1",
    "urlQueryEscape": lambda text: quote_plus(_text(text)),
    "stripPort": lambda address: _host_and_port(_text(address))[0],
    "stripDomain": lambda address: _without_domain(_text(address)),
    "humanize": humanize.humanize,
    "humanize1024": humanize.humanize1024,
    "humanizeDuration": humanize.humanize_duration,
    "humanizePercentage": humanize.humanize_percentage,
    "humanizeTimestamp": humanize.humanize_timestamp,
    "toTime": humanize.to_time,
    "toDuration": humanize.to_duration,
    "parseDuration": lambda text: durations.parse(_text(text)).total_seconds(),
}
"""The functions that depend on their arguments alone."""

BOUND: Final[Mapping[str, Function]] = {
    "query": _query,
    "now": lambda around: _now(around.now),
    "externalURL": lambda around: around.external_url,
    "pathPrefix": lambda around: urlsplit(around.external_url).path,
    "match": _match,
    "reReplaceAll": _replaced,
}
"""The functions that are given their surroundings before what the template gives them."""
