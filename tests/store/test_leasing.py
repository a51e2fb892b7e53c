"""Who may try which message: heads only, each by one process, and what was not tried counts as if nobody had touched it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, select

from engine.core.flush import Target
from engine.core.notifying import Told
from engine.store import leasing, outbox
from engine.store.database import Database
from engine.store.outbox import Parcel, Queued, Status
from engine.store.tables import channel_state
from engine.store.tables import outbox as rows
from tests.store.messages import NOON, group, message

AT = NOON + timedelta(minutes=2)
UNTIL = AT + timedelta(seconds=20)
ME, OTHER = "a/1", "b/1"


def heads(connection: Connection, *, holder: str = ME, limit: int = 10, channel: str = "slack") -> list[Parcel]:
    return leasing.heads(connection, channel, AT, limit=limit, holder=holder, but=[])


def claimed(database: Database, *, holder: str = ME, limit: int = 10) -> list[Parcel]:
    """What this holder claims of a channel."""
    with database.write() as connection:
        found = heads(connection, holder=holder, limit=limit)
        leasing.claim(connection, [one.id for one in found], holder, UNTIL)
    return found


def begun(database: Database, *, holder: str = ME) -> list[Parcel]:
    """What this holder claims and begins, with the attempt counted."""
    found = claimed(database, holder=holder)
    with database.write() as connection:
        kept = leasing.begin(connection, {one.id: b"body" for one in found}, holder)
    return [replace(one, attempts=one.attempts + 1) for one in found if one.id in kept]


def waiting(database: Database, count: int, channel: str = "slack") -> list[int]:
    """That many groups with one message each."""
    return [
        message(database, group(database, f"{channel}-{number}", []), channel=channel, status="pending")
        for number in range(count)
    ]


def standing(database: Database, number: int) -> tuple[str, int, bytes | None]:
    with database.read() as connection:
        row = connection.execute(select(rows).where(rows.c.id == number)).one()
    return row.status, row.attempts, row.rendered


def test_channels_with_something_due_are_named_but_those_that_rest(database: Database) -> None:
    for channel in ("c", "a", "b", "later"):
        waiting(database, 2, channel)
    with database.write() as connection:
        late = rows.update().where(rows.c.channel == "later")
        connection.execute(late.values(next_attempt_at=AT + timedelta(seconds=1)))
        resting = {"channel": "b", "next_send_at": AT + timedelta(seconds=1)}
        connection.execute(channel_state.insert().values(resting))
        assert leasing.channels_due(connection, AT) == ["a", "c"]
        assert leasing.channels_due(connection, AT + timedelta(seconds=2)) == ["a", "b", "c", "later"]


def test_only_the_head_of_a_queue_can_be_had_and_the_next_when_it_is_done(database: Database) -> None:
    of = group(database, "g", [])
    first, second = (message(database, of, status="pending") for _ in range(2))
    (head,) = begun(database)
    assert head.id == first
    assert claimed(database) == [replace(head, attempts=1, rendered=b"body")]
    with database.write() as connection:
        assert leasing.mark_sent(connection, [head], ME, AT) == {first}
        assert [one.id for one in heads(connection)] == [second]


def test_two_who_claim_at_once_step_around_each_other(database: Database) -> None:
    if database.is_sqlite:
        return  # There is one process, and its writers queue.
    numbers = waiting(database, 6)
    with database.write() as one, database.write() as other:
        mine = [parcel.id for parcel in heads(one, limit=3)]
        others = [parcel.id for parcel in heads(other, limit=3, holder=OTHER)]
        assert (mine, others) == (numbers[:3], numbers[3:])


def test_what_another_has_claimed_is_free_when_its_lease_is_over(database: Database) -> None:
    waiting(database, 1)
    (held,) = claimed(database, holder=OTHER)
    assert claimed(database) == []
    with database.write() as connection:
        later = leasing.heads(connection, "slack", UNTIL, limit=1, holder=ME, but=[])
    assert [one.id for one in later] == [held.id]


def test_what_a_holder_lost_sight_of_it_may_take_again_but_not_what_it_has_in_hand(database: Database) -> None:
    first, second = waiting(database, 2)
    claimed(database)
    with database.write() as connection:
        again = leasing.heads(connection, "slack", AT, limit=10, holder=ME, but=[first])
    assert [one.id for one in again] == [second]


def test_a_claimed_message_is_still_replaced_by_a_newer_one_and_is_then_not_sent(database: Database) -> None:
    of = group(database, "g", [])
    number = message(database, of, status="pending")
    claimed(database)
    with database.write() as connection:
        newer = Queued(facts_id=1, group_id=of, target=Target("slack"), reason="x", told=Told())
        outbox.add(connection, [newer], AT)
        assert leasing.begin(connection, {number: b"body"}, ME) == set()
    assert standing(database, number) == (Status.SUPERSEDED, 0, None)


def test_a_begun_message_that_is_given_back_is_as_if_nobody_had_tried_it(database: Database) -> None:
    waiting(database, 1)
    (parcel,) = begun(database)
    assert standing(database, parcel.id) == (Status.PENDING, 1, b"body")
    with database.write() as connection:
        assert leasing.give_back(connection, parcel, ME)
        assert not leasing.give_back(connection, parcel, ME)
    assert standing(database, parcel.id)[:2] == (Status.PENDING, 0)
    assert [one.attempts for one in begun(database, holder=OTHER)] == [1]


def test_several_are_marked_at_once_but_those_whose_lease_was_lost(database: Database) -> None:
    waiting(database, 3)
    mine = begun(database)
    with database.write() as connection:
        leasing.release_but(connection, [OTHER])
    with database.write() as connection:
        leasing.claim(connection, [mine[0].id], OTHER, UNTIL)
        leasing.claim(connection, [mine[1].id, mine[2].id], ME, UNTIL)
        assert leasing.mark_sent(connection, mine, ME, AT) == {mine[1].id, mine[2].id}
        assert leasing.marked_before(connection, mine, ME) == {mine[1].id, mine[2].id}
        assert leasing.marked_before(connection, mine, OTHER) == set()
