"""Random timelines on the whole engine and a virtual clock. Every second that is waited, every promise is looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.core.alert import State
from engine.core.outcome import Failed, FailureReason
from engine.posting import LAG
from engine.store import alerts as alert_rows
from engine.store.routes import to_row
from engine.store.tables import channels, routes, silences, time_intervals
from rules.inhibition import InhibitRule
from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.routing import Route
from rules.silences import Silence
from rules.time_intervals import DayTime, Period, TimeInterval
from tests.timelines.generating import Rows
from tests.timelines.holding import SILENT, Heard, Present, overdue, unfounded, unjustified, unnamed
from tests.timelines.recording import RARELY, RecordingWorld
from tests.timelines.rows import stored, write_rows
from tests.timelines.truth import PLANTED, TREES, Truth

CHANNELS: Final = ("hook", "pager", "quiet")
ALERTS: Final = tuple(Labels({"alertname": name, "host": host}) for name in ("Down", "Slow") for host in "abc")
MATCHERS: Final = ('host="a"', 'alertname="Slow"', 'alertname=~"D.*",host!="b"', 'host=~"b|c"')
NIGHTS: Final = ((5, 10), (20, 30), (45, 50), (70, 100))
"""Minutes from the beginning between which it is night."""
INHIBIT: Final = InhibitRule(
    id="down-inhibits-slow",
    source_matchers=parse_matchers('alertname="Down"'),
    target_matchers=parse_matchers('alertname="Slow"'),
    equal=("host",),
)
NIGHT: Final = TimeInterval(name="night", periods=tuple(Period(times=(DayTime(start, end),)) for start, end in NIGHTS))
RETRY: Final = Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail="it is down")
DEAD: Final = Failed(reason=FailureReason.CLIENT_ERROR, retryable=False, detail="it will not have it")
MOMENT: Final = 0.001
"""How far events are apart at least. No flush falls on an event, since group timings are whole seconds."""

PAUSES: Final = st.sampled_from((0, 0, 3, 12, 31, 61, 61, 310))
"""Seconds until the next event: many at once, within group_wait, within group_interval, and long enough for every promise."""
alerts_ = st.sampled_from(ALERTS)
matchers_ = st.sampled_from(MATCHERS)


class Timelines(RuleBasedStateMachine):
    """One random timeline on a database of its own."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self.world = RecordingWorld(database_url, RARELY)
        lag = 0.0 if self.world.service.database.is_sqlite else LAG.total_seconds()
        self.truth = Truth(tree=PLANTED[0], intervals={"night": NIGHT}, lag=lag)
        self.heard = {channel: Heard() for channel in CHANNELS}
        self.edited_at = 0.0
        self.muters = {"night", INHIBIT.id}
        self.moments = [self.present()]
        self.seen = 0
        self.planted: Rows = {"routes": ()}
        self._declare()

    def _declare(self) -> None:
        with self.world.service.database.write() as connection:
            connection.execute(routes.update().where(routes.c.id == "root").values(**_stored(TREES[0][0])))
            for name in CHANNELS:
                url = f"http://127.0.0.1:1/{name}"
                connection.execute(
                    channels.insert().values(name=name, kind="webhook", url=url, send_resolved=name not in SILENT)
                )
            periods = [{"times": [{"start_time": _clock(start), "end_time": _clock(end)}]} for start, end in NIGHTS]
            connection.execute(time_intervals.insert().values(name="night", time_intervals=periods))
        self.truth.look(ALERTS, CHANNELS)

    # What happens.

    @rule(labels=alerts_, lasting=st.sampled_from((3600, 45, 200)), pause=PAUSES)
    def fire(self, labels: Labels, lasting: float, pause: float) -> None:
        self.step()
        end = self.truth.now + lasting
        self.world.post(labels, start=self.truth.now, end=end)
        self.truth.post(labels, end)
        self.stepped(pause)

    @rule(labels=alerts_, pause=PAUSES)
    def resolve(self, labels: Labels, pause: float) -> None:
        self.step()
        self.world.post(labels, end=self.truth.now)
        self.truth.fires.pop(labels, None)
        self.stepped(pause)

    @rule(matchers=matchers_, later=st.sampled_from((0, 0, 25)), lasting=st.sampled_from((20, 90, 700)), pause=PAUSES)
    def silence(self, matchers: str, later: float, lasting: float, pause: float) -> None:
        self.step()
        starts_at = self.truth.moment + timedelta(seconds=later)
        ends_at = starts_at + timedelta(seconds=lasting)
        made = Silence(
            id=f"s{len(self.muters)}", matchers=parse_matchers(matchers), starts_at=starts_at, ends_at=ends_at
        )
        self._write(silences.insert().values(id=made.id, **_quiet(made)))
        self.muters.add(made.id)
        self.truth.silences[made.id] = made
        self.stepped(pause)

    @rule(which=st.integers(0, 9), matchers=matchers_, lasting=st.sampled_from((20, 300)), pause=PAUSES)
    def edit_silence(self, which: int, matchers: str, lasting: float, pause: float) -> None:
        live = [one for one in self.truth.silences.values() if one.ends_at > self.truth.moment]
        if live:
            self.step()
            chosen = live[which % len(live)]
            ends_at = max(self.truth.moment, chosen.starts_at) + timedelta(seconds=lasting)
            self._edit(replace(chosen, matchers=parse_matchers(matchers), ends_at=ends_at), pause)

    @rule(which=st.integers(0, 9), pause=PAUSES)
    def expire_silence(self, which: int, pause: float) -> None:
        live = [one for one in self.truth.silences.values() if one.starts_at < self.truth.moment < one.ends_at]
        if live:
            self.step()
            # An end is still part of a silence.
            self._edit(replace(live[which % len(live)], ends_at=self.truth.moment - timedelta(microseconds=1)), pause)

    def _edit(self, silence: Silence, pause: float) -> None:
        self._write(silences.update().where(silences.c.id == silence.id).values(**_quiet(silence)))
        self.truth.silences[silence.id] = silence
        self.stepped(pause)

    @rule(which=st.sampled_from(range(len(TREES))), pause=PAUSES)
    def edit_routes(self, which: int, pause: float) -> None:
        self.step()
        rows: Rows = {"routes": tuple({"id": one.id, **_stored(one)} for one in TREES[which] if one.id != "root")}
        with self.world.service.database.write() as connection:
            connection.execute(routes.update().where(routes.c.id == "root").values(**_stored(TREES[which][0])))
            write_rows(connection, self.planted, rows)
        self.planted = rows
        self.truth.tree = PLANTED[which]
        self.edited_at = self.truth.now
        self.stepped(pause)

    @rule(pause=PAUSES)
    def toggle_inhibition(self, pause: float) -> None:
        self.step()
        sides = {name: [str(one) for one in getattr(INHIBIT, name)] for name in ("source_matchers", "target_matchers")}
        row: Rows = {"inhibit_rules": ({"id": INHIBIT.id, "equal": list(INHIBIT.equal), **sides},)}
        held = bool(self.truth.inhibit_rules)
        with self.world.service.database.write() as connection:
            write_rows(connection, row if held else {}, {} if held else row)
        self.truth.inhibit_rules = () if held else (INHIBIT,)
        self.stepped(pause)

    @rule(
        channel=st.sampled_from(CHANNELS),
        outcomes=st.lists(st.sampled_from((RETRY, RETRY, DEAD)), max_size=2),
        pause=PAUSES,
    )
    def fail(self, channel: str, outcomes: list[Failed], pause: float) -> None:
        self.world.planned[channel] = list(outcomes)
        self.wait(pause)

    @rule(pause=PAUSES)
    def restart(self, pause: float) -> None:
        self.step()
        self.world.restart()
        self.truth.restart()
        self.stepped(pause)

    def wait(self, seconds: float) -> None:
        self.pass_time(self.truth.now + seconds)

    def teardown(self) -> None:
        """Let everything end: nobody may be left with an alert that fires."""
        try:
            for labels in tuple(self.truth.fires):
                self.resolve(labels, 0)
            self.wait(400)
            self.wait(400)
        finally:
            self.world.service.stop()

    # What is looked at.

    def step(self) -> None:
        """Let a moment pass, so that what comes now is at a time of its own."""
        self.pass_time(self.truth.now + MOMENT)

    def stepped(self, pause: float) -> None:
        """Note what an event has changed, and let time pass; until the next look, what was before is true as well."""
        self.truth.look(ALERTS, CHANNELS)
        self.moments.append(self.present())
        self.wait(pause)

    def pass_time(self, end: float) -> None:
        """Let time pass, and look whenever something changes by itself."""
        end = round(end, 6)
        while self.truth.now < end:
            boundary = round(self.truth.next_boundary(end), 6)
            self.world.until(boundary)
            self.truth.now = boundary
            self.truth.look(ALERTS, CHANNELS)
            self.look()

    def present(self) -> Present:
        return Present(
            firing=frozenset(self.truth.fires),
            muted=frozenset(labels for labels in ALERTS if self.truth.mutes(labels)),
            routed=frozenset(
                (labels, channel)
                for labels in ALERTS
                for policy in self.truth.tree.match(labels)
                for channel in policy.channels
            ),
        )

    def look(self) -> None:
        """Hold everything that has arrived against what is true."""
        now = self.present()
        moments = [*self.moments, now]
        for message in self.world.messages[self.seen :]:
            heard = self.heard[message.channel]
            late = message.at - self.world.failed_at.get(message.channel, -1000) < 400
            wrong = ([] if late else unfounded(message, heard, moments)) + unjustified(message, heard)
            assert not wrong, (message, wrong)
            heard.take(message)
        self.seen = len(self.world.messages)
        self.moments = [now]
        wrong = overdue(
            self.truth.since, self.heard, self.truth.now, edited_at=self.edited_at, failed_at=self.world.failed_at
        )
        assert not wrong, wrong

    @invariant()
    def a_mute_names_its_muter(self) -> None:
        with self.world.service.database.read() as connection:
            firing = alert_rows.page(connection, states=(State.FIRING,), limit=100)
            numbers = {one.id: one.labels for one in firing}
            found = self.world.service.mutes(connection, firing)
        named = {numbers[number]: [mute.by for mute in every] for number, every in found.items()}
        now = self.present()
        assert not (wrong := unnamed(named, now.firing, now.firing & now.muted, self.muters)), wrong

    def _write(self, statement: Any) -> None:
        with self.world.service.database.write() as connection:
            connection.execute(statement)


def _stored(route: Route) -> dict[str, Any]:
    return stored({name: value for name, value in to_row(route).items() if name not in ("id", "team", "origin")})


def _quiet(silence: Silence) -> dict[str, Any]:
    matchers = [str(one) for one in silence.matchers]
    return {"matchers": matchers, "starts_at": silence.starts_at, "ends_at": silence.ends_at}


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
