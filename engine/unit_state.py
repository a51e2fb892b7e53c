"""The blob a slot leaves on its unit's row: per rule when and how it went, per active alert its current value.

One blob per unit and slot instead of a row per rule or series: a steady cycle writes one row per unit and nothing else.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Final, TypeVar

import msgspec

from engine.core.standing import Standing
from engine.judging import Judgement

Numbers = TypeVar("Numbers", "array[int]", "array[float]")


class RuleTiming(msgspec.Struct, array_like=True, frozen=True, dict=True):
    """How a rule's last evaluation went; `numbers` are the rows of its active alerts, `measured` their current values.

    Both are 8 bytes each, the lowest first. `values` has them in a blob of a version before that wrote them one by one.
    """

    duration: timedelta
    sample_count: int
    error: str | None
    values: dict[str, float] = {}
    numbers: bytes = b""
    measured: bytes = b""

    @cached_property
    def current(self) -> Mapping[int, float]:
        """The current values by the number of the alert's row."""
        numbers = _lowest_first(array("q", self.numbers))
        older = {int(number): value for number, value in self.values.items()}
        return {**older, **dict(zip(numbers, _lowest_first(array("d", self.measured)), strict=True))}


QUIET: Final = ""
"""Stands for every rule of the unit that the blob does not name: it had no sample and no error."""


def encode(judgements: Mapping[str, Judgement], *, quiet: timedelta = timedelta(0)) -> bytes:
    """The blob of a slot, by rule id; of the rules it does not name, their query took `quiet`. MessagePack: JSON has no NaN."""
    named = {name: _timing(one) for name, one in judgements.items() if one.sample_count or one.error or one.alerts}
    return msgspec.msgpack.encode({QUIET: RuleTiming(quiet, 0, None), **named})


def decode(state: bytes) -> dict[str, RuleTiming]:
    """The reverse of encode."""
    return msgspec.msgpack.decode(state, type=dict[str, RuleTiming])


def _timing(one: Judgement) -> RuleTiming:
    if isinstance(one.alerts, Standing):
        numbers, values = one.alerts.numbers, one.alerts.values_now
    else:
        stored = [alert for alert in one.alerts.values() if alert.id is not None]
        numbers = array("q", [alert.id or 0 for alert in stored])
        values = array("d", [alert.value for alert in stored])
    return RuleTiming(one.duration, one.sample_count, one.error, numbers=_bytes(numbers), measured=_bytes(values))


def _bytes(numbers: Numbers) -> bytes:
    return _lowest_first(numbers[:]).tobytes()


def _lowest_first(numbers: Numbers) -> Numbers:
    """Of the machine's order and that of the blob one from the other."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
