"""A mute names its muter: the silence that keeps the alert quiet longest."""

from datetime import datetime

import pytest

from engine.core.muting import Mute, MuteKind, mutes
from rules.matchers import parse_matchers
from rules.silences import Silence
from tests.core.alarms import HOUR, NOON, SECOND, alert


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


@pytest.mark.parametrize(
    ("silences", "expected"),
    [
        pytest.param([], {}, id="nothing is silenced"),
        pytest.param([silence()], {1: by("s")}, id="one alert of two"),
        pytest.param([silence(matchers='alertname="Busy"')], {1: by("s"), 2: by("s")}, id="both alerts"),
        pytest.param([silence(matchers='alertname="Idle"')], {}, id="another alert"),
        pytest.param([silence(starts_at=NOON + SECOND)], {}, id="not yet"),
        pytest.param([silence(ends_at=NOON - SECOND, starts_at=NOON - HOUR)], {}, id="no longer"),
        pytest.param(
            [silence(ends_at=NOON, starts_at=NOON - HOUR)], {1: by("s", NOON)}, id="at its end, which is part of it"
        ),
        pytest.param(
            [silence("short"), silence("long", ends_at=NOON + 2 * HOUR), silence("also short")],
            {1: by("long", NOON + 2 * HOUR)},
            id="the one that lasts longest is named",
        ),
        pytest.param(
            [silence("longest", starts_at=NOON + SECOND, ends_at=NOON + 9 * HOUR), silence("active")],
            {1: by("active")},
            id="one that has not begun is not named",
        ),
    ],
)
def test_silences_mute_the_alerts_they_cover(silences: list[Silence], expected: dict[int, Mute]) -> None:
    assert mutes([alert(1), alert(2)], iter(silences), NOON) == expected


def test_an_alert_that_is_not_stored_yet_is_in_no_group_to_be_quiet_in() -> None:
    assert mutes([alert(None, labels={"host": "web-1"})], [silence()], NOON) == {}
