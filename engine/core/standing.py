"""Alerts that stand as they are: a slot that brings the same series brings nothing but their values.

A judgement looks at every alert of a rule and finds, in a steady state, that all of them go on. `stance` says of a judgement
whether that can be foreseen; `Standing.moved` then answers for the next slot by comparing two digests and moving the values as
one array, and no alert is looked at.

Argument. Let a slot S leave a stance, and let a slot T after it have the same rule, the same refinement and the same series,
in the same order, of which the same are active. Then T, judged in full, leaves what S left, with T's values:

- The elements of T are those of S with other values: a rule without threshold rows makes of an active series one element,
  whose labels hang on the rule and the series alone where no label of the rule is a template. So none fails, and no label set
  comes twice, because none did at S.
- Each alert of S was seen at S (as many alerts as elements, none refused), so nothing keeps it that would end now; and it is
  seen at T, so none is gone, and none is new: the limit refuses nobody, and no series is missing.
- A firing alert goes on, since it has held for its `for` at S and T is not earlier. A pending one goes on until the slot at
  which it has held: `until`. No time is taken out of its account, because no slot was missed.
- What the rule's status is made of (no error, no limit, the same problems, the same knowledge of data) is as it was at S.
- Nothing is rendered but at a transition or an edit.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core.alert import Alert, Sample, State
from engine.core.vector import Vector
from rules.labels import Labels
from rules.rule import Condition, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a judgement without an error is made of, beside the alerts before it.

    `refinement` is what the rule is evaluated with, told by identity. `past` is the comparison that is left to do, `None` where
    every sample is active. `has_data` is what is known of the rule's left side.
    """

    rule: Rule
    refinement: object
    samples: Sequence[Sample]
    past: tuple[Condition, float] | None
    has_data: bool | None
    slot: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """What has to be as it was at `slot` for a later slot, before `until`, to leave its alerts as they are."""

    rule: Rule
    refinement: object
    series: bytes
    active: array[int] | None
    has_data: bool | None
    slot: datetime
    until: datetime | None

    def values(self, basis: Basis) -> array[float] | None:
        """The values of the alerts at that slot, in their order; `None` where it may bring anything else."""
        if (
            basis.rule is not self.rule
            or basis.refinement is not self.refinement
            or basis.has_data is not self.has_data
        ):
            return None
        if basis.slot < self.slot or (self.until is not None and basis.slot >= self.until):
            return None
        vector = basis.samples
        if not isinstance(vector, Vector) or vector.series != self.series:
            return None
        if self.active is None:
            return vector.values
        active = _active(basis, vector)
        return None if active != self.active else array("d", map(vector.values.__getitem__, self.active))


class Standing(Mapping[Labels, Alert]):
    """The alerts of a judgement, in its order, with the values of a later one; whoever looks at one has all of them made."""

    __slots__ = ("_alerts", "_made", "_stance", "numbers", "values_now")

    def __init__(
        self,
        stance: Stance,
        alerts: Mapping[Labels, Alert],
        *,
        numbers: array[int],
        values: array[float],
        made: Mapping[Labels, Alert] | None = None,
    ) -> None:
        self._stance = stance
        self._alerts = alerts
        self._made = made
        self.numbers = numbers
        """The numbers of their rows, and beside it their values."""
        self.values_now = values

    @classmethod
    def of(cls, stance: Stance, alerts: Mapping[Labels, Alert]) -> Standing:
        """The alerts that a judgement left with this stance, once they have rows."""
        numbers = array("q", [alert.id or 0 for alert in alerts.values()])
        values = array("d", [alert.value for alert in alerts.values()])
        return cls(stance, alerts, numbers=numbers, values=values, made=alerts)

    def moved(self, basis: Basis, gap: timedelta) -> Standing | None:
        """The alerts at another slot; `None` where it has to be judged. `gap` is the time before it that nobody evaluated."""
        values = None if gap else self._stance.values(basis)
        return None if values is None else Standing(self._stance, self._alerts, numbers=self.numbers, values=values)

    @property
    def made(self) -> Mapping[Labels, Alert]:
        """The alerts as objects."""
        if self._made is None:
            now = zip(self._alerts.items(), self.values_now, strict=True)
            self._made = {labels: alert.at(value) for (labels, alert), value in now}
        return self._made

    def __getitem__(self, labels: Labels) -> Alert:
        return self.made[labels]

    def __iter__(self) -> Iterator[Labels]:
        return iter(self._alerts)

    def __len__(self) -> int:
        return len(self._alerts)


def stance(basis: Basis, alerts: Mapping[Labels, Alert]) -> Stance | None:
    """What these alerts, that a judgement on this basis left without a refusal or an error, stand on.

    `None` where something may yet come of the same series. The labels of the rule's alerts are to hang on their series alone,
    and each alert is to be that of one active sample, in their order, if there are as many.
    """
    vector = basis.samples
    if not alerts or not isinstance(vector, Vector) or len(vector) > _WORTH * len(alerts):
        return None
    active = None if basis.past is None else _active(basis, vector)
    if len(vector if active is None else active) != len(alerts) or vector.series is None:
        return None
    hold, slot = basis.rule.hold, basis.slot
    pending = [alert.active_at for alert in alerts.values() if alert.state is State.PENDING]
    if len(pending) < len(alerts) and slot - max(_firing_since(alerts.values())) < hold:
        return None  # The clock was set back to before it fired.
    return Stance(
        rule=basis.rule,
        refinement=basis.refinement,
        series=vector.series,
        active=active,
        has_data=basis.has_data,
        slot=slot,
        until=min(pending) + hold if pending else None,
    )


_WORTH = 16
"""With more series than this to an alert, telling them apart costs more than judging the alerts."""


def _firing_since(alerts: Collection[Alert]) -> Iterator[datetime]:
    return (alert.active_at for alert in alerts if alert.state is State.FIRING)


def _active(basis: Basis, vector: Vector) -> array[int] | None:
    """The places of the elements that are past the bound; `None` for all."""
    return None if basis.past is None else array("q", vector.places_past(*basis.past))
