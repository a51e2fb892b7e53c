"""Random timelines keep every promise: who must hear does so in time and once, ends are told, a mute has a name.

`make test` plays the same few each time; `make timelines` looks for others, many of them, and shrinks what fails.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from itertools import count
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.clock import SystemClock
from engine.store import schema
from engine.store.database import connect
from tests.peers.postgres_server import PostgresServer
from tests.timelines.events import (
    ALERTS,
    DEAD,
    OWN,
    RETRY,
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
    Wait,
)
from tests.timelines.machine import Timelines
from tests.timelines.recording import PairedWorld, RecordingWorld

LOOKING: Final = settings.get_current_profile_name() == "fuzz"
ROUND: Final = 10
"""Stories a seed is good for: the first is empty, and those after the tenth are mostly copies of those before."""
ROUNDS: Final = 120 if LOOKING else 2
ROUNDS_ON_POSTGRESQL: Final = 20 if LOOKING else 1
STEPS: Final = 30

Fresh = Callable[[], str]
"""Makes a database that is migrated, and empty."""


def hold(database_url: Fresh, number: int, stories: int = ROUND, kind: type[RecordingWorld] = RecordingWorld) -> None:
    """Play the random timelines of this seed."""

    class Here(Timelines):
        def __init__(self) -> None:
            super().__init__(database_url(), kind)

    run_state_machine_as_test(
        seed(number)(Here),
        settings=settings(
            max_examples=stories,
            stateful_step_count=STEPS,
            database=None,
            phases=(Phase.generate, Phase.shrink) if LOOKING else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Copies of one file, each removed when the next is made."""
    folder = tmp_path_factory.mktemp("random")
    migrated = folder / "migrated.db"
    _migrate(f"sqlite:///{migrated}")
    numbers = count()

    def fresh() -> str:
        for used in folder.glob("[0-9]*.db*"):
            used.unlink()
        path = folder / f"{next(numbers)}.db"
        shutil.copy(migrated, path)
        return f"sqlite:///{path}"

    return fresh


@pytest.fixture(scope="module")
def postgresql(postgres: PostgresServer) -> Fresh:
    """Copies of one database."""
    migrated = postgres.create_database()
    _migrate(migrated)
    return lambda: postgres.create_database(like=migrated)


def _migrate(url: str) -> None:
    database = connect(url, SystemClock())
    schema.upgrade(database.engine)
    database.close()


def test_a_story_told_by_hand_keeps_every_promise(sqlite: Fresh) -> None:
    story = Timelines(sqlite())
    down, other = ALERTS[0], ALERTS[1]
    story.happen(Fire(alerts=(down,)), 61)
    story.happen(Quieten(matchers='host="a"', lasting=700), 12)
    story.happen(Fire(alerts=(other,)), 61)
    story.happen(EditRoutes(tree=3), 61)
    story.happen(Expire(), 61)
    story.happen(Restart(), 31)
    story.teardown()
    assert [message.reason for message in story.world.messages if down in message.firing]
    assert story.heard["hook"].firing == story.heard["pager"].firing == {}


def test_a_silence_that_is_ended_before_it_begins_keeps_nobody_quiet(sqlite: Fresh) -> None:
    story = Timelines(sqlite())
    story.happen(Quieten(matchers='host="a"', later=25), 3)
    story.happen(Expire(), 3)
    story.happen(Fire(alerts=(ALERTS[0],)), 61)
    assert not story.truth.mutes(ALERTS[0])
    assert ALERTS[0] in story.heard["hook"].firing
    story.teardown()


def test_a_route_that_always_tells_of_the_end_of_a_mute_is_held_to_it(sqlite: Fresh) -> None:
    story = Timelines(sqlite())
    story.happen(EditRoutes(tree=12), 61)
    story.happen(Fire(alerts=ALERTS[:1]), 61)
    story.happen(Quieten(matchers='host="a"', lasting=90), 151)
    (freed,) = {at for (labels, _), at in story.truth.owed.items() if labels == ALERTS[0]}
    told = [message for message in story.world.messages if ALERTS[0] in message.firing]
    assert [message.reason for message in told] == ["first notification", "unmuted"]
    assert told[-1].at > freed
    story.teardown()


