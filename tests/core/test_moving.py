"""Where alerts and groups go when what placed them was edited."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from engine.core.grouping import Placement
from engine.core.moving import Shift, also, shift, successor, without
from engine.core.notifying import Told
from rules.labels import Labels
from rules.routing import Policy

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def placed(route_id: str, *channels: str, **labels: str) -> Placement:
    return Placement(policy=Policy(route_id=route_id, receiver="", channels=channels), labels=Labels(labels))


HOOK, CHAT = placed("hooks", "hook"), placed("chats", "chat")


def test_an_alert_stays_where_it_still_takes_the_route_whatever_groups_the_route_makes_now() -> None:
    assert shift({1: "hooks"}, [placed("hooks", "hook", host="a")]) == Shift(staying=(1,))


def test_an_alert_leaves_a_route_it_no_longer_takes_and_enters_those_it_takes_now() -> None:
    assert shift({1: "hooks", 2: "gone"}, [HOOK, CHAT]) == Shift(staying=(1,), leaving=(2,), entering=(CHAT,))


def test_a_group_goes_as_a_whole_when_all_of_it_goes_to_one_place() -> None:
    going = Shift(leaving=(1,), entering=(HOOK,))
    assert successor(1, [going, going], {"hook"}) == HOOK


def test_a_group_stays_when_one_of_it_stays_or_goes_elsewhere_or_nowhere_new() -> None:
    going = Shift(leaving=(1,), entering=(HOOK,))
    for other in (Shift(staying=(1,)), Shift(leaving=(1,), entering=(CHAT,)), Shift(leaving=(1,), staying=(2,))):
        assert successor(1, [going, other], {"hook"}) is None
        assert successor(1, [other, going], {"hook"}) is None
    assert successor(1, [], {"hook"}) is None


def test_of_several_places_the_one_that_tells_the_same_channel_carries_the_story_on() -> None:
    going = Shift(leaving=(1,), entering=(HOOK, CHAT))
    assert successor(1, [going], {"chat"}) == CHAT
    assert successor(1, [going], {"mail"}) == HOOK


def test_what_was_told_loses_and_gains_an_alert() -> None:
    told = Told(firing=frozenset({1, 2}), resolved=frozenset({3}), at=NOON)
    assert without(told, 1) == Told(firing=frozenset({2}), resolved=frozenset({3}), at=NOON)
    assert also(Told(), 1, told) == Told(firing=frozenset({1}), at=NOON)
    later = Told(firing=frozenset({5}), resolved=frozenset({1}), at=None)
    assert also(later, 1, told) == Told(firing=frozenset({1, 5}), at=None)
    timed = replace(later, at=NOON + timedelta(hours=1))
    assert also(timed, 1, told).at == also(told, 5, timed).at == NOON
