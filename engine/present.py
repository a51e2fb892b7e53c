"""Alerts as they are at their last evaluation. A row keeps value and annotations as of its last transition, because a steady
evaluation writes nothing per alert; what it found since is on the unit's row, and the words are made of it here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from engine.core.alert import Alert, State
from engine.core.scheduling import Schedule
from engine.judging import Judge
from engine.store.door import Connection
from engine.timings import Timing, timings
from rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Present:
    """Brings alerts up to date; `schedule_of` says which unit evaluates a rule."""

    judge: Judge
    schedule_of: Callable[[Rule], Schedule]

    def alerts(self, connection: Connection, found: Collection[Alert], rules: Mapping[str, Rule]) -> list[Alert]:
        """The same alerts, the active ones with current value and annotations. One without a rule is as its row says."""
        sources = {alert.source for alert in found if alert.state is not State.INACTIVE}
        clocks = timings(connection, [rules[source] for source in sources if source in rules], self.schedule_of)
        return [self._current(alert, rules, clocks) for alert in found]

    def _current(self, alert: Alert, rules: Mapping[str, Rule], clocks: Mapping[str, Timing]) -> Alert:
        clock = clocks.get(alert.source)
        value = None if clock is None else clock.values.get(str(alert.id))
        if clock is None or value is None or clock.last_evaluation_at is None or alert.state is State.INACTIVE:
            return alert
        annotations = self.judge.annotations(rules[alert.source], alert, value, clock.last_evaluation_at)
        return replace(alert, value=value, annotations=annotations)
