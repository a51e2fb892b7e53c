"""A mute names its muter: every one that keeps the alert quiet, in the order of Alertmanager's pipeline."""

from dataclasses import replace
from datetime import datetime

import pytest

from engine.core.inhibiting import Inhibitor
from engine.core.muting import Mute, MuteKind, by_every_route, by_intervals, mutes
from rules.matchers import parse_matchers
from rules.routing import Policy
from rules.silences import Silence
from rules.time_intervals import TimeInterval, parse_period
from tests.core.alarms import HOUR, MINUTE, NOON, SECOND, alert


def silence(
    name: str = "s",
    matchers: str = 'host="web-1"',
    *,
    starts_at: datetime = NOON,
    ends_at: datetime = NOON + HOUR,
) -> Silence:
    return Silence(id=name, matchers=parse_matchers(matchers), starts_at=starts_at, ends_at=ends_at)


def by(name: str, until: datetime = NOON + HOUR) -> Mute:
    return Mute(kind=MuteKind.SILENCE, by=name, until=until)


def part_of_day(name: str, start: str, end: str) -> TimeInterval:
    """Recurs every day; NOON is 12:00."""
    return TimeInterval(name=name, periods=(parse_period({"times": [{"start_time": start, "end_time": end}]}),))


INTERVALS = {
    one.name: one
    for one in (
        part_of_day("lunch", "12:00", "13:00"),
        part_of_day("daytime", "09:00", "17:00"),
        part_of_day("evening", "17:00", "22:00"),
        part_of_day("night", "22:00", "24:00"),
        TimeInterval(name="always", periods=(parse_period({}),)),
        TimeInterval(name="2025", periods=(parse_period({"years": ["2025"]}),)),
    )
}


def route(mute: str = "", active: str = "") -> Policy:
    return Policy(
        route_id="r",
        receiver="ops",
        mute_time_intervals=tuple(mute.split()),
        active_time_intervals=tuple(active.split()),
    )


def muting(name: str, until: datetime | None) -> Mute:
    return Mute(kind=MuteKind.MUTE_TIME_INTERVAL, by=name, until=until)


def outside(name: str, until: datetime | None) -> Mute:
    return Mute(kind=MuteKind.ACTIVE_TIME_INTERVAL, by=name, until=until)


@pytest.mark.parametrize(
    ("silences", "expected"),
    [
        pytest.param([], {}, id="nothing is silenced"),
        pytest.param([silence()], {1: (by("s"),)}, id="one alert of two"),
        pytest.param([silence(matchers='alertname="Busy"')], {1: (by("s"),), 2: (by("s"),)}, id="both alerts"),
        pytest.param([silence(matchers='alertname="Idle"')], {}, id="another alert"),
        pytest.param([silence(starts_at=NOON + SECOND)], {}, id="not yet"),
        pytest.param([silence(ends_at=NOON - SECOND, starts_at=NOON - HOUR)], {}, id="no longer"),
        pytest.param(
            [silence(ends_at=NOON, starts_at=NOON - HOUR)], {1: (by("s", NOON),)}, id="at its end, which is part of it"
        ),
        pytest.param(
            [silence("short"), silence("long", ends_at=NOON + 2 * HOUR), silence("also short")],
            {1: (by("long", NOON + 2 * HOUR), by("short"), by("also short"))},
            id="the one that lasts longest comes first",
        ),
        pytest.param(
            [silence("longest", starts_at=NOON + SECOND, ends_at=NOON + 9 * HOUR), silence("active")],
            {1: (by("active"),)},
            id="one that has not begun is not named",
        ),
    ],
)
def test_silences_mute_the_alerts_they_cover(silences: list[Silence], expected: dict[int, tuple[Mute, ...]]) -> None:
    assert mutes([alert(1), alert(2)], iter(silences), NOON) == expected


def test_an_alert_that_is_not_stored_yet_is_in_no_group_to_be_quiet_in() -> None:
    assert mutes([alert(None, labels={"host": "web-1"})], [silence()], NOON) == {}


