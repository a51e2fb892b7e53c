"""Values as people read them in a terminal: spans ago, labels, matchers, and never a control character."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

NONE: Final = "-"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS: Final = (("d", _DAY), ("h", _HOUR), ("m", _MINUTE), ("s", 1))
_GRAINS: Final = ((_MINUTE, 1), (_DAY, _MINUTE), (3 * _DAY, _HOUR))
"""Below which span to which grain it is rounded."""


def printable(text: str) -> str:
    """The text with control characters written out: a label value from anywhere must not steer the terminal."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def plain(value: object) -> str:
    """The value in one line; nothing reads as a dash."""
    return _text(value) or NONE


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}"
        case list():
            return ", ".join(map(plain, value))
        case dict():
            return ", ".join(map(_pair, value.items()))
        case _:
            return printable(str(value))


def _pair(member: tuple[object, object]) -> str:
    name, value = member
    return f"{_text(name)}={_text(value)}"


def moment(text: object) -> datetime | None:
    """The instant an answer names; `None` when it names none."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def relative(text: object, now: datetime) -> str:
    """`3m ago`, `in 2h5m`, `now`: an instant as seen from `now`, in its two largest units."""
    when = moment(text)
    if when is None:
        return plain(text)
    away = when - now
    if abs(away) < timedelta(seconds=1):
        return "now"
    return f"in {_span(away)}" if away > timedelta(0) else f"{_span(-away)} ago"


def _span(span: timedelta) -> str:
    """Rounded, two units at most: `45s`, `3m`, `2h5m`, `1d3h`, `12d`."""
    seconds = span.total_seconds()
    grain = next((grain for below, grain in _GRAINS if seconds < below), _DAY)
    left, text = round(seconds / grain) * grain, ""
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        text += f"{count}{unit}" if count else ""
    return text


def labels(value: object, without: frozenset[str] = frozenset()) -> str:
    """Labels as `name=value`, in their order."""
    if not isinstance(value, Mapping):
        return plain(value)
    return plain({name: one for name, one in value.items() if name not in without})


def matchers(value: object) -> str:
    """Matchers as Alertmanager prints them: `team="db", instance=~"web.*"`."""
    if not isinstance(value, list):
        return plain(value)
    return ", ".join(_matcher(one) for one in value) or NONE


def _matcher(one: Any) -> str:
    if not isinstance(one, Mapping):
        return plain(one)
    text = str(one.get("value", "")).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return printable(f'{one.get("name")}{one.get("operator", "=")}"{text}"')
