"""Label sets as immutable values, with the two identities hung on them: our key and Prometheus' public fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Final

from rules.errors import LabelError

ALERTNAME: Final = "alertname"
METRIC_NAME: Final = "__name__"
SEVERITY: Final = "severity"

_FNV_OFFSET: Final = 14695981039346656037
_FNV_PRIME: Final = 1099511628211
_DIGEST: Final = 0xFFFFFFFFFFFFFFFF
_LANE: Final = 128
"""Bits: a digest times the prime has 105."""
_FEW: Final = 8
_SEPARATOR: Final = b"\xff"


class Labels(Mapping[str, str]):
    """An immutable set of label pairs, sorted by name; equal and hashable by content. Empty values count as absent.

    Source: Prometheus drops labels with an empty value before identity is taken (model/labels), and so do we.
    Raises LabelError for text that UTF-8 cannot write (half a surrogate pair), which has no identity anywhere.
    """

    __slots__ = ("_fingerprint", "_hash", "_key", "_pairs")

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        merged = dict(pairs)
        # A start makes some hundred thousand of these: what nearly all are, sorted and without empty values, is found at once.
        ordered = {name: merged[name] for name in sorted(merged)}
        if "" in ordered.values():
            ordered = {name: value for name, value in ordered.items() if value != ""}
        self._pairs: dict[str, str] = ordered
        self._hash: int | None = None
        self._key: str | None = None
        self._fingerprint: str | None = None
        if not ("".join(ordered).isascii() and "".join(ordered.values()).isascii()):
            for name, value in ordered.items():
                _check_utf8(name, value)

    def __getitem__(self, name: str) -> str:
        return self._pairs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def items(self) -> ItemsView[str, str]:
        """The pairs, by name."""
        return self._pairs.items()

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(tuple(self._pairs.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels):
            return self._pairs == other._pairs
        return NotImplemented

    def __repr__(self) -> str:
        return f"Labels({self._pairs!r})"

    def __str__(self) -> str:
        """As PromQL writes it: `{a="b", c="d"}`, with quotes and backslashes escaped."""
        return "{" + ", ".join(f"{name}={_quoted(value)}" for name, value in self._pairs.items()) + "}"

    def without(self, *names: str) -> Labels:
        """The same labels less those named."""
        return Labels({name: value for name, value in self._pairs.items() if name not in names})

    def merged(self, over: Mapping[str, str]) -> Labels:
        """These labels with `over` laid on top; an empty value in `over` removes the label."""
        return Labels({**self._pairs, **over})

    def less(self, others: Mapping[str, str]) -> Labels:
        """The same labels less those that `others` has with the same value."""
        return Labels({name: value for name, value in self._pairs.items() if others.get(name) != value})

    def subset(self, names: Iterable[str]) -> Labels:
        """Those of the named labels that exist here, as `group_by` wants them."""
        return Labels({name: self._pairs[name] for name in names if name in self._pairs})

    def canonical(self) -> bytes:
        """The bytes all identities are taken over: sorted `name 0xFF value 0xFF` (prometheus/common model)."""
        parts = [text for pair in self._pairs.items() for text in pair]
        joined = "\0".join(parts) + "\0" if parts else ""
        if joined.count("\0") == len(parts):
            # All at once: a byte 0 is in UTF-8 nothing but a NUL, and these have none of their own.
            return joined.encode().replace(b"\0", _SEPARATOR)
        return b"".join(text.encode() + _SEPARATOR for text in parts)

    def key(self) -> str:
        """SHA-256 of the canonical bytes, 64 hex digits: the identity Tocsin's own tables use."""
        if self._key is None:
            self._key = hashlib.sha256(self.canonical()).hexdigest()
        return self._key

    def fingerprint(self) -> str:
        """Prometheus' FNV-1a 64 fingerprint, 16 hex digits: the public name, as amtool shows it.

        Costs ~0.1 µs per byte when it is first asked for; give_fingerprints makes those of many at once for a quarter of that.
        """
        if self._fingerprint is None:
            digest = _FNV_OFFSET
            for byte in self.canonical():
                digest = ((digest ^ byte) * _FNV_PRIME) & _DIGEST
            self._fingerprint = f"{digest:016x}"
        return self._fingerprint

    @classmethod
    def known(cls, pairs: Mapping[str, str], fingerprint: str) -> Labels:
        """Labels whose fingerprint was kept with them."""
        labels = cls(pairs)
        labels._fingerprint = fingerprint
        return labels


class LabelTexts(Labels):
    """The labels a rule lays over those of its series, as they were written: an empty text is kept, for it removes a label.

    Equal to Labels of the same pairs. Raises LabelError as Labels does.
    """

    __slots__ = ()

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        texts = dict(pairs)
        super().__init__(texts)
        self._pairs = {name: texts[name] for name in sorted(texts)}
        for name, text in self._pairs.items():
            _check_utf8(name, text)


def give_fingerprints(many: Iterable[Labels]) -> None:
    """Work out the fingerprints of all of these at once; afterwards each knows its own. Of a few each may do so itself.

    The digests lie side by side in one long integer, 128 bits apart, so that one multiplication does a step of all of them.
    The longest texts lie lowest, and what is through is cut off at the top.
    """
    waiting = sorted(
        ((labels.canonical(), labels) for labels in many if labels._fingerprint is None), key=_length, reverse=True
    )
    if len(waiting) < _FEW:
        return
    lengths = [len(text) for text, _ in waiting]
    width, going = lengths[0], len(waiting)
    columns = b"".join(text.ljust(width) for text, _ in waiting)
    ones = _side_by_side(b"\x01" * going)
    digests, low = ones * _FNV_OFFSET, ones * _DIGEST
    for place in range(width + 1):
        while going and lengths[going - 1] == place:
            going -= 1
            waiting[going][1]._fingerprint = f"{digests >> (_LANE * going):016x}"
            cut = (1 << (_LANE * going)) - 1
            digests, low = digests & cut, low & cut
        step = _side_by_side(columns[place : going * width : width])
        digests = ((digests ^ step) * _FNV_PRIME) & low


def _length(one: tuple[bytes, Labels]) -> int:
    return len(one[0])


def _side_by_side(column: bytes) -> int:
    """One byte in each lane."""
    lanes = bytearray(len(column) * _LANE // 8)
    lanes[:: _LANE // 8] = column
    return int.from_bytes(lanes, "little")


def _check_utf8(name: str, value: str) -> None:
    for part, text in (("name", name), ("value", value)):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            message = (
                f"label {name!r}: its {part} {text!r} is no valid UTF-8, for the character at {error.start} is half a "
                "surrogate pair; write the whole character"
            )
            raise LabelError(message, field="labels") from error


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
