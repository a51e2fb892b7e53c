"""The functions Alertmanager gives to the templates of messages (A:template/template.go of 0.34), beside Go's own.

Each takes what the template gave it and says so when that is of the wrong kind. `match`, `reReplaceAll` and
`humanizeDuration` are those of rules' templates.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo

from gotpl import HTML, URL
from gotpl.runtime.values import UNTYPED_NIL

from rules import humanize
from rules.go_time import GoDuration, GoTime
from rules.message_data import AsJson, Labelled, Root, Texts
from rules.template_functions import BOUND, PURE, Function, Surroundings
from rules.zones import is_zone

_WORD: Final = re.compile(r"\w(?:\w|[.'’·:](?=\w))*")
"""Go's words (golang.org/x/text/cases): dots and apostrophes between letters do not end one."""
_PLACES: Final = {
    "2006": "%Y", "06": "%y", "01": "%m", "02": "%d", "15": "%H", "03": "%I", "04": "%M", "05": "%S", "January": "%B",
    "Jan": "%b", "Monday": "%A", "Mon": "%a", "PM": "%p", "Z07:00": "%z", "-07:00": "%z", "-0700": "%z", "MST": "%Z",
}  # fmt: skip
_LAYOUT: Final = re.compile("|".join(map(re.escape, sorted(_PLACES, key=len, reverse=True))))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"wrong type of argument; expected a string, got {value!r:.40}")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"wrong type of argument; expected a list of strings, got {value!r:.40}")
    return [_text(one) for one in value]


def _time(value: object) -> GoTime:
    if not isinstance(value, GoTime):
        raise TypeError(f"wrong type of argument; expected a time such as .StartsAt, got {value!r:.40}")
    return value


def title(text: str) -> str:
    """Each word with a large first letter, the others small."""
    return _WORD.sub(lambda word: word[0][:1].title() + word[0][1:].lower(), text)


def _in_zone(name: object, at: object) -> GoTime:
    if not is_zone(_text(name)):
        raise ValueError(f"unknown time zone {name}")
    return GoTime(_time(at).moment.astimezone(ZoneInfo(_text(name))))


def _to_date(layout: object, text: object) -> GoTime:
    """The time that a text in this layout says, in UTC unless it names an offset."""
    known = _LAYOUT.sub(lambda place: _PLACES[place[0]], _text(layout).replace("%", "%%"))
    try:
        moment = datetime.strptime(_text(text), known)  # noqa: DTZ007 - the zone is added below
    except ValueError as error:
        raise ValueError(f"cannot read {text!r:.60} as a time in the layout {layout!r:.60}") from error
    return GoTime(moment if moment.tzinfo else moment.replace(tzinfo=humanize.to_time(0).moment.tzinfo))


def _to_json(value: object) -> str:
    """As Go's encoding/json: no blanks, a map by its keys, `<`, `>` and `&` escaped so that HTML is not broken by them."""
    plain = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&\u2028\u2029]", lambda letter: f"\\u{ord(letter[0]):04x}", plain)


def _plain(value: object) -> object:
    match value:
        case Mapping():
            return {name: _plain(value[name]) for name in sorted(value)}
        case list() | tuple():
            return [_plain(one) for one in value]
        case AsJson():
            return {name: _plain(one) for name, one in value.as_json().items()}
        case _:
            return _plain_scalar(value)


def _plain_scalar(value: object) -> object:
    match value:
        case GoTime():
            return value.format("2006-01-02T15:04:05.999999999Z07:00")
        case GoDuration():
            return value.nanoseconds
        case _ if value is UNTYPED_NIL:
            return None
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"cannot write {type(value).__name__} as JSON")


def _appended(values: object, *more: object) -> list[object]:
    if not isinstance(values, list | tuple):
        raise TypeError(f"append wants a list first, got {values!r:.40}")
    return [*values, *more]


def _dict(*pairs: object) -> dict[str, object]:
    if len(pairs) % 2:
        raise ValueError("dict wants pairs of a name and a value")
    return {_text(name): value for name, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _now(around: Surroundings) -> GoTime:
    assert around.now is not None
    return GoTime(around.now)


def _since(around: Surroundings, at: object) -> GoDuration:
    assert around.now is not None
    return GoDuration(round((around.now - _time(at).moment).total_seconds() * 1e6) * 1000)


MESSAGE_PURE: Final[Mapping[str, Function]] = {
    "toUpper": PURE["toUpper"],
    "toLower": PURE["toLower"],
    "title": lambda text: title(_text(text)),
    "trimSpace": lambda text: _text(text).strip(),
    "join": lambda between, texts: _text(between).join(_texts(texts)),
    "safeHtml": lambda text: HTML(_text(text)),
    "safeUrl": lambda text: URL(_text(text)),
    "urlUnescape": lambda text: unquote_plus(_text(text)),
    "stringSlice": lambda *texts: Texts(_text(one) for one in texts),
    "date": lambda layout, at: _time(at).format(_text(layout)),
    "tz": _in_zone,
    "humanizeDuration": PURE["humanizeDuration"],
    "toDate": _to_date,
    "mustToDate": _to_date,
    "toJson": _to_json,
    "base64encode": lambda text: base64.b64encode(_text(text).encode()).decode(),
    "base64decode": lambda text: base64.b64decode(_text(text), validate=True).decode("utf-8", "replace"),
    "list": lambda *values: list(values),
    "append": _appended,
    "dict": _dict,
}
"""The functions that depend on their arguments alone."""

MESSAGE_BOUND: Final[Mapping[str, Function]] = {
    "match": BOUND["match"],
    "reReplaceAll": BOUND["reReplaceAll"],
    "now": _now,
    "since": _since,
}
"""The functions that are given their surroundings before what the template gives them."""


def route_label(root: object, name: object) -> str:
    """The text of a label of the group's route."""
    return Labelled(root.data.route_labels).get(_text(name), "") if isinstance(root, Root) else ""
