"""A Slack bot's message is kept true in place, and its thread says how things came to be so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from api.demo.stand_ins import SlackStandIn
from engine.store.tables import channels
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import World

OTHER: Final = {"__name__": "errors", "host": "b"}


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """Slack's API on this machine."""
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def bot(world: World, slack: SlackStandIn) -> World:
    """The world, telling Slack by a bot, with one rule whose alerts make one group."""
    world.really = frozenset({"SlackBot"})
    configure(world, slack)
    rule(world)
    return world


def configure(world: World, slack: SlackStandIn, **settings: str) -> None:
    """Let the channel be a bot in #ops, with these settings besides."""
    given = {"channel": "#ops", "api_url": slack.api_url, **settings}
    with world.service.database.write() as connection:
        changed = channels.update().where(channels.c.name == "hook")
        connection.execute(changed.values(kind="slack", url="xoxb-1-abc", settings=given))


def roots(slack: SlackStandIn) -> list[dict[str, Any]]:
    return [post for post in slack.posts.values() if "thread_ts" not in post]


def heads(slack: SlackStandIn) -> list[str]:
    """The messages a reader of the channel sees, by status and colour."""
    return [f"{post['text'].split(']')[0]}] {post['attachments'][0]['color']}" for post in roots(slack)]


def replies(slack: SlackStandIn, at: int = 0) -> list[tuple[str, bool]]:
    """The thread of a message: why each reply came, and whether the whole channel was told."""
    found = slack.thread(list(slack.posts)[at])
    return [(post["text"].split(" — ")[1].split("\n")[0], post["reply_broadcast"]) for post in found]


def test_an_incident_is_one_message_that_stays_true_with_its_history_in_the_thread(
    bot: World, slack: SlackStandIn
) -> None:
    bot.returns(BREACH, (HOST, 12))
    bot.until(20)
    assert heads(slack) == ["[FIRING:1] danger"]
    bot.returns(BREACH, (HOST, 12), (OTHER, 99))
    bot.until(60)
    assert heads(slack) == ["[FIRING:2] danger"]
    bot.restart()
    bot.returns(BREACH, (OTHER, 99))
    bot.until(120)
    bot.returns(BREACH)
    bot.until(180)
    assert heads(slack) == ["[RESOLVED] good"]
    assert replies(slack) == [
        ("new alerts added", True),
        ("some alerts resolved", False),
        ("all alerts resolved", False),
    ]


def test_what_fires_again_after_its_end_is_a_new_message(bot: World, slack: SlackStandIn) -> None:
    bot.returns(BREACH, (HOST, 12))
    bot.until(20)
    bot.returns(BREACH)
    bot.until(120)
    bot.returns(BREACH, (HOST, 12))
    bot.until(200)
    assert heads(slack) == ["[RESOLVED] good", "[FIRING:1] danger"]


def test_a_repeat_is_told_to_the_whole_channel(bot: World, slack: SlackStandIn) -> None:
    bot.sql("UPDATE routes SET repeat_interval_seconds = 60")
    bot.returns(BREACH, (HOST, 12))
    bot.until(110)
    assert heads(slack) == ["[FIRING:1] danger"]
    assert replies(slack) == [("repeat interval elapsed", True)]


def test_a_limit_hit_between_message_and_thread_loses_neither_and_repeats_neither(
    bot: World, slack: SlackStandIn
) -> None:
    bot.returns(BREACH, (HOST, 12))
    bot.until(20)
    bot.returns(BREACH)
    slack.fail_next(429, {"Retry-After": "40"})
    bot.until(180)
    assert heads(slack) == ["[RESOLVED] good"]
    assert replies(slack) == [("all alerts resolved", False)]
    assert [entry.reason for entry in bot.attempts()] == ["sent", "retry", "sent"]


def test_a_message_somebody_deleted_is_told_anew(bot: World, slack: SlackStandIn) -> None:
    bot.returns(BREACH, (HOST, 12))
    bot.until(20)
    slack.posts.clear()
    bot.returns(BREACH)
    bot.until(120)
    assert heads(slack) == ["[RESOLVED] good"]


def test_a_channel_that_now_means_another_place_gets_a_message_of_its_own(bot: World, slack: SlackStandIn) -> None:
    bot.returns(BREACH, (HOST, 12))
    bot.until(20)
    configure(bot, slack, channel="#web")
    bot.returns(BREACH, (HOST, 12), (OTHER, 99))
    bot.until(90)
    assert heads(slack) == ["[FIRING:1] danger", "[FIRING:2] danger"]
    assert len({post["channel"] for post in roots(slack)}) == 2


def test_every_news_is_a_message_of_its_own_where_that_is_wanted(bot: World, slack: SlackStandIn) -> None:
    configure(bot, slack, update="never")
    bot.returns(BREACH, (HOST, 12))
    bot.until(20)
    bot.returns(BREACH)
    bot.until(120)
    assert heads(slack) == ["[FIRING:1] danger", "[RESOLVED] good"]
