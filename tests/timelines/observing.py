"""Plays scenarios in real time on real processes and hands back what was received.

What does not come out as expected is played again at half the speed, and at a quarter of it: a machine under load is late, a
mistake is wrong at any speed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from tests.peers.alertmanager_server import AlertmanagerServer
from tests.timelines.comparing import Tolerance, mismatches
from tests.timelines.generating import Setting, alertmanager_file, boundaries, slug
from tests.timelines.language import Configure, Restart, Scenario, Told
from tests.timelines.on_alertmanager import OnAlertmanager
from tests.timelines.playing import play, together
from tests.timelines.receiving import Hooks, Inbox, Received
from tests.timelines.zones import write_zone, zone_environment, zone_name

SECOND: Final = timedelta(seconds=1)
REAL: Final = Tolerance(early=0.35, late=0.85)
"""In scenario seconds. Steps are half a second at least from the flushes they are meant to miss, flushes two seconds apart."""
PACES: Final = (1, 2, 4)
"""How many real seconds a scenario's second takes, at the first try and at the next ones."""
ABREAST: Final = 20
"""How many scenarios begin at a time."""
LEADS: Final = (2, 6, 20)
"""Seconds until a run begins, by which the program must have started; a slow machine is given more."""


LATEST: Final = 0.5
"""By how many of its seconds a step may be late."""


class TooLateError(TimeoutError):
    """The machine could not keep pace."""


@dataclass(slots=True)
class RealTime:
    """The clock of one run, in scenario seconds from its beginning."""

    second: timedelta = SECOND
    begin: datetime = field(default_factory=lambda: datetime.now(UTC))
    _origin: float = field(default_factory=time.monotonic)

    def begin_in(self, seconds: float) -> None:
        """Begin at the first whole second that is at least so far ahead."""
        now = datetime.now(UTC)
        self.begin = (now + timedelta(seconds=seconds + 1)).replace(microsecond=0)
        self._origin = time.monotonic() + (self.begin - now).total_seconds()

    def now(self) -> float:
        return (time.monotonic() - self._origin) / self.second.total_seconds()

    def until(self, moment: float) -> None:
        """Wait for it; TooLateError when it has long passed, and what is still to come would not mean what it says."""
        if self.now() > moment + LATEST:
            raise TooLateError(f"second {moment:g} at {self.now():.1f}, the seconds being {self.second}")
        time.sleep(max(0.0, (moment - self.now()) * self.second.total_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a scenario's channels received; it began at `begin`, and its seconds were so long."""

    begin: datetime
    second: timedelta
    received: Sequence[Received]


Observation = dict[Scenario, Observed]


class Player(Protocol):
    """Plays these scenarios side by side, each second so long, with files in a folder of its own."""

    def __call__(self, scenarios: Sequence[Scenario], folder: Path, second: timedelta, /) -> Observation: ...


def on_alertmanager(scenarios: Sequence[Scenario], folder: Path, second: timedelta) -> Observation:
    """On a real Alertmanager of their own."""
    clock = RealTime(second)
    with Hooks(clock.now) as hooks:
        hooks.behave(scenarios)
        for lead in LEADS:
            clock.begin_in(lead)
            setting = staggered(clock, scenarios, hooks)
            write_zones(folder, scenarios, setting)
            parts = {scenario: scenario.configuration for scenario in scenarios}
            with AlertmanagerServer(alertmanager_file(setting, parts), environment=zone_environment(folder)) as server:
                if clock.now() > 0:
                    continue  # It took longer than that to start.
                stage = OnAlertmanager(server, setting, parts)
                play(stage, scenarios, setting, until=clock.until, now=lambda: datetime.now(UTC))
            return seen(scenarios, setting, hooks.inbox)
    raise TimeoutError(f"Alertmanager did not start within {LEADS[-1]} seconds")


def staggered(clock: RealTime, scenarios: Sequence[Scenario], hooks: Hooks) -> Setting:
    """The setting of a run in which a few scenarios begin at a time; those that disturb all others begin at once."""
    delays = {
        slug(scenario): float(place // ABREAST)
        for place, scenario in enumerate(scenarios)
        if not scenario.times(Configure) and not scenario.times(Restart)
    }
    hooks.inbox.delays = delays
    return Setting(begin=clock.begin, second=clock.second, hooks=hooks.url, delays=delays)


def seen(scenarios: Sequence[Scenario], setting: Setting, inbox: Inbox) -> Observation:
    """What each scenario came to."""
    return {
        one: Observed(begin=setting.moment(one, 0), second=setting.second, received=tuple(inbox.of(one)))
        for one in scenarios
    }


def write_zones(folder: Path, scenarios: Iterable[Scenario], setting: Setting) -> None:
    """A zone for every moment at which an interval of theirs begins or ends."""
    for scenario in scenarios:
        configurations = [scenario.configuration]
        configurations += [moment.step.configuration for moment in scenario.steps if isinstance(moment.step, Configure)]
        for each in sorted(set().union(*map(boundaries, configurations))):
            write_zone(folder, zone_name(slug(scenario), each), setting.moment(scenario, each))


def observe(
    player: Player,
    scenarios: Sequence[Scenario],
    folder: Path,
    *,
    expected: Callable[[Scenario], Sequence[Told]],
    apart: Sequence[type[Configure | Restart]],
) -> Observation:
    """What all of them came to; those that disturb the others in these ways are played apart, at the same time."""
    found: Observation = {}
    left = list(scenarios)
    for pace in PACES:
        parts = together(left, *apart)
        with ThreadPoolExecutor(len(parts) or 1) as pool:
            runs = [
                pool.submit(player, part, _made(folder / f"pace-{pace}-{place}"), SECOND * pace)
                for place, part in enumerate(parts)
            ]
        for run in runs:
            found |= _result(run, final=pace == PACES[-1])
        left = [one for one in left if one not in found or mismatches(expected(one), found[one].received, REAL)]
    return found


def _result(run: Future[Observation], *, final: bool) -> Observation:
    """What a run came to; nothing when it could not keep pace and a slower one follows."""
    try:
        return run.result()
    except TooLateError:
        if final:
            raise
        return {}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
