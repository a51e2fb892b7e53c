"""Prometheus' remote write, version 1: samples as the bytes that /api/v1/write takes.

A WriteRequest is three kinds of protobuf field, and a snappy block may hold literals alone, which is what is written here: it is
for the loopback, where compressing costs more than it saves. Sources: prometheus.io/docs/specs/prw/remote_write_spec, snappy's
format_description.txt.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rules.labels import Labels

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
STALE: Final = struct.pack("<Q", 0x7FF0000000000002)
"""The one NaN that says that a series has ended (prometheus/model/value)."""

Point = tuple[int, float | None]
"""Milliseconds since the epoch and the value, `None` for a stale marker."""

_LITERAL: Final = 1 << 16
"""The longest literal that a length of two bytes can give."""


def request(series: Iterable[tuple[Labels, Sequence[Point]]]) -> bytes:
    """The body of a request that writes these points, each series' in the order of their times."""
    return _snappy(b"".join(_field(1, _series(labels, points)) for labels, points in series))


def _series(labels: Labels, points: Sequence[Point]) -> bytes:
    pairs = (_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels.items())
    return b"".join((*pairs, *(_field(2, _sample(at, value)) for at, value in points)))


def _sample(at: int, value: float | None) -> bytes:
    bits = STALE if value is None else struct.pack("<d", value)
    return b"\x09" + bits + b"\x10" + _varint(at & 0xFFFFFFFFFFFFFFFF)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _snappy(content: bytes) -> bytes:
    parts = [_varint(len(content))]
    for at in range(0, len(content), _LITERAL):
        literal = content[at : at + _LITERAL]
        parts += [bytes([61 << 2]), struct.pack("<H", len(literal) - 1), literal]
    return b"".join(parts)
