"""Notifications: the messages of the outbox with their attempts, found by what they tell, by channel and by outcome."""

from __future__ import annotations

from datetime import timedelta

from engine.core.alert import Alert, Change, State, TransitionReason
from engine.store import alerts, notifications
from engine.store.database import Database
from engine.store.notifications import Attempt, Notification, Wanted
from engine.store.outbox import Status
from rules.labels import Labels
from tests.store.messages import NOON, attempt, group, message


def stored(database: Database, *hosts: str) -> list[int]:
    """An alert per host; their row numbers."""
    found = [
        Alert(
            source="r1",
            labels=Labels({"host": host}),
            sample_labels=Labels(),
            state=State.FIRING,
            value=1.0,
            threshold=None,
            annotations={},
            active_at=NOON,
        )
        for host in hosts
    ]
    changes = [Change(before=None, alert=one, reason=TransitionReason.HELD) for one in found]
    with database.write() as connection:
        numbers = alerts.save(connection, changes)
    return [numbers[("r1", one.labels.key())] for one in found]


def ids(database: Database, before: int | None = None, limit: int = 100, **wanted: object) -> list[int]:
    with database.read() as connection:
        asked = Wanted(**wanted)  # type: ignore[arg-type]  # Each case names its own.
        return [one.id for one in notifications.page(connection, asked, before=before, limit=limit)]


def test_a_message_is_told_with_its_attempts(database: Database) -> None:
    number = group(database, "a", [])
    first, second = message(database, number), message(database, number, channel="log", status="pending")
    attempt(database, number, first, "retry", failure="rate_limited", detail="HTTP 429")
    attempt(database, number, first, "sent", detail="HTTP 200")
    with database.read() as connection:
        waiting, sent = notifications.page(connection, Wanted())
    assert sent == Notification(
        id=first,
        channel="slack",
        recipient="",
        dedup_key="key-a",
        reason="first notification",
        status=Status.SENT,
        attempts=(
            Attempt(at=NOON, outcome="retry", error="rate_limited: HTTP 429"),
            Attempt(at=NOON, outcome="sent", error=None),
        ),
        next_attempt_at=None,
        created_at=NOON,
        finished_at=NOON,
    )
    assert (waiting.id, waiting.attempts) == (second, ())
    assert waiting.next_attempt_at == NOON + timedelta(minutes=1)


def test_messages_are_found_by_the_alert_they_tell_of(database: Database) -> None:
    db, web = stored(database, "db", "web")
    number = group(database, "a", [db, web])
    both, only_web = message(database, number, firing=[db, web]), message(database, number, firing=[web])
    ended = message(database, number, firing=[web], resolved=[db])
    elsewhere = message(database, group(database, "b", [web]), firing=[web])
    assert ids(database, fingerprint=Labels({"host": "db"}).fingerprint()) == [ended, both]
    assert ids(database, fingerprint=Labels({"host": "web"}).fingerprint()) == [elsewhere, ended, only_web, both]
    assert ids(database, fingerprint="0123456789abcdef") == []


def test_messages_are_found_by_channel_and_outcome(sqlite: Database) -> None:
    number = group(sqlite, "a", [])
    sent, dead = message(sqlite, number), message(sqlite, number, status="dead")
    mail = message(sqlite, number, channel="email", status="dead")
    assert ids(sqlite, channel="slack") == [dead, sent]
    assert ids(sqlite, status=Status.DEAD) == [mail, dead]
    assert ids(sqlite, status=Status.DEAD, channel="email") == [mail]


def test_a_page_goes_on_where_the_last_one_ended(sqlite: Database) -> None:
    number = group(sqlite, "a", [])
    first, second, third = (message(sqlite, number) for _ in range(3))
    assert ids(sqlite, limit=2) == [third, second]
    assert ids(sqlite, limit=2, before=second) == [first]
    assert ids(sqlite, before=first) == []


def test_more_messages_than_are_fetched_at_once_are_all_looked_at(sqlite: Database) -> None:
    db, web = stored(sqlite, "db", "web")
    number = group(sqlite, "a", [db, web])
    oldest = message(sqlite, number, firing=[db])
    with sqlite.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO outbox (facts_id, group_id, channel, reason, next_attempt_at, told, created_at) "
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) "
            f"SELECT facts_id, group_id, channel, reason, 0, '{{\"firing\": [{web}]}}', 0 FROM outbox, n"
        )
    assert ids(sqlite, fingerprint=Labels({"host": "db"}).fingerprint(), limit=1) == [oldest]
