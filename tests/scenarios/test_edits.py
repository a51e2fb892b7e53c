"""Edits that no trigger recorded: found by the comparison, and in force with all that hangs on them."""

from __future__ import annotations

from itertools import pairwise

from tests.scenarios.world import START, World


def asked(world: World, since: float, expr: str) -> list[float]:
    """When this was asked of Prometheus, in seconds since the start."""
    seconds = [(at - START).total_seconds() for text, at in world.prometheus.asked if text == expr]
    return [second for second in seconds if second >= since]


def edit_past_the_triggers(world: World, assignments: str) -> None:
    sqlite = world.service.database.is_sqlite
    world.sql("DROP TRIGGER alert_rules_updated" if sqlite else "ALTER TABLE alert_rules DISABLE TRIGGER USER")
    world.sql(f"UPDATE alert_rules SET {assignments}")


def second_by_second(world: World, end: int) -> None:
    """Let time pass with a tick in every second, as in a running engine; alone, the world ticks when something is due."""
    for second in range(round(world.now) + 1, end + 1):
        world.until(second)


def test_an_edit_past_the_triggers_is_evaluated_within_a_minute_at_its_new_interval(world: World) -> None:
    world.sql("INSERT INTO alert_rules (id, name, expr) VALUES ('r', 'n', 'a > 1')")
    world.until(30)
    assert len(asked(world, 0, "a > 1")) >= 2
    edit_past_the_triggers(world, "expr = 'b > 1', interval_seconds = 20")
    second_by_second(world, 130)
    times = asked(world, 0, "b > 1")
    assert 30 < times[0] <= 30 + 60 + 20
    assert {later - earlier for earlier, later in pairwise(times)} == {20.0}
    assert asked(world, times[0], "a > 1") == []


def test_a_rule_deleted_past_the_triggers_resolves_its_alerts(world: World) -> None:
    world.sql("INSERT INTO alert_rules (id, name, expr) VALUES ('r', 'n', 'a > 1')")
    world.returns("a > 1", ({"host": "x"}, 2.0))
    world.until(30)
    assert [told for _, told in world.told("WebhookUrl")] == ["firing"]
    sqlite = world.service.database.is_sqlite
    world.sql("DROP TRIGGER alert_rules_deleted" if sqlite else "ALTER TABLE alert_rules DISABLE TRIGGER USER")
    world.sql("DELETE FROM alert_rules")
    second_by_second(world, 130)
    assert [told for _, told in world.told("WebhookUrl")] == ["firing", "resolved"]
