"""Changed alerts into the database: the alerts, the ledger, their groups and first flushes, and the slot they belong to.

Everything is worked out before the write begins; a write holds at most a few hundred rows, because on SQLite nobody else can
write meanwhile. The slot is noted in the last chunk only: a crash between chunks evaluates the slot once more, and what is
already written is then no change any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from engine.core.alert import Alert, Change, State
from engine.core.external import NONE, outward
from engine.core.grouping import Placement, Placing, has_waited, place
from engine.core.posting import EXTERNAL
from engine.store import alerts, exclusive, groups, ledger, moving, rule_status, units
from engine.store.database import Database
from engine.store.definitions import Definitions
from engine.store.door import Connection
from engine.store.ledger import Entry, Kind, Subject
from engine.store.rule_status import RuleStatus
from engine.store.units import Unit
from rules.labels import Labels
from rules.routing import Tree
from rules.rule import Rule

CHUNK: Final = 300


class StaleUnitError(RuntimeError):
    """The unit was taken over while its slot was evaluated; nothing more may be written for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one slot of one unit (or the end of some rules) leaves to be written."""

    slot: datetime
    changes: Sequence[Change] = ()
    touched: Sequence[Alert] = ()
    statuses: Sequence[RuleStatus] = ()
    rules: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Intake:
    """Writes batches into `database`; alerts are placed under the `external` labels too."""

    database: Database
    external: Labels = NONE

    def commit(self, batch: Batch, tree: Tree, *, unit: Unit, missed: int, state: bytes) -> dict[alerts.Identity, int]:
        """Write a slot's batch; answers the row numbers of changed alerts. Raises StaleUnitError when the unit was lost."""
        numbers: dict[alerts.Identity, int] = {}
        head, last = _split(batch.changes)
        for chunk in head:
            with self.database.write() as connection:
                if not units.holds(connection, unit):
                    raise StaleUnitError(unit.id)
                numbers |= _write(connection, chunk, batch, tree, external=self.external)
        with self.database.write() as connection:
            if not units.commit_slot(connection, unit, slot=batch.slot, missed=missed, state=state):
                raise StaleUnitError(unit.id)
            numbers |= _write(connection, last, batch, tree, external=self.external)
            alerts.touch(connection, batch.touched)
            rule_status.save(connection, batch.statuses)
        return numbers

    def take_in(self, connection: Connection, batch: Batch, tree: Tree) -> dict[alerts.Identity, int]:
        """Write a batch of posted alerts in the caller's transaction; answers their row numbers."""
        return _write(connection, batch.changes, batch, tree, external=self.external)

    def end(self, batch: Batch, tree: Tree) -> None:
        """Write changes that no unit stands behind: ends of alerts whose rule is gone, and the engine's own alerts.

        Another process may have written the same a moment ago, so what is no change any more is left out.
        """
        head, last = _split(batch.changes)
        for chunk in [*head, last]:
            with self.database.write() as connection:
                exclusive.take(connection, exclusive.CHORES)
                _write(connection, _still(connection, chunk), batch, tree, external=self.external)

    def place_again(self, connection: Connection, number: int, definitions: Definitions, now: datetime) -> bool:
        """Put a firing alert that is in no group where it belongs, to be told of at once; False when it fires no more."""
        alert = alerts.by_id(connection, [number]).get(number)
        if alert is None or alert.state is not State.FIRING:
            return False
        labels = outward(alert.labels, alert.source, self.external)
        placements = place(definitions.rules.get(alert.source), labels, definitions.tree)
        entering = [(number, placement) for placement in placements]
        made = groups.join(connection, entering, now)
        details = [_placement_detail(one, made[groups.key_of(one)]) for one in placements]
        ledger.write(connection, [_placed(number, detail, now) for detail in details])
        return bool(entering)


def _split(changes: Sequence[Change]) -> tuple[list[Sequence[Change]], Sequence[Change]]:
    chunks = [changes[start : start + CHUNK] for start in range(0, len(changes), CHUNK)] or [()]
    return list(chunks[:-1]), chunks[-1]


def _still(connection: Connection, changes: Sequence[Change]) -> list[Change]:
    """The changes whose alerts are still in the state that they change."""
    active = alerts.active_of(connection, {change.alert.source for change in changes})
    return [
        change for change in changes if _active(active[change.alert.source].get(change.alert.labels)) == _before(change)
    ]