def test_a_silence_that_an_edit_makes_anew_keeps_quiet_in_place_of_the_old_one(sqlite: Fresh) -> None:
    story = Timelines(sqlite())
    story.happen(Quieten(matchers='host="a"', lasting=700), 3)
    story.happen(EditSilence(which=0, matchers='host=~"b|c"', lasting=300, anew=True), 3)
    story.happen(Fire(alerts=ALERTS[:2]), 61)
    assert sorted(story.truth.silences) == ["s2", "s3"]
    assert set(story.heard["hook"].firing) == {ALERTS[0]}
    story.teardown()


def test_a_rule_that_is_given_channels_of_its_own_while_it_fires_tells_those_and_ends_the_others(sqlite: Fresh) -> None:
    story = Timelines(sqlite())
    story.happen(Evaluate(alerts=OWN), 61)
    story.happen(NameChannels(which=1), 61)
    assert (set(story.heard["hook"].firing), set(story.heard["pager"].firing)) == (set(), set(OWN))
    story.happen(NameChannels(which=0), 61)
    assert (set(story.heard["hook"].firing), set(story.heard["pager"].firing)) == (set(OWN), set())
    story.teardown()
    assert story.heard["hook"].firing == {}


SLOW_A, SLOW_B, SLOW_C = ALERTS[3:]
A_FIRES: Final = Fire(alerts=ALERTS[:1])
HOOK_FAILS_ONCE: Final = Fail(channel="hook", outcomes=(RETRY,))
EDITS: Final[Mapping[str, tuple[tuple[Event, float], ...]]] = {
    "a further route takes over the channel": ((A_FIRES, 0), (EditRoutes(tree=5), 12), (EditRoutes(tree=2), 12)),
    "the route was another's before it was told": ((EditRoutes(tree=5), 0), (A_FIRES, 12), (EditRoutes(tree=2), 12)),
    "a group is torn apart, and then its channel is back": (
        (Fire(alerts=ALERTS[:2]), 12),
        (EditRoutes(tree=3), 0),
        (EditRoutes(tree=2), 12),
    ),
    "two edits that come to nothing": ((A_FIRES, 12), (EditRoutes(tree=11), 0), (EditRoutes(tree=0), 12)),
    "two groups become one, and it changes its channel": (
        (EditRoutes(tree=11), 0),
        (A_FIRES, 31),
        (EditRoutes(tree=7), 0),
        (EditRoutes(tree=0), 0),
    ),
    "a channel is left out between two edits": ((A_FIRES, 12), (EditRoutes(tree=1), 0), (EditRoutes(tree=2), 12)),
    "a silence ends a while before a night begins": (
        (A_FIRES, 0),
        (Quieten(matchers='host="a"', lasting=20), 0),
        (EditRoutes(tree=11), 310),
    ),
    "another channel was muted, whose route the group had": (
        (EditRoutes(tree=11), 0),
        (EditNight(night=2), 0),
        (A_FIRES, 310),
        (Wait(), 200),
        (EditRoutes(tree=12), 61),
    ),
    "another channel was muted, and the next one would not hear of the end of a mute": (
        (Fire(alerts=(SLOW_A, SLOW_C)), 0),
        (EditRoutes(tree=4), 61),
        (Fire(alerts=(SLOW_B,)), 310),
        (EditRoutes(tree=10), 310),
        (Quieten(matchers='alertname="Slow"', later=25, lasting=700), 310),
        (End(alerts=(SLOW_A,)), 61),
    ),
    "a channel that wants no ends is left out, and comes back": (
        (EditRoutes(tree=9), 0),
        (A_FIRES, 12),
        (EditRoutes(tree=8), 31),
        (EditRoutes(tree=9), 31),
    ),
    "the first message is on its way": (
        (EditRoutes(tree=5), 0),
        (A_FIRES, 9),
        (HOOK_FAILS_ONCE, 1.5),
        (EditRoutes(tree=2), 12),
    ),
    "an alert ends whose first message was on its way": (
        (EditRoutes(tree=5), 0),
        (A_FIRES, 9),
        (HOOK_FAILS_ONCE, 1.5),
        (EditRoutes(tree=2), 12),
        (End(alerts=ALERTS[:1]), 30),
    ),
    "an end is on its way when the channel is back": (
        (A_FIRES, 12),
        (Fail(channel="hook", outcomes=(RETRY,) * 5), 0),
        (EditRoutes(tree=1), 25),
        (EditRoutes(tree=2), 12),
    ),
    "an end that was on its way when the channel is back never arrives": (
        (Fire(alerts=ALERTS[:2]), 12),
        (Fail(channel="hook", outcomes=(RETRY, DEAD)), 0),
        (EditRoutes(tree=3), 28),
        (EditRoutes(tree=2), 12),
    ),
    "a group has a message on its way, and an alert comes that another group told of": (
        (EditRoutes(tree=11), 0),
        (Fire(alerts=ALERTS[:2]), 12),
        (Fail(channel="hook", outcomes=(RETRY,) * 4), 0),
        (Fire(alerts=ALERTS[2:3]), 10),
        (EditRoutes(tree=0), 12),
    ),
    "a group joins one whose message is on its way": (
        (EditRoutes(tree=8), 0),
        (Quieten(matchers='host="a"', lasting=20), 0),
        (Fire(alerts=ALERTS[:2]), 38),
        (Fail(channel="pager", outcomes=(RETRY,) * 5), 5),
        (EditRoutes(tree=7), 60),
    ),
    "an alert ends whose first message was on its way when it joined others": (
        (EditRoutes(tree=5), 0),
        (Fire(alerts=ALERTS[1:2]), 20),
        (Fire(alerts=ALERTS[:1]), 9),
        (HOOK_FAILS_ONCE, 1.5),
        (EditRoutes(tree=0), 2),
        (End(alerts=ALERTS[:1]), 60),
    ),
    "the first message of an alert never arrives, and the alert has joined others": (
        (EditRoutes(tree=5), 0),
        (Fire(alerts=ALERTS[1:2]), 20),
        (Fire(alerts=ALERTS[:1]), 9),
        (Fail(channel="hook", outcomes=(RETRY, RETRY, RETRY, RETRY, DEAD)), 1.5),
        (EditRoutes(tree=0), 60),
    ),
    "an alert fires again that had ended before its group went elsewhere": (
        (EditRoutes(tree=11), 0),
        (Fire(alerts=(ALERTS[2], ALERTS[5])), 0),
        (End(alerts=ALERTS[2:3]), 0),
        (EditRoutes(tree=3), 0),
        (Fire(alerts=ALERTS[2:3]), 12),
    ),
    "a channel without ends was told of an alert whose end is told by another group": (
        (EditRoutes(tree=3), 0),
        (Fire(alerts=ALERTS[:2]), 61),
        (EditRoutes(tree=0), 61),
        (EditRoutes(tree=11), 61),
        (End(alerts=ALERTS[:1]), 3),
        (EditRoutes(tree=0), 2),
        (EditRoutes(tree=1), 31),
    ),
    "that the end of a mute is no news is taken back before the end of another": (
        (EditRoutes(tree=10), 0),
        (Quieten(matchers='host="a"', lasting=20), 0),
        (A_FIRES, 62),
        (Quieten(matchers='host="a"', lasting=90), 0),
        (EditRoutes(tree=1), 151),
    ),
    "that the end of a mute is no news is taken back": (
        (EditRoutes(tree=10), 0),
        (Quieten(matchers='host="a"', lasting=20), 0),
        (A_FIRES, 62),
        (EditRoutes(tree=1), 12),
    ),
}
"""Stories that random timelines came upon."""


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_of_the_tree_tells_nobody_twice_and_keeps_nobody_waiting(what: str, sqlite: Fresh) -> None:
    story = Timelines(sqlite())
    try:
        for event, pause in EDITS[what]:
            story.happen(event, pause)
        story.pass_time(story.truth.now + 100)
    finally:
        story.teardown()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_random_timelines_keep_every_promise(number: int, sqlite: Fresh) -> None:
    hold(sqlite, number)


@pytest.mark.timeout(1200)
@pytest.mark.peer("postgresql")
@pytest.mark.parametrize("number", range(1000, 1000 + ROUNDS_ON_POSTGRESQL))
def test_random_timelines_keep_every_promise_on_postgresql(number: int, postgresql: Fresh) -> None:
    hold(postgresql, number, ROUND if LOOKING else 6)


@pytest.mark.timeout(1200)
@pytest.mark.peer("postgresql")
@pytest.mark.parametrize("number", range(2000, 2000 + ROUNDS_ON_POSTGRESQL))
def test_random_timelines_keep_every_promise_on_postgresql_where_two_engines_share_the_work(
    number: int, postgresql: Fresh
) -> None:
    hold(postgresql, number, ROUND if LOOKING else 6, PairedWorld)
