"""The firing alerts as Alertmanager shows them. What keeps one quiet is asked of the engine, for those that something may.

An alert is written by hand, for its labels and annotations are JSON already.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from api.alertmanager.asked import Asked
from api.alertmanager.receivers import Receivers
from api.backend import Backend, Definitions, Timing
from engine.core.external import outward
from engine.core.muting import Mute, MuteKind, Mutes
from engine.core.posting import EXTERNAL, Expiry
from engine.store import alerts
from engine.store.door import Connection
from engine.store.firing import FiringRow
from rules.inhibition import is_target
from rules.labels import Labels
from rules.silences import SilenceState

RESEND: Final = timedelta(minutes=1)
"""Prometheus' resend delay: the end it would give a rule's alert is four of these, or of the rule's interval, away."""
_BY_ALERT: Final = frozenset({MuteKind.INHIBITION, MuteKind.LEVEL})
_BY_INTERVAL: Final = frozenset({MuteKind.ACTIVE_TIME_INTERVAL, MuteKind.MUTE_TIME_INTERVAL})
ACTIVE: Final = '{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}'


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as Alertmanager's API prints it."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


@dataclass(slots=True)
class Shown:
    """One alert with what is needed to choose it: its labels as a mapping, and who hears of it."""

    row: FiringRow
    labels: Mapping[str, str]
    receivers: tuple[str, ...]
    mutes: tuple[Mute, ...] = ()

    @property
    def silenced_by(self) -> list[str]:
        return sorted(mute.by for mute in self.mutes if mute.kind is MuteKind.SILENCE)

    @property
    def inhibitors(self) -> list[int]:
        return [mute.source for mute in self.mutes if mute.kind in _BY_ALERT and mute.source is not None]


