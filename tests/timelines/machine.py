"""Random timelines on the whole engine and a virtual clock. Every second that is waited, every promise is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf
from typing import Any, Final, assert_never

from hypothesis.stateful import RuleBasedStateMachine, rule
from sqlalchemy import func, select

from engine.auditor import look
from engine.core.alert import Alert, Change, State, TransitionReason
from engine.intake import Batch, Intake
from engine.posting import LAG
from engine.store import alerts as alert_rows
from engine.store import audit
from engine.store.routes import to_row
from engine.store.tables import alert_groups, alert_rules, channels, group_members, routes, silences, time_intervals
from rules.inhibition import InhibitRule
from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.routing import Route
from rules.silences import Silence, expired
from rules.time_intervals import TimeInterval
from tests.timelines.events import (
    ALERTS,
    CHANNELS,
    EVENTS,
    NAMED,
    OWN,
    PAUSES,
    Crash,
    EditNight,
    EditRoutes,
    EditSilence,
    End,
    Evaluate,
    Event,
    Expire,
    Fail,
    Fire,
    NameChannels,
    Quieten,
    Restart,
    ToggleInhibition,
    Wait,
)
from tests.timelines.generating import Rows
from tests.timelines.holding import SILENT, TELL_AGAIN, Heard, Present, overdue, unfounded, unjustified, unnamed
from tests.timelines.recording import RARELY, RecordingWorld
from tests.timelines.rows import stored, write_rows
from tests.timelines.truth import NIGHTS, OWN_NAME, PLANTED, RULE_ID, TREES, Truth

INHIBIT: Final = InhibitRule(
    id="down-inhibits-slow",
    source_matchers=parse_matchers('alertname="Down"'),
    target_matchers=parse_matchers('alertname="Slow"'),
    equal=("host",),
)
EVERY: Final = (*ALERTS, *OWN)
MOMENT: Final = 0.001
"""How far events are apart at least. No flush falls on an event, since group timings are whole seconds."""


class Timelines(RuleBasedStateMachine):
    """One random timeline on a database of its own."""

    def __init__(self, database_url: str, kind: type[RecordingWorld] = RecordingWorld) -> None:
        super().__init__()
        self.world = kind(database_url, RARELY)
        lag = 0.0 if self.world.service.database.is_sqlite else LAG.total_seconds()
        self.truth = Truth(tree=PLANTED[0], intervals={"night": NIGHTS[0]}, lag=lag)
        self.heard = {channel: Heard() for channel in CHANNELS}
        self.edited_at = 0.0
        self.muters = {"night", INHIBIT.id}
        self.moments = [self.present()]
        self.seen = 0
        self.planted: Rows = {"routes": ()}
        self.own: dict[Labels, Alert] = {}
        self._declare()

    def _declare(self) -> None:
        with self.world.transaction() as connection:
            connection.execute(routes.update().where(routes.c.id == "root").values(**_stored(TREES[0][0])))
            for name in CHANNELS:
                url = f"http://127.0.0.1:1/{name}"
                connection.execute(
                    channels.insert().values(name=name, kind="webhook", url=url, send_resolved=name not in SILENT)
                )
            connection.execute(alert_rules.insert().values(id=RULE_ID, name=OWN_NAME, expr="own > 0"))
            connection.execute(time_intervals.insert().values(name="night", time_intervals=_periods(NIGHTS[0])))
        self.truth.look(EVERY, CHANNELS)

    @rule(event=EVENTS, pause=PAUSES)
    def happen(self, event: Event, pause: float) -> None:
        """Let it happen at a moment of its own, and let time pass; until the next look, what was before is true as well."""
        self.pass_time(self.truth.now + MOMENT)
        self._do(event)
        self.truth.look(EVERY, CHANNELS)
        self.moments.append(self.present())
        self.pass_time(self.truth.now + pause)

    def teardown(self) -> None:
        """Let everything end: nobody may be left with an alert that fires."""
        try:
            if self.own:
                self.happen(Evaluate(alerts=()), 0)
            if self.truth.fires:
                self.happen(End(alerts=tuple(self.truth.fires)), 400)
            self.pass_time(self.truth.now + 400)
        finally:
            self.world.stop()

    # What happens.

    def _do(self, event: Event) -> None:  # noqa: C901, PLR0912 - one line for each kind of event
        match event:
            case Fire():
                self._fire(event.alerts, self.truth.now + event.lasting)
            case End():
                self._end(event.alerts)
            case Evaluate():
                self._evaluate(event.alerts)
            case NameChannels():
                self._name_channels(NAMED[event.which])
            case Quieten():
                self._quieten(event)
            case EditSilence():
                self._edit_silence(event)
            case Expire():
                self._expire(event.which)
            case EditRoutes():
                self._edit_routes(event.tree)
            case EditNight():
                self._edit_night(NIGHTS[event.night])
            case ToggleInhibition():
                self._toggle_inhibition()
            case Fail():
                self.world.planned[event.channel] = list(event.outcomes)
            case Restart():
                self.world.restart()
                self.truth.restart()
            case Crash():
                self._crash()
            case Wait():
                pass
            case _:
                assert_never(event)

    def _fire(self, alerts: Iterable[Labels], end: float) -> None:
        end = round(end, 6)
        for labels in alerts:
            self.world.post(labels, start=self.truth.now, end=end)
            self.truth.post(labels, end)

    def _end(self, alerts: Iterable[Labels]) -> None:
        for labels in alerts:
            self.world.post(labels, end=self.truth.now)
            self.truth.fires.pop(labels, None)

    def _evaluate(self, alerts: Collection[Labels]) -> None:
        """What an evaluation of the rule leaves; nothing else than what begins and ends by it."""
        now = self.truth.moment
        ended = {labels: replace(one, state=State.INACTIVE, resolved_at=now) for labels, one in self.own.items()}
        begun = {labels: _own(labels, now) for labels in alerts if labels not in self.own}
        changes = [
            *(Change(before=None, alert=one, reason=TransitionReason.HELD) for one in begun.values()),
            *(
                Change(before=State.FIRING, alert=one, reason=TransitionReason.CONDITION_ENDED)
                for labels, one in ended.items()
                if labels not in alerts
            ),
        ]
        service = self.world.service
        with service.database.read() as connection:
            definitions = service.feed.refresh(connection)
        with self.world.transaction() as connection:
            batch = Batch(slot=now, changes=changes, rules=definitions.rules)
            Intake(service.database).take_in(connection, batch, definitions.tree)
        self.own = {labels: one for labels, one in {**self.own, **begun}.items() if labels in alerts}
        for labels in OWN:
            self.truth.fires.pop(labels, None)
        self.truth.fires |= dict.fromkeys(self.own, inf)

    def _name_channels(self, names: tuple[str, ...]) -> None:
        self._write(alert_rules.update().where(alert_rules.c.id == RULE_ID).values(notification_channels=list(names)))
        self.truth.named = names
        self.edited_at = self.truth.disturbed_at = self.truth.now

    def _quieten(self, event: Quieten) -> None:
        starts_at = self.truth.moment + timedelta(seconds=event.later)
        made = Silence(
            id=f"s{len(self.muters)}",
            matchers=parse_matchers(event.matchers),
            starts_at=starts_at,
            ends_at=starts_at + timedelta(seconds=event.lasting),
        )
        self._write(silences.insert().values(id=made.id, **_quiet(made)))
        self.muters.add(made.id)
        self.truth.silences[made.id] = made

    def _edit_silence(self, event: EditSilence) -> None:
        live = [one for one in self.truth.silences.values() if one.ends_at > self.truth.moment]
        if live:
            chosen = live[event.which % len(live)]
            begins = max(self.truth.moment, chosen.starts_at)
            edited = replace(
                chosen, matchers=parse_matchers(event.matchers), ends_at=begins + timedelta(seconds=event.lasting)
            )
            if event.anew:
                self._stand_in(chosen, replace(edited, id=f"s{len(self.muters)}", starts_at=begins))
            else:
                self._replace(edited)

    def _expire(self, which: int) -> None:
        live = [one for one in self.truth.silences.values() if one.ends_at > self.truth.moment]
        if live:
            self._replace(expired(live[which % len(live)], self.truth.moment))

    def _stand_in(self, old: Silence, new: Silence) -> None:
        """End one silence and begin another in one transaction."""
        with self.world.transaction() as connection:
            over = expired(old, self.truth.moment)
            connection.execute(silences.update().where(silences.c.id == old.id).values(**_quiet(over)))
            connection.execute(silences.insert().values(id=new.id, **_quiet(new)))
        self.muters.add(new.id)
        self.truth.silences |= {old.id: over, new.id: new}

    def _replace(self, silence: Silence) -> None:
        self._write(silences.update().where(silences.c.id == silence.id).values(**_quiet(silence)))
        self.truth.silences[silence.id] = silence

    def _edit_routes(self, which: int) -> None:
        rows: Rows = {"routes": tuple({"id": one.id, **_stored(one)} for one in TREES[which] if one.id != "root")}
        with self.world.transaction() as connection:
            connection.execute(routes.update().where(routes.c.id == "root").values(**_stored(TREES[which][0])))
            write_rows(connection, self.planted, rows)
        self.planted = rows
        self.truth.tree = PLANTED[which]
        self.edited_at = self.truth.disturbed_at = self.truth.now

    def _edit_night(self, night: TimeInterval) -> None:
        self._write(
            time_intervals.update().where(time_intervals.c.name == "night").values(time_intervals=_periods(night))
        )
        self.truth.intervals = {"night": night}

    def _toggle_inhibition(self) -> None:
        sides = {name: [str(one) for one in getattr(INHIBIT, name)] for name in ("source_matchers", "target_matchers")}
        row: Rows = {"inhibit_rules": ({"id": INHIBIT.id, "equal": list(INHIBIT.equal), **sides},)}
        held = bool(self.truth.inhibit_rules)
        with self.world.transaction() as connection:
            write_rows(connection, row if held else {}, {} if held else row)
        self.truth.inhibit_rules = () if held else (INHIBIT,)
        self.truth.disturbed_at = self.truth.now

    def _crash(self) -> None:
        # The ends of renewed alerts are written together and some seconds later; what is lost with them is posted again.
        self.pass_time(self.truth.now + LAG.total_seconds() + 1)
        self.world.crash()
        self.truth.restart()

    def _write(self, statement: Any) -> None:
        with self.world.transaction() as connection:
            connection.execute(statement)

    # What is looked at.

    def pass_time(self, end: float) -> None:
        """Let time pass, and look whenever something changes by itself."""
        end = round(end, 6)
        while self.truth.now < end:
            boundary = self.truth.next_boundary(end)
            self.world.until(boundary)
            self.truth.now = boundary
            self.truth.look(EVERY, CHANNELS)
            self.look()

    def present(self) -> Present:
        """What is so now."""
        stands = {(labels, channel): self.truth.stand(labels, channel) for labels in EVERY for channel in CHANNELS}
        return Present(
            firing=frozenset(self.truth.fires),
            muted=frozenset(where for where, stand in stands.items() if stand.muted and where not in self.truth.let_go),
            routed=frozenset(where for where, stand in stands.items() if stand.routed),
        )

    def look(self) -> None:
        """Hold everything that has arrived, and what the engine has on its books, against what is true."""
        moments = [*self.moments, self.present()]
        for message in self.world.messages[self.seen :]:
            self.seen += 1
            heard = self.heard[message.channel]
            failed_at = self.world.failed_at.get(message.channel, -inf)
            # What is retried was decided before, and tells what was so then.
            wrong = [] if message.at - failed_at < TELL_AGAIN + 100 else unfounded(message, heard, moments)
            wrong += unjustified(message, heard, failed_at, self.truth.unmuted)
            assert not wrong, (message, wrong)
            heard.take(message)
        self.moments = moments[-1:]
        wrong = overdue(
            self.truth.since,
            self.heard,
            self.truth.now,
            edited_at=self.edited_at,
            failed_at=self.world.failed_at,
            let_go=self.truth.counts_from,
            owed=self.truth.owed,
        )
        assert not wrong, wrong
        self._everything_has_a_next_step()
        self._a_mute_names_its_muter()

    def _everything_has_a_next_step(self) -> None:
        """Nothing is left for the auditor to find, and no alert is in two groups of one route."""
        with self.world.service.database.read() as connection:
            found = look(connection, self.world.service.feed.refresh(connection), self.world.clock.moment)
            found += audit.untold(connection)
            twice = connection.execute(_TWICE).all()
        assert not found, [one.text for one in found]
        assert not twice, f"alerts in two groups of one route: {twice}"

    def _a_mute_names_its_muter(self) -> None:
        with self.world.service.database.read() as connection:
            firing = alert_rows.page(connection, states=(State.FIRING,), limit=100)
            numbers = {one.id: one.labels for one in firing}
            found = self.world.service.mutes(connection, firing)
        named = {numbers[number]: [mute.by for mute in every] for number, every in found.items()}
        firing_now = frozenset(self.truth.fires)
        muted = {labels for labels in firing_now if self.truth.mutes(labels)}
        assert not (wrong := unnamed(named, firing_now, muted, self.muters)), wrong


_TWICE: Final = (
    select(group_members.c.alert_id, alert_groups.c.route_id)
    .join(alert_groups, alert_groups.c.id == group_members.c.group_id)
    .where(group_members.c.left_at.is_(None))
    .group_by(group_members.c.alert_id, alert_groups.c.route_id)
    .having(func.count() > 1)
)


def _own(labels: Labels, now: datetime) -> Alert:
    return Alert(
        source=RULE_ID,
        labels=labels,
        sample_labels=labels,
        state=State.FIRING,
        value=1.0,
        active_at=now,
        fired_at=now,
    )


def _stored(route: Route) -> dict[str, Any]:
    return stored({name: value for name, value in to_row(route).items() if name not in ("id", "team", "origin")})


def _quiet(silence: Silence) -> dict[str, Any]:
    matchers = [str(one) for one in silence.matchers]
    return {"matchers": matchers, "starts_at": silence.starts_at, "ends_at": silence.ends_at}


def _periods(night: TimeInterval) -> list[dict[str, Any]]:
    return [
        {"times": [{"start_time": _clock(time.start), "end_time": _clock(time.end)} for time in period.times]}
        for period in night.periods
    ]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
