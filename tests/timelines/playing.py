"""Plays scenarios on a stage, all of them side by side: each step at its time, what is posted at the same time in one request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final, Protocol

from rules.matchers import Matcher, parse_matchers
from tests.timelines.generating import Setting, marked, own, slug
from tests.timelines.language import (
    FOREVER,
    Alert,
    Configuration,
    Configure,
    Expire,
    Moment,
    Push,
    Restart,
    Scenario,
    Silence,
)

Played = tuple[Scenario, Moment]
Posted = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A silence as it is wanted; it begins now, or stays as it began, where `starts_at` is `None`."""

    name: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime | None
    ends_at: datetime


class Stage(Protocol):
    """A program that scenarios are played on."""

    def configure(self, parts: Mapping[Scenario, Configuration]) -> None:
        """Put these scenarios' configurations in force, those of all others staying as they are."""

    def post(self, alerts: Sequence[Posted]) -> None:
        """Tell it these alerts, as Prometheus would."""

    def silence(self, wanted: Sequence[Quiet]) -> None:
        """Make these silences, or edit those there are of these names."""

    def expire(self, names: Sequence[str]) -> None:
        """End the silences of these names."""

    def restart(self) -> None:
        """Stop and start again."""


def play(
    stage: Stage,
    scenarios: Sequence[Scenario],
    setting: Setting,
    *,
    until: Callable[[float], None],
    now: Callable[[], datetime],
) -> None:
    """Take every step at its time and return when the last scenario is over; `until` waits for a scenario second."""
    for time, together in _moments(scenarios, setting):
        until(time)
        for turn in _turns(together):
            _take(stage, turn, setting, now)
    until(max(setting.delay(scenario) + scenario.until for scenario in scenarios))


def _moments(scenarios: Sequence[Scenario], setting: Setting) -> Iterator[tuple[float, list[Played]]]:
    def when(one: Played) -> float:
        return setting.delay(one[0]) + one[1].at

    every = [(scenario, moment) for scenario in scenarios for moment in scenario.steps]
    for time, found in groupby(sorted(every, key=when), key=when):
        yield time, list(found)


def _turns(together: Sequence[Played]) -> Iterator[list[Played]]:
    """The first step of each scenario at this moment, then the second of each, and so on."""
    waiting = [list(steps) for _, steps in groupby(together, key=lambda one: one[0].name)]
    while waiting:
        yield [steps.pop(0) for steps in waiting]
        waiting = [steps for steps in waiting if steps]


def _take(stage: Stage, turn: Sequence[Played], setting: Setting, now: Callable[[], datetime]) -> None:
    """One step of each of these scenarios, those of one kind together."""
    posted = [
        as_posted(scenario, one, moment.step, setting, now())
        for scenario, moment in turn
        if isinstance(moment.step, Push)
        for one in moment.step.alerts
    ]
    configured = {
        scenario: moment.step.configuration for scenario, moment in turn if isinstance(moment.step, Configure)
    }
    if posted:
        stage.post(posted)
    if configured:
        stage.configure(configured)
    if any(isinstance(moment.step, Restart) for _, moment in turn):
        stage.restart()
    quiet = [_quiet(scenario, moment.step, setting) for scenario, moment in turn if isinstance(moment.step, Silence)]
    if quiet:
        stage.silence(quiet)
    ended = [f"{slug(scenario)}/{moment.step.name}" for scenario, moment in turn if isinstance(moment.step, Expire)]
    if ended:
        stage.expire(ended)


def _quiet(scenario: Scenario, silence: Silence, setting: Setting) -> Quiet:
    return Quiet(
        name=f"{slug(scenario)}/{silence.name}",
        matchers=tuple(one for text in (*silence.matchers, own(scenario)) for one in parse_matchers(text)),
        starts_at=None if silence.starts is None else setting.moment(scenario, silence.starts),
        ends_at=setting.moment(scenario, silence.ends),
    )


def as_posted(scenario: Scenario, one: Alert, pushed: Push, setting: Setting, now: datetime) -> Posted:
    """The alert as the API takes it."""
    made: Posted = {"labels": dict(marked(scenario, one)), "annotations": dict(one.annotations)}
    if pushed.starts is not None:
        made["startsAt"] = rfc3339(setting.moment(scenario, pushed.starts))
    ends = pushed.ends if pushed.ends is not None else None if pushed.timeout else FOREVER
    if pushed.ended:
        made["endsAt"] = rfc3339(now)
    elif ends is not None:
        made["endsAt"] = rfc3339(setting.moment(scenario, ends))
    return made


def rfc3339(moment: datetime) -> str:
    """The instant as both APIs write it."""
    return moment.isoformat().replace("+00:00", "Z")


DISRUPTIVE: Final = (Configure, Restart)


def together(scenarios: Sequence[Scenario], *kinds: type[Configure | Restart]) -> list[list[Scenario]]:
    """The scenarios that one process can play at a time: those that disturb the others do it at the same moments."""

    def key(scenario: Scenario) -> str:
        return str([scenario.times(kind) for kind in kinds])

    return [list(some) for _, some in groupby(sorted(scenarios, key=key), key=key)]
