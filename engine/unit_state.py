"""The blob a slot leaves on its unit's row: per rule when and how it went, per active alert its current value.

One blob per unit and slot instead of a row per rule or series: a steady cycle writes one row per unit and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from engine.judging import Judgement


class RuleTiming(msgspec.Struct, array_like=True, frozen=True):
    """How a rule's last evaluation went; `values` are its active alerts' current values by fingerprint-free label key."""

    duration: timedelta
    sample_count: int
    error: str | None
    values: dict[str, float]


def encode(judgements: Mapping[str, Judgement]) -> bytes:
    """The blob of a slot, by rule id. MessagePack, because JSON has no NaN."""
    return msgspec.msgpack.encode({name: _timing(one) for name, one in judgements.items()})


def decode(state: bytes) -> dict[str, RuleTiming]:
    """The reverse of encode."""
    return msgspec.msgpack.decode(state, type=dict[str, RuleTiming])


def _timing(one: Judgement) -> RuleTiming:
    values = {str(alert.id): alert.value for alert in one.alerts.values() if alert.id is not None}
    return RuleTiming(one.duration, one.sample_count, one.error, values)
