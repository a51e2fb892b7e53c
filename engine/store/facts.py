"""Facts as bytes and back. MessagePack, because JSON has no NaN and a value may be one."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.core.facts import Facts
from rules.labels import Labels


def encode(facts: Facts) -> bytes:
    """The bytes of a notification's facts."""
    return msgspec.msgpack.encode(facts, enc_hook=_plain)


def decode(content: bytes) -> Facts:
    """The facts of these bytes, exactly as they were encoded."""
    return msgspec.msgpack.decode(content, type=Facts, dec_hook=_rich)


def _plain(value: Any) -> Any:
    if isinstance(value, Labels):
        return dict(value.items())
    raise NotImplementedError(f"facts cannot hold a {type(value).__name__}")


def _rich(kind: type, value: Any) -> Any:
    if kind is Labels:
        return Labels(value)
    raise NotImplementedError(f"facts cannot hold a {kind.__name__}")
