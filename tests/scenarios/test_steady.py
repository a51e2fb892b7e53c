"""A steady cycle, in which the same alerts go on firing: what it writes, and what it makes objects of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