def test_all_that_mutes_an_alert_is_kept_in_the_pipelines_order() -> None:
    every = (
        Mute(kind=MuteKind.LEVEL, by="r", source=7),
        Mute(kind=MuteKind.INHIBITION, by="down", source=8),
        Mute(kind=MuteKind.INHIBITION, by="maintenance", source=9),
        muting("lunch", NOON + HOUR),
        by("s"),
    )
    found = mutes(
        [alert(1)],
        [silence()],
        NOON,
        inhibitors={1: [Inhibitor(rule_id="down", alert_id=8), Inhibitor(rule_id="maintenance", alert_id=9)]},
        higher={1: 7},
        intervals={1: (muting("lunch", NOON + HOUR),)},
    )
    assert found == {1: every}


def test_what_mutes_one_alert_leaves_another_alone() -> None:
    inhibitors = {1: [Inhibitor(rule_id="down", alert_id=8)], 2: ()}
    assert mutes([alert(1), alert(2)], [], NOON, inhibitors=inhibitors, intervals={2: ()}).keys() == {1}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(route(), [], id="a route without intervals"),
        pytest.param(route(mute="night"), [], id="a mute interval that is not on"),
        pytest.param(route(mute="lunch"), [muting("lunch", NOON + HOUR)], id="a mute interval that is on"),
        pytest.param(
            route(mute="lunch always daytime"),
            [muting("always", None), muting("daytime", NOON + 5 * HOUR), muting("lunch", NOON + HOUR)],
            id="of mute intervals the one that lasts longest comes first",
        ),
        pytest.param(route(active="daytime"), [], id="within its active interval"),
        pytest.param(route(active="night lunch"), [], id="within one of its active intervals"),
        pytest.param(
            route(active="2025 night evening"),
            [outside("evening", NOON + 5 * HOUR), outside("night", NOON + 10 * HOUR), outside("2025", None)],
            id="of active intervals the one that begins soonest comes first",
        ),
        pytest.param(
            route(mute="lunch", active="night"),
            [outside("night", NOON + 10 * HOUR), muting("lunch", NOON + HOUR)],
            id="outside one and within the other",
        ),
        pytest.param(route(mute="lunch", active="daytime"), [muting("lunch", NOON + HOUR)], id="mute wins over active"),
        pytest.param(route(mute="nobody's"), [], id="a mute interval nobody defined is never on"),
        pytest.param(route(active="night nobody's"), [], id="an active interval nobody defined always is"),
    ],
)
def test_a_route_is_muted_by_its_own_intervals(policy: Policy, expected: list[Mute]) -> None:
    assert by_intervals(policy, INTERVALS, NOON) == tuple(expected)


def test_an_alert_on_two_routes_is_muted_when_both_are() -> None:
    free, lunch, both = route(), route(mute="lunch"), route(mute="lunch", active="night")
    assert by_every_route([lunch, free], INTERVALS, NOON + MINUTE) == ()
    assert by_every_route([lunch, both], INTERVALS, NOON + MINUTE) == (
        muting("lunch", NOON + HOUR),
        outside("night", NOON + 10 * HOUR),
    )


@pytest.mark.parametrize("kind", list(MuteKind))
def test_only_levels_and_inhibition_are_done_by_another_alert(kind: MuteKind) -> None:
    assert kind.by_alert is (kind in {MuteKind.LEVEL, MuteKind.INHIBITION})


def test_a_silence_that_ends_with_its_alerts_has_no_known_end_and_says_so() -> None:
    waiting = replace(silence("s"), until_resolved=True, created_by="zoe", comment="a new disk")
    ((mute,),) = mutes([alert()], [waiting], NOON).values()
    assert (mute.until, mute.said) == (None, "zoe: a new disk; until what it began with has resolved")
    ((bare,),) = mutes([alert()], [replace(waiting, created_by="", comment="")], NOON).values()
    assert bare.said == "until what it began with has resolved"
