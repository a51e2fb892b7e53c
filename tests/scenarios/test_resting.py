"""Groups to which nothing happens cost next to nothing, and what does happen is told as if every flush were made in full."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import event

from engine.dispatcher import Dispatcher
from engine.muting import Muting
from engine.resting import Resting
from rules.labels import Labels
from rules.matchers import Matcher, Operator
from tests.peers.postgres_server import PostgresServer
from tests.scenarios.world import START, World

INTERVAL = 30


def dispatcher(world: World) -> Dispatcher:
    """The loop that flushes."""
    (found,) = [getattr(loop.tick, "__self__", None) for loop in world.service.loops if loop.name == "dispatcher"]
    assert isinstance(found, Dispatcher)
    return found


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """Collects what is asked of the database."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    event.listen(world.service.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(world.service.database.engine, "before_cursor_execute", note)


def flushes(world: World) -> float:
    (found,) = [
        one.value for each in world.service.metrics.flushes.collect() for one in each.samples if "_total" in one.name
    ]
    return found


def test_a_group_to_which_nothing_happens_only_has_its_timer_moved_on(world: World) -> None:
    for number in range(20):
        world.post({"alertname": f"a{number}"}, end=5000)
    world.until(70)
    before = flushes(world)
    with statements(world) as asked:
        world.until(70 + 10 * INTERVAL)
    assert flushes(world) - before == 20 * 10
    assert not _in_full(asked)
    assert world.rows("SELECT DISTINCT flush_at - flushed_at FROM alert_groups") in (
        [(30_000_000,)],
        [(timedelta(seconds=30),)],
    )


def test_a_silence_wakes_only_the_groups_it_has_a_part_in(world: World) -> None:
    for number in range(20):
        world.post({"alertname": f"a{number}"}, end=5000)
    world.until(70)
    silencing = (
        "INSERT INTO silences (id, matchers, starts_at, ends_at) VALUES (:id, '[\"alertname=a7\"]', :starts, :ends)"
    )
    world.sql(silencing.replace("a7", "other"), id="elsewhere", starts=START, ends=START + timedelta(seconds=4000))
    with statements(world) as asked:
        world.until(70 + 2 * INTERVAL)
    assert not _in_full(asked)
    assert any("JSON_EXTRACT(alerts.labels" in one or "alerts.labels ->>" in one for one in asked)
    world.sql(silencing, id="here", starts=START, ends=START + timedelta(seconds=4000))
    with statements(world) as asked:
        world.until(70 + 4 * INTERVAL)
    assert _in_full(asked)
    found = world.rows("SELECT subject_id, reason FROM ledger WHERE kind = 'mute'")
    assert [reason for _, reason in found] == ["silence"]


def _in_full(asked: list[str]) -> list[str]:
    """The statements by which a flush reads all there is to know of a group's alerts."""
    return [one for one in asked if "alerts.annotations" in one and "group_members" in one]


def test_a_group_that_remembers_what_a_channel_without_ends_was_told_rests_as_well(world: World) -> None:
    world.sql("UPDATE channels SET send_resolved = false WHERE name = 'hook'")
    world.post({"alertname": "a"}, end=5000)
    world.until(40)
    world.sql("INSERT INTO channels (name, kind, url) VALUES ('also', 'webhook', 'http://127.0.0.1:1/also')")
    world.sql("UPDATE routes SET channels = '[\"also\"]'")
    world.until(100)
    with statements(world) as asked:
        world.until(100 + 3 * INTERVAL)
    assert not _in_full(asked)
    world.sql("UPDATE routes SET channels = '[\"hook\"]'")
    world.until(300)
    assert world.rows("SELECT channel, reason FROM outbox WHERE channel = 'hook'") == [("hook", "first notification")]


def _post(world: World, chance: Random) -> None:
    labels = {
        "alertname": chance.choice(("disk", "load")),
        "host": chance.choice("abc"),
        "severity": chance.choice(("critical", "warning")),
    }
    end = world.now + chance.choice((0, 45, 400, 4000))
    world.post(labels, start=world.now - 1, end=end, said=str(chance.random()))


