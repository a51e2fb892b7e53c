"""What mutes alerts, read from a real database: what is remembered between two looks never makes a look wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.core.alert import Alert, Change, State, TransitionReason
from engine.core.inhibiting import inhibitors
from engine.core.muting import Mute, MuteKind
from engine.muting import Muting
from engine.store import alerts, schema
from engine.store.database import Database, connect
from engine.store.definitions import DefinitionFeed, Definitions
from rules.inhibition import InhibitRule
from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.routing import Policy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUTE = Policy(route_id="r", receiver="ops")


def rule(name: str, source: str, target: str, *equal: str) -> InhibitRule:
    return InhibitRule(
        id=name, source_matchers=parse_matchers(source), target_matchers=parse_matchers(target), equal=equal
    )


CRITICAL = rule("critical", "severity=critical", "severity=warning", "host")
BY_NAME = rule("by name", "name=down", 'name!="down"')


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = connect(str(tmp_path / "tocsin.db"), SystemClock())
    schema.upgrade(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def definitions(database: Database) -> Definitions:
    with database.read() as connection:
        return DefinitionFeed().refresh(connection)


def alert(**labels: str) -> Alert:
    named = Labels({"alertname": "x", **labels})
    return Alert(source="r", labels=named, sample_labels=named, state=State.FIRING, value=1.0, active_at=NOW)


def stored(database: Database, one: Alert, state: State = State.FIRING) -> Alert:
    """The alert as its row stands once it is in this state."""
    change = Change(before=None, alert=replace(one, state=state), reason=TransitionReason.HELD)
    with database.write() as connection:
        (number,) = alerts.save(connection, [change]).values()
    return replace(change.alert, id=number)


DOWN, OUT = alert(name="down", severity="critical", host="a"), alert(name="out", severity="critical", host="a")
SLOW, LATE = alert(name="slow", severity="warning", host="a"), alert(name="late", severity="warning", host="b")


def inhibiting(definitions: Definitions, rules: tuple[InhibitRule, ...]) -> Definitions:
    """The definitions with these inhibit rules."""
    return replace(definitions, configuration=replace(definitions.configuration, inhibit_rules=rules))


def test_every_look_answers_as_if_nothing_were_remembered(database: Database, definitions: Definitions) -> None:
    muting = Muting()
    every = [stored(database, one, State.INACTIVE) for one in (DOWN, OUT, SLOW, LATE)]
    labels = {one.id: one.labels for one in every if one.id is not None}
    for firing, rules in [
        ([SLOW, LATE], (CRITICAL,)),
        ([DOWN, OUT, SLOW, LATE], (CRITICAL,)),
        ([OUT, SLOW, LATE], (CRITICAL,)),
        ([SLOW], (CRITICAL,)),
        ([DOWN, SLOW, LATE], (CRITICAL, BY_NAME)),
        ([OUT, SLOW, LATE], ()),
        ([DOWN, SLOW, LATE], (BY_NAME,)),
        ([], (BY_NAME, CRITICAL)),
    ]:
        standing = {one.labels for one in firing}
        for one in every:
            stored(database, one, State.FIRING if one.labels in standing else State.INACTIVE)
        plain = {number: found for number, found in labels.items() if found in standing}
        expected = {number: inhibitors(rules, plain, target) for number, target in labels.items()}
        with database.read() as connection:
            found = muting.mutes(connection, every, inhibiting(definitions, rules), NOW, ROUTE)
        assert {number: [mute.by for mute in mutes] for number, mutes in found.items()} == {
            number: [one.rule_id for one in those] for number, those in expected.items() if those
        }
        assert all(mute.source in plain for mutes in found.values() for mute in mutes)


def test_what_was_learnt_before_a_flush_need_not_be_learnt_in_it(database: Database, definitions: Definitions) -> None:
    muting, inhibited = Muting(), inhibiting(definitions, (CRITICAL,))
    source, target = stored(database, DOWN), stored(database, SLOW)
    with database.read() as connection:
        muting.refresh(connection, (CRITICAL,))
        found = muting.mutes(connection, [source, target], inhibited, NOW, ROUTE)
    assert found == {target.id: (Mute(kind=MuteKind.INHIBITION, by="critical", source=source.id),)}


def test_where_nothing_can_be_inhibited_nobody_asks_what_fires(database: Database, definitions: Definitions) -> None:
    asked: list[str] = []
    target = stored(database, SLOW)
    with database.read() as connection:
        connection.connection.driver_connection.set_trace_callback(asked.append)  # type: ignore[union-attr]  # SQLite's own.
        for rules in ((), (rule("other", "severity=critical", "severity=info"),)):
            assert Muting().mutes(connection, [target], inhibiting(definitions, rules), NOW, ROUTE) == {}
        connection.connection.driver_connection.set_trace_callback(None)  # type: ignore[union-attr]  # The same.
    assert asked == []
