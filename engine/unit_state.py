"""The blob a slot leaves on its unit's row: per rule when and how it went, per active alert its current value.

One blob per unit and slot instead of a row per rule or series: a steady cycle writes one row per unit and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from engine.judging import Judgement


class RuleTiming(msgspec.Struct, array_like=True, frozen=True):
    """How a rule's last evaluation went; `values` are its active alerts' current values by fingerprint-free label key."""

    duration: timedelta
    sample_count: int
    error: str | None
    values: dict[str, float]


QUIET: Final = ""
"""Stands for every rule of the unit that the blob does not name: it had no sample and no error."""


def encode(judgements: Mapping[str, Judgement], *, quiet: timedelta = timedelta(0)) -> bytes:
    """The blob of a slot, by rule id; of the rules it does not name, their query took `quiet`. MessagePack: JSON has no NaN."""
    named = {name: _timing(one) for name, one in judgements.items() if one.sample_count or one.error or one.alerts}
    return msgspec.msgpack.encode({QUIET: RuleTiming(quiet, 0, None, {}), **named})


def decode(state: bytes) -> dict[str, RuleTiming]:
    """The reverse of encode."""
    return msgspec.msgpack.decode(state, type=dict[str, RuleTiming])


def _timing(one: Judgement) -> RuleTiming:
    values = {str(alert.id): alert.value for alert in one.alerts.values() if alert.id is not None}
    return RuleTiming(one.duration, one.sample_count, one.error, values)