def _silence(world: World, chance: Random) -> None:
    starts = world.now + chance.choice((0, 0, 50))
    # JSON stands in the statement: PostgreSQL takes no text for it that is given beside one.
    world.sql(
        f"INSERT INTO silences (id, matchers, starts_at, ends_at) "
        f"VALUES (:id, '[\"host={chance.choice('abc')}\"]', :starts, :ends)",
        id=f"s{world.now}",
        starts=START + timedelta(seconds=starts),
        ends=START + timedelta(seconds=starts + chance.choice((40, 200))),
    )


def _night(world: World, chance: Random) -> None:
    start = int(world.now // 60) + chance.choice((0, 1, 2))
    begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (start, start + chance.choice((2, 60))))
    times = [{"times": [{"start_time": begin, "end_time": end}]}]
    world.sql(f"UPDATE time_intervals SET time_intervals = '{json.dumps(times)}' WHERE name = 'night'")


def _inhibit(world: World, chance: Random) -> None:
    world.sql("DELETE FROM inhibit_rules")
    if chance.random() < 0.7:
        world.sql(
            "INSERT INTO inhibit_rules (id, source_matchers, target_matchers, equal) "
            "VALUES ('i', '[\"severity=critical\"]', '[\"severity=warning\"]', '[\"host\"]')"
        )


def _edit(world: World, chance: Random) -> None:
    world.sql("UPDATE routes SET repeat_interval_seconds = :seconds", seconds=chance.choice((90, 300, 6000)))


def _channel(world: World, chance: Random) -> None:
    kept = chance.choice(('["hook"]', '["hook", "also"]', '["also"]'))
    world.sql(f"UPDATE routes SET channels = '{kept}'")


ACTS: tuple[Callable[[World, Random], None], ...] = (_post, _post, _post, _silence, _night, _inhibit, _edit, _channel)


class Forgetful(World):
    """The engine as it would be if it remembered nothing of groups that rest: each flush is made in full."""

    def _go_on(self) -> Any:
        dispatcher(self).flushing.resting = Resting()
        return super()._go_on()


def random_events(world: World, seed: int) -> None:
    """A quarter of an hour in which something happens all the time."""
    chance = Random(seed)
    for _ in range(20):
        chance.choice(ACTS)(world, chance)
        world.until(world.now + chance.choice((7, 31, 64, 100)))


ODD = ("x", "", "%", 'q"t', "%", "null", "1", "a b", "\\", "ü", "it's")
NAMES = ("host", "zone", "a.b", 'n"m')


def test_what_silences_cover_is_found_in_the_database_as_by_trying_each_on_each_alert(world: World) -> None:
    chance = Random(5)
    for number in range(60):
        some = {name: chance.choice(ODD) or "y" for name in chance.sample(NAMES, chance.randint(0, 4))}
        world.post({"alertname": f"a{number % 3}", **some}, end=5000)
    world.sql("UPDATE alerts SET source = 'rule' WHERE id % 2 = 0")
    external = Labels({"zone": "%"})
    numbers = [number for (number,) in world.rows("SELECT id FROM alerts")]
    with world.service.database.read() as connection:
        for muting in (Muting(), Muting(external=external)):
            labels = muting.labels(connection, numbers)
            for _ in range(300):
                lists = [_matchers(chance) for _ in range(chance.choice((1, 1, 2, 30)))]
                covered = {
                    number
                    for number, own in labels.items()
                    if any(all(one.matches(own) for one in every) for every in lists)
                }
                assert muting.covered(connection, numbers, lists) == covered


def _matchers(chance: Random) -> tuple[Matcher, ...]:
    operators = [chance.choice((Operator.EQUAL,) * 9 + tuple(Operator)) for _ in range(chance.randint(1, 3))]
    return tuple(
        Matcher(chance.choice(NAMES), one, chance.choice(ODD if one is Operator.EQUAL else PATTERNS))
        for one in operators
    )


PATTERNS = ("", "x", "%", "1", "it's")
"""Values that are regular expressions as well."""