@dataclass(slots=True)
class View:
    """What fires, seen in one transaction at `now`."""

    service: Backend
    connection: Connection
    now: datetime
    definitions: Definitions
    receivers: Receivers = field(init=False)
    _ends: Mapping[int, Expiry] = field(init=False)
    _timings: Mapping[str, Timing] = field(init=False)
    _written: dict[tuple[str, ...], str] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.receivers = Receivers.under(self.definitions)
        self._ends = self.service.posting.waiting()
        self._timings = self.service.timings(self.connection, list(self.definitions.rules.values()))

    def shown(self, rows: Iterable[FiringRow], asked: Asked) -> list[Shown]:
        """Those of these alerts that are asked for, with what keeps each quiet. Of equal labels the first to fire is shown."""
        one_route = () if self._is_routed else self.receivers.of("", {})
        found: dict[str, Shown] = {}
        for row, labels in filter(lambda one: asked.fits(one[1]), map(self._outward, rows)):
            receivers = one_route or self.receivers.of(row.source, labels)
            twin = found.get(row.fingerprint)
            if asked.hears(receivers) and (twin is None or row.starts_at < twin.row.starts_at):
                found[row.fingerprint] = Shown(row, labels, receivers)
        self._mute(found.values())
        return [one for one in found.values() if asked.shows(silenced=_silenced(one), inhibited=bool(one.inhibitors))]

    def _outward(self, row: FiringRow) -> tuple[FiringRow, Mapping[str, str]]:
        """The alert as it is known outside, with its labels."""
        labels: Mapping[str, str] = orjson.loads(row.labels)
        external = self.service.settings.external_labels
        if not external or row.source == EXTERNAL:
            return row, labels
        labels = outward(Labels(labels), row.source, external)
        return row._replace(labels=orjson.dumps(dict(labels)).decode()), labels

    def write(self, one: Shown, *, muted_by: Collection[str] = ()) -> str:
        """The alert as JSON; `muted_by` are the intervals that mute the group it is shown in."""
        row = one.row
        ends_at, updated_at = self._times(row)
        origin = f'"generatorURL":{orjson.dumps(url).decode()},' if (url := self._origin(row)) else ""
        return (
            f'{{"annotations":{row.annotations},"endsAt":"{time_text(ends_at)}","fingerprint":"{row.fingerprint}",'
            f'"receivers":{self._receivers_text(one.receivers)},"startsAt":"{time_text(row.starts_at)}",'
            f'"status":{self._status(one, muted_by)},"updatedAt":"{time_text(updated_at)}",{origin}"labels":{row.labels}}}'
        )

    @property
    def _is_routed(self) -> bool:
        """Whether it takes a look at an alert to know who hears of it."""
        rules = self.definitions.rules.values()
        return bool(self.definitions.tree.root.children) or any(rule.notification_channels for rule in rules)

    def _mute(self, found: Collection[Shown]) -> None:
        may_be_quiet = self._suspicion()
        suspects = [one for one in found if may_be_quiet(one)]
        if not suspects:
            return
        stored = alerts.by_id(self.connection, [one.row.number for one in suspects])
        mutes: Mutes = self.service.mutes(self.connection, stored.values())
        for one in suspects:
            one.mutes = mutes.get(one.row.number, ())
        doing = {number for one in suspects for number in one.inhibitors}
        named = alerts.identities(self.connection, doing)
        self._names |= {number: labels.fingerprint() for number, (_, labels) in named.items()}

    def _suspicion(self) -> Callable[[Shown], bool]:
        """Whether something may keep an alert quiet: cheap to ask, and never wrongly no."""
        silences = [
            one
            for one in self.definitions.silences
            if one.state(self.now, self.definitions.time_intervals) is SilenceState.ACTIVE
        ]
        rules, levels = self.definitions.inhibit_rules, self.definitions.thresholds

        def may_be_quiet(one: Shown) -> bool:
            return (
                one.row.source in levels
                or any(silence.covers(one.labels) for silence in silences)
                or any(is_target(rule, one.labels) for rule in rules)
            )

        return may_be_quiet

    def _times(self, row: FiringRow) -> tuple[datetime, datetime]:
        """Until when the alert is believed, and when it was last heard of."""
        waiting = self._ends.get(row.number)
        if waiting is not None:
            return waiting.ends_at, waiting.updated_at
        if row.ends_at is not None and row.updated_at is not None:
            return row.ends_at, row.updated_at
        timing = self._timings.get(row.source)
        heard = self.now if timing is None or timing.last_evaluation_at is None else timing.last_evaluation_at
        interval = RESEND if timing is None or timing.interval is None else timing.interval
        return heard + 4 * max(interval, RESEND), heard

    def _origin(self, row: FiringRow) -> str:
        """Where the alert comes from: what its sender says, or for one of our own why it fires."""
        if row.source == EXTERNAL:
            return row.generator_url
        return f"{self.service.settings.external_url}/api/v1/alerts/{row.fingerprint}/explain"

    def _receivers_text(self, receivers: tuple[str, ...]) -> str:
        text = self._written.get(receivers)
        if text is None:
            text = self._written[receivers] = orjson.dumps([{"name": name} for name in receivers]).decode()
        return text

    def _status(self, one: Shown, muted_by: Collection[str]) -> str:
        if not one.mutes and not muted_by:
            return ACTIVE
        silenced_by, inhibited_by = one.silenced_by, [self._names[number] for number in one.inhibitors]
        quiet = silenced_by or inhibited_by or muted_by
        return orjson.dumps(
            {
                "inhibitedBy": list(dict.fromkeys(inhibited_by)),
                "mutedBy": list(muted_by),
                "silencedBy": silenced_by,
                "state": "suppressed" if quiet else "active",
            }
        ).decode()


def _silenced(one: Shown) -> bool:
    return any(mute.kind is MuteKind.SILENCE for mute in one.mutes)


def view(service: Backend, connection: Connection) -> View:
    """What fires now."""
    now = service.database.now(connection)
    return View(service, connection, now, service.feed.refresh(connection))
