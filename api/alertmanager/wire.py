"""Posted alerts as they come over the wire: cut into alerts without being looked at, and read where they are news.

Source: A:api/v2/openapi.yaml postableAlert; what is a time, what is a URI and what an alert, as Alertmanager has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final

import msgspec

from engine.core.posting import Fault, Post, PostError
from rules.errors import LabelError
from rules.labels import Labels

_NOTHING: Final = msgspec.Raw()
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:(Z)|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_SORTABLE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
"""The one form with a blank, which has no zone (strfmt's sortable pattern)."""
_URI: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:|/)[^\x00-\x20\x7f]*")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO: Final = datetime(1, 1, 1, tzinfo=UTC)


class NotAlertsError(ValueError):
    """The body is no list of alerts at all."""


class WireAlert(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"starts_at": "startsAt", "finishes_at": "endsAt", "generator_url": "generatorURL"},
):
    """One posted alert, as the bytes of its fields."""

    labels: msgspec.Raw = _NOTHING
    annotations: msgspec.Raw = _NOTHING
    starts_at: msgspec.Raw = _NOTHING
    finishes_at: msgspec.Raw = _NOTHING
    generator_url: msgspec.Raw = _NOTHING

    @property
    def form(self) -> bytes:
        return bytes(self.labels)

    @property
    def said(self) -> object:
        """Stands for annotations and origin; a hash, since all of it for every alert would be much to remember."""
        return hash((bytes(self.annotations), bytes(self.generator_url)))

    @property
    def starts_text(self) -> bytes:
        return bytes(self.starts_at)

    def ends_at(self) -> datetime | None:
        return _time(bytes(self.finishes_at), "endsAt")

    def post(self) -> Post:
        """The alert. Raises PostError."""
        labels = _texts(self.labels, "labels")
        if labels is None:
            raise PostError("labels in body is required", Fault.MISSING)
        starts_at, ends_at = _time(bytes(self.starts_at), "startsAt"), self.ends_at()
        if starts_at is not None and ends_at is not None and ends_at < starts_at:
            raise PostError(f"endsAt {ends_at.isoformat()} must not be before startsAt {starts_at.isoformat()}")
        return Post(
            labels=_labels(labels),
            annotations=_annotations(_texts(self.annotations, "annotations") or {}),
            generator_url=_uri(self.generator_url),
            starts_at=starts_at,
            ends_at=ends_at,
        )


_DECODER: Final = msgspec.json.Decoder(list[WireAlert] | None)
_ONE: Final = msgspec.json.Decoder(WireAlert)
_TEXTS: Final = msgspec.json.Decoder(dict[str, str])
"""What nearly all labels and annotations are; the others are looked at pair by pair."""


def read(body: bytes) -> tuple[list[WireAlert], dict[int, PostError]]:
    """The alerts of a body, and by its place what is none; a place that is none is an empty alert. Raises NotAlertsError."""
    try:
        return _DECODER.decode(body) or [], {}
    except msgspec.DecodeError:
        return _one_by_one(body)


def _one_by_one(body: bytes) -> tuple[list[WireAlert], dict[int, PostError]]:
    """The alerts of a body that holds something else too."""
    try:
        items = json.loads(body.decode(errors="replace"))
    except ValueError as error:
        raise NotAlertsError(f"parsing alerts body failed: it is no JSON: {error}") from error
    if not isinstance(items, list):
        raise NotAlertsError(f"parsing alerts body failed: it must be a list of alerts, not {kind(items)}")
    refused = {
        place: PostError(f"an alert must be an object, not {kind(item)}", Fault.SHAPE)
        for place, item in enumerate(items)
        if not isinstance(item, dict)
    }
    return [_ONE.decode(_encoded(item)) if isinstance(item, dict) else WireAlert() for item in items], refused


def _encoded(item: object) -> bytes:
    """Half a surrogate pair, which no bytes can hold, becomes a question mark in a diamond, as it does in Go."""
    return re.sub(r"[\ud800-\udfff]", "\ufffd", json.dumps(item, ensure_ascii=False)).encode()


def _texts(raw: msgspec.Raw, field: str) -> dict[str, str] | None:
    """The pairs of an object; `None` where it is missing."""
    if not raw or bytes(raw) == b"null":
        return None
    try:
        return _TEXTS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pairs = _loaded(raw)
    if not isinstance(pairs, dict):
        raise PostError(f"{field} must be an object of texts, not {kind(pairs)}", Fault.SHAPE)
    return {name: _text(value, f"{field}.{name[:80]}") for name, value in pairs.items()}


def _text(value: object, field: str) -> str:
    if not (isinstance(value, str) or value is None):
        raise PostError(f"{field} must be a text, not {kind(value)}", Fault.SHAPE)
    return value or ""


def _loaded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(_encoded(json.loads(bytes(raw).decode(errors="replace"))))


def _labels(pairs: Mapping[str, str]) -> Labels:
    kept = {name: value for name, value in pairs.items() if value} if "" in pairs.values() else pairs
    if not kept:
        raise PostError("at least one label pair required")
    _check_names(kept, "label set")
    try:
        return Labels(kept)
    except LabelError as error:
        raise PostError(error.message) from error


def _annotations(pairs: dict[str, str]) -> dict[str, str]:
    _check_names(pairs, "annotations")
    return pairs


def _check_names(pairs: Mapping[str, str], what: str) -> None:
    if "" in pairs:
        raise PostError(f'invalid {what}: invalid name ""')
    if not ("\0" in "".join(pairs) or "\0" in "".join(pairs.values())):
        return
    for name, value in pairs.items():
        if "\0" in name or "\0" in value:
            raise PostError(f"invalid {what}: {name[:80]!r} holds a NUL, which no database stores as text")


def _uri(raw: msgspec.Raw) -> str:
    text = msgspec.json.decode(raw) if raw else ""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise PostError(f"generatorURL must be a text, not {kind(text)}", Fault.SHAPE)
    if text and not _URI.fullmatch(text):
        raise PostError(f"generatorURL in body must be of type uri: {text[:200]!r}", Fault.FORMAT)
    return text


@lru_cache(maxsize=4096)
def _time(raw: bytes, field: str) -> datetime | None:
    return parse_time(msgspec.json.decode(raw) if raw else None, field)


def parse_time(value: object, field: str) -> datetime | None:
    """The instant; `None` where there is none, which the year 1 says too. Raises PostError naming the field."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise PostError(f"{field} must be a time as text, not {kind(value)}", Fault.SHAPE)
    if not value:
        return _EPOCH
    moment = _moment(value)
    if moment is None:
        raise PostError(f"{field} {value[:80]!r} is no time; write it like 2026-11-28T12:00:00Z", Fault.SHAPE)
    return None if moment == _ZERO else moment


def _moment(text: str) -> datetime | None:
    found = _TIME.fullmatch(text.replace(" ", "T") if _SORTABLE.fullmatch(text) else text)
    try:
        return None if found is None else _placed(found)
    except (ValueError, OverflowError):
        return None


def _placed(found: re.Match[str]) -> datetime:
    date, minute, second, fraction, _, sign, hours, minutes = found.groups()
    plain = datetime.fromisoformat(f"{date}T{minute}:{second or '00'}.{(fraction or '0')[:6]:0<6}")
    if sign is None:
        return plain.replace(tzinfo=UTC)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return plain.replace(tzinfo=timezone(offset if sign == "+" else -offset)).astimezone(UTC)


def kind(value: object) -> str:
    """What JSON calls a value of this sort, for a complaint."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
