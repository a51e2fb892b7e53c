"""What holds for every definition store, told once for all of them and for both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from engine.store import channels, datasources, inhibit_rules, routes, rules, silences, time_intervals
from engine.store.database import Database
from rules.channels import Channel, ChannelKind
from rules.datasource import Datasource, DatasourceKind
from rules.errors import RulesError
from rules.inhibition import InhibitRule
from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.routing import NotifyOnUnmute, Route
from rules.rule import Condition, MissingSeries, NoData, OnError, Plan, Rule
from rules.silences import Silence
from rules.time_intervals import DayTime, Period, Span, TimeInterval

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def rule(key: str, **changed: Any) -> Rule:
    full = Rule(
        id=key,
        name="HighLatency",
        group="web",
        team="shop",
        metric_name="latency_seconds",
        condition=Condition.AT_LEAST,
        threshold=0.1,
        hold=timedelta(minutes=5),
        keep_firing_for=timedelta(milliseconds=1500),
        interval=timedelta(seconds=15),
        query_offset=timedelta(0),
        severity="page",
        labels=Labels({"team": "shop", "größe": "ü"}),
        annotations={"summary": "{{ $value }}"},
        notification_channels=("slack", "gone"),
        enabled=False,
        no_data=NoData.ALERT,
        missing_series=MissingSeries.KEEP,
        missing_for=timedelta(hours=2),
        on_error=OnError.ALERT,
        limit=7,
        plan=Plan.ALONE,
        origin="api",
    )
    return Rule(**{**{name: getattr(full, name) for name in full.__dataclass_fields__}, **changed})


def channel(key: str, team: str = "shop") -> Channel:
    given = {"channel": "#ops", "token": "file:/run/token"}
    return Channel(
        name=key,
        kind=ChannelKind.SLACK,
        url="env:URL",
        settings=given,
        send_resolved=False,
        team=team,
        origin="import:a",
    )


def route(key: str, receiver: str = "shop") -> Route:
    return Route(
        id=key,
        parent_id="root",
        position=-3,
        receiver=receiver,
        channels=(),
        matchers=parse_matchers('{team=~"a|b",note="say \\"hi\\", {x}\\n"}'),
        group_by=("...",),
        group_wait=timedelta(0),
        group_interval=timedelta(minutes=1),
        repeat_interval=timedelta(hours=1.5),
        continue_=True,
        notify_on_unmute=NotifyOnUnmute.ALWAYS,
        labels=Labels({"pager": "primary"}),
        mute_time_intervals=("nights", "weekends"),
        active_time_intervals=("gone",),
        team="shop",
        origin="api",
    )


def silence(key: str, comment: str = "disk swap") -> Silence:
    return Silence(
        id=key,
        matchers=parse_matchers('alertname="Disk",host!~"db.*"'),
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=2),
        created_by="ada",
        comment=comment,
        team="shop",
        origin="api",
    )


def datasource(key: str, tenant: str = "42") -> Datasource:
    return Datasource(
        name=key,
        urls=("http://a:9090", "env:B"),
        kind=DatasourceKind.MIMIR,
        tenant=tenant,
        auth={"user": "ada", "password": "env:PASSWORD"},
        team="shop",
        origin="api",
    )


def inhibit_rule(key: str, name: str = "pages quiet warnings") -> InhibitRule:
    return InhibitRule(
        id=key,
        name=name,
        source_matchers=parse_matchers("severity=page"),
        target_matchers=parse_matchers('severity=~"warning|info",team!=db'),
        equal=("cluster", "größe"),
        team="shop",
        origin="api",
    )


def time_interval(key: str, team: str = "shop") -> TimeInterval:
    nights = Period(times=(DayTime(0, 360), DayTime(1320, 1440)), location="Europe/Berlin")
    rare = Period(
        weekdays=(Span(0, 0), Span(6, 6)),
        days_of_month=(Span(-3, -1),),
        months=(Span(2, 2),),
        years=(Span(2028, 2032),),
    )
    return TimeInterval(name=key, periods=(nights, rare), team=team, origin="import:a")


@dataclass(frozen=True)
class Case:
    """A store, a value of it under any key, and the same value with one word changed."""

    store: ModuleType
    made: Callable[[str], Any]
    other: Callable[[str], Any]


CASES = [
    pytest.param(Case(rules, rule, lambda key: rule(key, severity="info")), id="rules"),
    pytest.param(Case(channels, channel, lambda key: channel(key, team="pay")), id="channels"),
    pytest.param(Case(routes, route, lambda key: route(key, receiver="pay")), id="routes"),
    pytest.param(Case(silences, silence, lambda key: silence(key, comment="")), id="silences"),
    pytest.param(Case(datasources, datasource, lambda key: datasource(key, tenant="")), id="datasources"),
    pytest.param(Case(inhibit_rules, inhibit_rule, lambda key: inhibit_rule(key, name="")), id="inhibit_rules"),
    pytest.param(Case(time_intervals, time_interval, lambda key: time_interval(key, team="")), id="time_intervals"),
]
every_store = pytest.mark.parametrize("case", CASES)


def recorded(database: Database) -> int:
    """How many changes the feed holds."""
    with database.read() as connection:
        count: int = connection.execute(text("SELECT count(*) FROM definition_changes")).scalar_one()
        return count


@every_store
def test_what_is_put_is_read_back_whole(database: Database, case: Case) -> None:
    with database.write() as connection:
        stored = case.store.put(connection, case.made("k1"))
    with database.read() as connection:
        assert stored == case.made("k1") == case.store.get(connection, "k1")


@every_store
def test_a_second_put_under_the_key_updates_the_row_and_its_version(database: Database, case: Case) -> None:
    with database.write() as connection:
        case.store.put(connection, case.made("k1"))
    with database.write() as connection:
        stored = case.store.put(connection, case.other("k1"))
    assert stored.version == 2
    assert case.store.to_row(stored) == case.store.to_row(case.other("k1"))


@every_store
def test_putting_what_stands_there_already_writes_nothing(database: Database, case: Case) -> None:
    with database.write() as connection:
        case.store.put(connection, case.made("k1"))
    before = recorded(database)
    with database.write() as connection:
        assert case.store.put(connection, case.made("k1")).version == 1
    assert recorded(database) == before


@every_store
def test_an_absent_key_is_none_and_cannot_be_deleted(database: Database, case: Case) -> None:
    with database.write() as connection:
        assert case.store.get(connection, "nobody") is None
        assert case.store.delete(connection, "nobody") is False


@every_store
def test_what_is_deleted_is_gone(database: Database, case: Case) -> None:
    with database.write() as connection:
        case.store.put(connection, case.made("k1"))
        assert case.store.delete(connection, "k1") is True
        assert case.store.get(connection, "k1") is None


@every_store
def test_pages_follow_each_other_by_key_and_miss_nothing(database: Database, case: Case) -> None:
    with database.write() as connection:
        for key in ("zz3", "zz1", "zz2"):
            case.store.put(connection, case.made(key))
    with database.read() as connection:
        first = case.store.page(connection, after="z", limit=2)
        rest = case.store.page(connection, after="zz2", limit=2)
    assert (first, rest) == ([case.made("zz1"), case.made("zz2")], [case.made("zz3")])


def test_a_page_is_full_although_rows_before_its_end_cannot_be_read(database: Database) -> None:
    with database.write() as connection:
        for number in range(6):
            rules.put(connection, rule(f"r{number}"))
        connection.execute(text("""UPDATE alert_rules SET labels = '{"n": 1}' WHERE id IN ('r0', 'r2', 'r3')"""))
        found = rules.page(connection, limit=3)
        assert [each.id for each in found] == ["r1", "r4", "r5"]
        assert rules.page(connection, after="r1", limit=1) == [rule("r4")]


def test_a_page_of_none_is_empty(database: Database) -> None:
    with database.read() as connection:
        assert channels.page(connection, limit=0) == []


def test_a_row_that_cannot_be_read_says_why_and_is_mended_by_a_put(database: Database) -> None:
    with database.write() as connection:
        rules.put(connection, rule("r"))
        connection.execute(text("""UPDATE alert_rules SET labels = '{"n": 1}'"""))
        with pytest.raises(RulesError, match=r"labels\.n is 1; give a text"):
            rules.get(connection, "r")
        mended = rules.put(connection, rule("r"))
        assert (mended.version, mended.labels) == (3, rule("r").labels)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(rule("r", name="a\0b"), r"name holds 'a\\x00b'", id="text"),
        pytest.param(rule("r", annotations={"a": "\ud800"}), r"annotations.a holds '\\ud800'", id="in an object"),
        pytest.param(rule("r", annotations={"a\0": ""}), "annotations holds", id="a name in an object"),
        pytest.param(rule("r", notification_channels=("ok", "\0")), "notification_channels holds", id="in a list"),
    ],
)
def test_text_that_one_database_cannot_hold_is_refused_for_both(database: Database, value: Rule, message: str) -> None:
    with database.write() as connection, pytest.raises(RulesError, match=message):
        rules.put(connection, value)


def test_a_datasource_in_use_cannot_be_deleted(database: Database) -> None:
    with database.write() as connection:
        datasources.put(connection, datasource("mimir"))
        rules.put(connection, rule("r", datasource="mimir"))
    with pytest.raises(IntegrityError), database.write() as connection:
        datasources.delete(connection, "mimir")


def test_many_keys_are_read_in_several_queries(database: Database) -> None:
    with database.write() as connection:
        for number in range(3):
            rules.put(connection, rule(f"r{number}"))
        wanted = [f"r{number}" for number in range(1200)]
        assert sorted(row["id"] for row in rules.TABLE.rows(connection, wanted)) == ["r0", "r1", "r2"]