def _active(alert: Alert | None) -> State | None:
    return None if alert is None else alert.state


def _before(change: Change) -> State | None:
    return None if change.before is State.INACTIVE else change.before


def _write(
    connection: Connection, changes: Sequence[Change], batch: Batch, tree: Tree, *, external: Labels
) -> dict[alerts.Identity, int]:
    numbers = alerts.save(connection, changes)
    entries = [transition(change, _number(change.alert, numbers), batch.slot) for change in changes]
    fired = {_number(change.alert, numbers): change for change in changes if _begins_to_fire(change)}
    known = moving.places(connection, [number for number, change in fired.items() if _may_be_somewhere(change)])
    placing = Placing(tree)
    entering: list[tuple[int, Placement]] = []
    for number, change in fired.items():
        labels = outward(change.alert.labels, change.alert.source, external)
        taken = placing.place(batch.rules.get(change.alert.source), labels)
        entering += [(number, _where_it_is(number, placement, known)) for placement in taken]
    waited = {groups.key_of(one) for number, one in entering if _has_waited(fired[number].alert, one, batch.slot)}
    groups_made = groups.join(connection, entering, batch.slot, at_once=waited)
    placements = {groups.key_of(one): one for _, one in entering}
    details = {key: _placement_detail(one, groups_made[key]) for key, one in placements.items()}
    entries += [_placed(number, details[groups.key_of(one)], batch.slot) for number, one in entering]
    ledger.write(connection, entries)
    return numbers


def _number(alert: Alert, numbers: Mapping[alerts.Identity, int]) -> int:
    return numbers[alert.source, alert.labels.key()]


def _begins_to_fire(change: Change) -> bool:
    return change.alert.state is State.FIRING and change.before is not State.FIRING


def _may_be_somewhere(change: Change) -> bool:
    """Whether the alert may be in a group yet. A posted one is looked up before, and was never stored if it is new; one of
    a rule is new to an evaluation, too, when it ended a while ago.
    """
    return change.before is not None or change.alert.source != EXTERNAL


def _where_it_is(number: int, placement: Placement, known: Mapping[tuple[int, str], Labels]) -> Placement:
    """The group the alert belongs to; its last one, where its end has not been told there and it still takes the route.

    Were it to enter another because the route's group_by was edited meanwhile, both groups would tell of it.
    """
    labels = known.get((number, placement.policy.route_id)) if known else None
    return placement if labels is None else replace(placement, labels=labels)


def _has_waited(alert: Alert, placement: Placement, slot: datetime) -> bool:
    return has_waited(placement.policy, alert.fired_at or slot, slot)


def _placement_detail(placement: Placement, group_id: int) -> Mapping[str, object]:
    return {
        "group_id": group_id,
        "route_id": placement.policy.route_id,
        "route_version": placement.policy.version,
        "channels": list(placement.policy.channels),
        "group_labels": dict(placement.labels),
        "configuration": placement.version,
    }


def _placed(number: int, detail: Mapping[str, object], slot: datetime) -> Entry:
    return Entry(
        at=slot,
        kind=Kind.PLACEMENT,
        reason="routed",
        subject_type=Subject.ALERT,
        subject_id=str(number),
        detail=detail,
    )


def _governed(alert: Alert) -> dict[str, object]:
    """The number the value was compared with at the transition, and the threshold row it comes from, if from one."""
    row: dict[str, object] = {} if alert.threshold_id is None else {"threshold_id": alert.threshold_id}
    return row if alert.threshold is None else {**row, "threshold": alerts.value_text(alert.threshold)}


def transition(change: Change, number: int, slot: datetime) -> Entry:
    """How the ledger has it that the alert of this number changed."""
    alert = change.alert
    return Entry(
        at=slot,
        kind=Kind.TRANSITION,
        reason=change.reason.value,
        subject_type=Subject.ALERT,
        subject_id=str(number),
        detail={
            "before": None if change.before is None else change.before.value,
            "after": alert.state.value,
            "value": alerts.value_text(alert.value),
            "rule_id": alert.source,
            "rule_version": alert.rule_version,
            **_governed(alert),
        },
    )