def rare_events(world: World, _seed: int) -> None:
    """Each thing that can wake a group happens when it has rested for a while, and mostly without a word from anybody."""
    world.post({"alertname": "load", "host": "a", "severity": "warning"}, end=5000)
    _inhibit(world, Random(1))
    world.sql(
        'UPDATE time_intervals SET time_intervals = \'[{"times": [{"start_time": "00:11", "end_time": "00:13"}]}]\''
    )
    world.sql(
        "INSERT INTO silences (id, matchers, starts_at, ends_at) VALUES ('later', '[\"host=a\"]', :starts, :ends)",
        starts=START + timedelta(seconds=120),
        ends=START + timedelta(seconds=220),
    )
    world.until(330)
    world.post({"alertname": "disk", "host": "a", "severity": "critical"}, end=440)
    world.until(800)
    for name, host in (("elsewhere", "b"), ("here", "a")):
        world.sql(
            f"INSERT INTO silences (id, matchers, starts_at, ends_at) VALUES (:id, '[\"host={host}\"]', :starts, :ends)",
            id=name,
            starts=START + timedelta(seconds=world.now),
            ends=START + timedelta(seconds=world.now + 1000),
        )
        world.until(world.now + 70)
    world.sql("UPDATE silences SET matchers = '[\"host=b\"]' WHERE id = 'here'")
    world.until(world.now + 70)
    world.sql("UPDATE silences SET matchers = '[\"host=a\"]' WHERE id = 'elsewhere'")
    world.until(world.now + 70)
    world.sql("DELETE FROM silences WHERE id = 'elsewhere'")
    world.until(1400)


def played(
    world: World, events: Callable[[World, int], None], seed: int
) -> tuple[list[object], list[tuple[object, ...]]]:
    """What was delivered, and what the ledger says of groups."""
    world.sql(
        "INSERT INTO channels (name, kind, url, send_resolved) "
        "VALUES ('hook', 'webhook', 'http://127.0.0.1:1/hook', true), ('also', 'webhook', 'http://127.0.0.1:1/also', false)"
    )
    world.sql("INSERT INTO time_intervals (name, time_intervals) VALUES ('night', '[{\"months\": [\"7\"]}]')")
    world.sql(
        "UPDATE routes SET channels = '[\"hook\"]', group_by = '[\"alertname\"]', group_wait_seconds = 5, "
        "group_interval_seconds = 30, repeat_interval_seconds = 300"
    )
    world.sql(
        "INSERT INTO routes (id, parent_id, matchers, mute_time_intervals) "
        "VALUES ('below', 'root', '[\"host=~.+\"]', '[\"night\"]')"
    )
    events(world, seed)
    ledger = world.rows(
        "SELECT at, kind, reason, subject_id, alert_ids, detail FROM ledger "
        "WHERE subject_type = 'group' AND kind <> 'attempt' ORDER BY id"
    )
    world.service.stop()
    return [(one.at, one.kind, one.body) for one in world.deliveries], [tuple(one) for one in ledger]


@pytest.fixture(params=("sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))))
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The addresses of two empty databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/rests.db", f"sqlite:///{tmp_path}/plain.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database(), server.create_database()


@pytest.mark.parametrize(
    ("events", "seed"), [pytest.param(random_events, 3, id="random"), pytest.param(rare_events, 0, id="rare")]
)
def test_what_is_told_is_what_flushes_in_full_would_tell(
    databases: tuple[str, str], events: Callable[[World, int], None], seed: int
) -> None:
    resting, full = databases
    delivered, ledger = played(World(resting), events, seed)
    plain, written = played(Forgetful(full), events, seed)
    assert ledger == written
    assert delivered == plain
    assert len(ledger) > 10


def test_a_group_that_cannot_be_flushed_holds_up_no_other(world: World) -> None:
    world.broken_on_purpose = True
    for name in ("good", "bad", "fine"):
        world.post({"alertname": name}, end=5000)
    world.sql("UPDATE alert_groups SET muted = '{\"no number\": []}' WHERE CAST(labels AS TEXT) LIKE '%bad%'")
    world.until(60)
    assert sorted(one.body["groupLabels"]["alertname"] for one in world.deliveries) == ["fine", "good"]
    world.sql("UPDATE alert_groups SET muted = '{}' WHERE CAST(labels AS TEXT) LIKE '%bad%'")
    world.until(180)
    assert sorted(one.body["groupLabels"]["alertname"] for one in world.deliveries) == ["bad", "fine", "good"]
