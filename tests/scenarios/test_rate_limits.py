"""A channel's own limit: what is more waits, nothing is lost, newer news takes the place of older, and it is said."""

from __future__ import annotations

from engine.core.storyline import Kind, Verdict
from tests.scenarios.test_explaining import explain, said
from tests.scenarios.test_firing import BREACH, rule
from tests.scenarios.world import World

Series = tuple[dict[str, str], float]


def hosts(*names: str) -> list[Series]:
    return [({"__name__": "errors", "host": name}, 12.0) for name in names]


def limited(world: World, messages: int, seconds: float) -> None:
    """At most so many messages, and a group for each host."""
    world.sql(
        f"UPDATE channels SET rate_limit = '{{\"messages\": {messages}, \"per_seconds\": {seconds}}}' WHERE name = 'hook'"
    )
    world.sql("UPDATE routes SET group_by = '[\"host\"]'")
    rule(world)


def told(world: World) -> list[tuple[str, str]]:
    return [(one.body["status"], one.body["groupLabels"]["host"]) for one in world.deliveries]


def test_no_period_holds_more_messages_than_the_limit_and_each_goes_in_the_end(world: World) -> None:
    limited(world, 2, 60)
    world.returns(BREACH, *hosts("a", "b", "c", "d", "e"))
    world.until(250)
    assert sorted(host for _, host in told(world)) == ["a", "b", "c", "d", "e"]
    moments = [one.at for one in world.deliveries]
    assert all(later - earlier >= 60 for earlier, later in zip(moments, moments[2:], strict=False))


def test_what_ended_while_its_news_waited_is_told_once_as_over(world: World) -> None:
    limited(world, 1, 300)
    world.returns(BREACH, *hosts("a", "b"))
    world.until(40)
    world.returns(BREACH, *hosts("a"))
    world.until(400)
    assert told(world) == [("firing", "a"), ("resolved", "b")]


def test_the_story_says_until_when_a_message_waits(world: World) -> None:
    limited(world, 1, 300)
    world.returns(BREACH, *hosts("a", "b"))
    world.until(20)
    found = explain(world, alertname="Errors", host="b")
    assert found.verdict is Verdict.RATE_LIMITED
    until = "hook is rate limited until 2026-01-01 00:05:"
    assert until in found.summary
    assert until in said(found, Kind.ATTEMPT)[0]
    assert found.next is not None
    assert (found.next.action, found.next.at is not None) == ("the message to hook is tried", True)


def test_the_limit_holds_over_a_restart(world: World) -> None:
    limited(world, 1, 100)
    world.returns(BREACH, *hosts("a", "b"))
    world.until(20)
    world.restart()
    world.until(60)
    assert len(told(world)) == 1
    world.until(120)
    assert len(told(world)) == 2
