"""A steady cycle, in which the same alerts go on firing: what it writes, and what it makes objects of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import event

from tests.scenarios.world import World

RULES = [f"r{number}" for number in range(5)]
TEXT = f'(m{{s=~"{"|".join(sorted(RULES))}"}}\n) > 1'
HEARTBEAT = {"UPDATE nodes", "DELETE evaluation_units"}


@contextmanager
def writing(world: World) -> Iterator[list[str]]:
    """What is written meanwhile: the verb and the table of each statement."""
    written: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.split()
        if words[0] in ("INSERT", "UPDATE", "DELETE"):
            written.append(f"{words[0]} {words[1 if words[0] == 'UPDATE' else 2]}")

    event.listen(world.service.database.engine, "before_cursor_execute", note)
    try:
        yield written
    finally:
        event.remove(world.service.database.engine, "before_cursor_execute", note)


def test_a_steady_cycle_writes_one_row_however_many_alerts_fire(world: World) -> None:
    series = 30
    for rule in RULES:
        world.sql(
            "INSERT INTO alert_rules (id, name, expr, interval_seconds) VALUES (:id, :id, :expr, 60)",
            id=rule,
            expr=f'm{{s="{rule}"}} > 1',
        )

    def answer(value: float) -> None:
        world.prometheus.answers[TEXT] = [
            ({"s": rule, "i": str(number)}, value + number) for rule in RULES for number in range(series)
        ]

    answer(5)
    world.until(70)
    assert world.rows("SELECT count(*) FROM alerts WHERE state = 'firing'") == [(len(RULES) * series,)]
    evaluator = next(loop for loop in world.service.loops if loop.name == "evaluator")
    for value in (6, 7, 8):
        answer(value)
        asked = len(world.prometheus.asked)
        with writing(world) as written:
            while len(world.prometheus.asked) == asked:
                world.clock.moment = evaluator.tick() or world.clock.moment
        # The heartbeat, which falls into this now and then, looks after the process and after units that nobody needs.
        assert [one for one in written if one not in HEARTBEAT] == ["UPDATE evaluation_units"]


def _play(world: World, seed: int) -> dict[str, list[tuple[Any, ...]]]:
    """Half an hour in which most slots bring the same series: all that is in the database then, and what was told."""
    chance = Random(seed)
    world.sql("INSERT INTO channels (name, kind, url) VALUES ('hook', 'webhook', 'http://127.0.0.1:1/hook')")
    world.sql("UPDATE routes SET channels = '[\"hook\"]', group_wait_seconds = 5, group_interval_seconds = 60")
    world.sql(
        "INSERT INTO alert_rules (id, name, expr, annotations) VALUES ('r', 'r', 'm > 1', '{\"is\": \"{{ $value }}\"}')"
    )
    world.sql("INSERT INTO alert_rules (id, name, expr, no_data) VALUES ('all', 'all', 'n > 1', 'alert')")
    acts = (
        lambda: world.sql("UPDATE alert_rules SET for_seconds = :x", x=chance.choice((0, 15, 60))),
        lambda: world.sql("UPDATE alert_rules SET keep_firing_for_seconds = :x", x=chance.choice((0, 25))),
        lambda: world.sql("UPDATE alert_rules SET annotations = '{\"now\": \"{{ $value }}\"}' WHERE id = 'r'"),
        lambda: setattr(world.clock, "moment", world.clock.moment + timedelta(seconds=45)),
        world.restart,
        lambda: None,
    )
    for _ in range(25):
        chance.choice(acts)()
        hosts = sorted(chance.sample("abc", chance.choice((0, 2, 3, 3))))
        for _ in range(chance.choice((1, 3, 6))):
            world.returns("m > 1", *[({"host": host}, 1.0 + chance.choice((1, 2))) for host in hosts])
            world.returns("n", *[({"host": host}, 2.0 * chance.choice((1, 1, 1, 0))) for host in "abc"])
            world.until(world.now + 10)
    tables = ("alerts", "ledger", "alert_groups", "evaluation_units", "rule_status")
    found = {table: [tuple(row) for row in world.rows(f"SELECT * FROM {table}")] for table in tables}
    return {**found, "told": [(one.at, one.body) for one in world.deliveries]}


def test_every_row_and_message_is_as_if_every_alert_had_been_judged(tmp_path: Path) -> None:
    quick, full = (World(f"sqlite:///{tmp_path}/{name}.db", {"TOCSIN_EVALUATION_INTERVAL": "10s"}) for name in "qf")
    full.prometheus.plain = True
    found, expected = _play(quick, 7), _play(full, 7)
    for world in (quick, full):
        world.service.stop()
    assert found == expected
    assert len(found["told"]) > 10
