"""Alerts as they are at their last evaluation. A row keeps value and annotations as of its last transition, because a steady
evaluation writes nothing per alert; what it found since is on the unit's row, and the words are made of it here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from engine.core.alert import Alert, State
from engine.core.facts import AlertFacts, Facts
from engine.core.scheduling import Schedule
from engine.judging import Judge
from engine.store import alerts as alert_rows
from engine.store.door import Connection
from engine.timings import Timing, timings
from rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Look:
    """What was read of some alerts, by row number, to bring them up to date without a connection."""

    alerts: Mapping[int, Alert]
    clocks: Mapping[str, Timing]
    rules: Mapping[str, Rule]


@dataclass(frozen=True, slots=True)
class Present:
    """Brings alerts up to date; `schedule_of` says which unit evaluates a rule."""

    judge: Judge
    schedule_of: Callable[[Rule], Schedule]

    def alerts(self, connection: Connection, found: Collection[Alert], rules: Mapping[str, Rule]) -> list[Alert]:
        """The same alerts, the active ones with current value and annotations. One without a rule is as its row says."""
        look = self._look(connection, found, rules)
        return [self._current(alert, look) for alert in found]

    def look(self, connection: Connection, told: Iterable[Facts], rules: Mapping[str, Rule]) -> Look:
        """Read what `renewed` needs of these facts, of all of them at once."""
        numbers = [one.number for facts in told for one in facts.firing if one.number is not None]
        return self._look(connection, alert_rows.by_id(connection, numbers).values(), rules)

    def renewed(self, facts: Facts, look: Look) -> Facts:
        """The facts with what fires as it is now: a message is made some time after its flush, and says what is known then.

        An alert that no longer fires, or fires anew, is told as it was: that is for the next message to say.
        """
        return replace(facts, alerts=tuple(self._renewed(one, look) for one in facts.alerts))

    def _renewed(self, told: AlertFacts, look: Look) -> AlertFacts:
        alert = look.alerts.get(told.number or 0)
        if alert is None or told.status != "firing" or (alert.state, alert.fired_at) != (State.FIRING, told.starts_at):
            return told
        current = self._current(alert, look)
        return replace(told, value=current.value, annotations=current.annotations)

    def _look(self, connection: Connection, found: Collection[Alert], rules: Mapping[str, Rule]) -> Look:
        sources = {alert.source for alert in found if alert.state is not State.INACTIVE}
        clocks = timings(connection, [rules[source] for source in sources if source in rules], self.schedule_of)
        return Look({alert.id: alert for alert in found if alert.id is not None}, clocks, rules)

    def _current(self, alert: Alert, look: Look) -> Alert:
        clock = look.clocks.get(alert.source)
        value = None if clock is None else clock.value(alert.id)
        if clock is None or value is None or clock.last_evaluation_at is None or alert.state is State.INACTIVE:
            return alert
        annotations = self.judge.annotations(look.rules[alert.source], alert, value, clock.last_evaluation_at)
        return replace(alert, value=value, annotations=annotations)
