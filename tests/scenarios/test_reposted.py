"""Alerts posted again and again: what is written and when, who else may have ended one, and what an outage of ours means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from api.alertmanager.wire import read
from tests.scenarios.test_posted import DOWN, HOOK, lag, transitions
from tests.scenarios.world import START, World


def post(world: World, *, labels: Mapping[str, str] = DOWN, end: float | None = None, **said: str) -> None:
    """Over the wire, as a sender does it again and again."""
    item: dict[str, Any] = {"labels": labels, "annotations": said, "startsAt": START.isoformat()}
    if end is not None:
        item["endsAt"] = (START + timedelta(seconds=end)).isoformat()
    assert world.service.posting.take(read(json.dumps([item]).encode())[0]) == {}


def ends(world: World) -> list[float]:
    rows = world.rows("SELECT ends_at FROM external_expiry ORDER BY alert_id")
    return [(at - START).total_seconds() if not isinstance(at, int) else at / 1e6 - START.timestamp() for (at,) in rows]


def test_an_unchanged_alert_is_written_with_others_after_ten_seconds_and_known_at_once(world: World) -> None:
    world.until(1)
    post(world, end=100)
    assert ends(world) == [100]
    world.until(5)
    post(world, end=200)
    assert ends(world) == [100]
    ((number, waiting),) = world.service.posting.waiting().items()
    assert waiting.ends_at == START + timedelta(seconds=200)
    world.until(14)
    assert ends(world) == [100]
    world.until(16)
    assert (ends(world), dict(world.service.posting.waiting())) == ([200], {})
    assert number == 1


def test_what_is_said_otherwise_is_written_at_once_and_is_no_transition(world: World) -> None:
    post(world, end=100, summary="one")
    post(world, end=100, summary="two")
    assert json.loads(str(world.rows("SELECT CAST(annotations AS TEXT) FROM alerts")[0][0])) == {"summary": "two"}
    assert transitions(world) == [(0, "posted")]


def test_an_alert_posted_again_and_again_never_ends_and_one_that_is_not_does(world: World) -> None:
    other = {**DOWN, "instance": "b"}
    for second in range(0, 600, 20):
        world.until(second)
        post(world, end=second + 40)
        if second < 100:
            post(world, labels=other, end=second + 40)
    world.until(610)
    found = world.rows("SELECT state, episode FROM alerts ORDER BY id")
    assert found == [("firing", 1), ("inactive", 1)]


def test_a_form_of_the_same_labels_that_is_new_is_the_same_alert(world: World) -> None:
    post(world, end=100)
    post(world, labels=dict(reversed(DOWN.items())), end=150)
    post(world, labels={**DOWN, "empty": ""}, end=170)
    assert (ends(world), transitions(world)) == ([170], [(0, "posted")])


def test_an_alert_that_another_process_has_ended_meanwhile_fires_again_when_it_is_posted(world: World) -> None:
    post(world, end=100)
    world.sql("DELETE FROM external_expiry")
    world.sql("UPDATE alerts SET state = 'inactive', resolved_at = active_at")
    world.until(5)
    post(world, end=200)
    assert world.rows("SELECT state FROM alerts") == [("inactive",)]
    world.until(16)
    assert world.rows("SELECT state, episode FROM alerts") == [("firing", 2)]


def test_an_end_that_comes_while_a_newer_one_waits_is_no_end(world: World) -> None:
    post(world, end=12)
    world.until(5)
    post(world, end=300)
    world.until(60)
    assert (ends(world), transitions(world)) == ([300], [(0, "posted")])


def test_after_an_outage_of_the_database_senders_get_time_to_post_again(world: World) -> None:
    post(world, end=60)
    world.until(30)
    world.sql("ALTER TABLE external_expiry RENAME TO elsewhere")
    world.clock.moment = START + timedelta(seconds=90)
    with pytest.raises(DBAPIError):
        world.service.posting.tick()
    world.sql("ALTER TABLE elsewhere RENAME TO external_expiry")
    world.until(100)
    post(world, end=160)
    world.until(140)
    assert transitions(world) == [(0, "posted")]
    world.until(300)
    assert transitions(world) == [(0, "posted"), (160 + lag(world), "expired")]


def test_when_ends_cannot_be_written_a_post_is_answered_only_once_it_is_written_itself(world: World) -> None:
    post(world, end=600)
    world.until(1)
    post(world, end=700)
    world.clock.moment = START + timedelta(seconds=40)
    post(world, end=800)
    assert ends(world) == [800]


def test_a_sender_that_changes_its_mind_resolves_at_once(world: World) -> None:
    post(world, end=600)
    world.until(60)
    post(world, end=59)
    world.until(90)
    assert transitions(world) == [(0, "posted"), (60, "resolved_by_sender")]
    assert world.told(HOOK)[-1][1] == "resolved"
