"""Values as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.commands import matching, words
from api.commands.failures import UsageError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("away", "text"),
    [
        (timedelta(0), "now"),
        (timedelta(seconds=-45), "45s ago"),
        (timedelta(minutes=-3, seconds=-20), "3m ago"),
        (timedelta(minutes=10), "in 10m"),
        (timedelta(hours=-2, minutes=-5), "2h5m ago"),
        (timedelta(hours=2), "in 2h"),
        (timedelta(days=-1, hours=-3), "1d3h ago"),
        (timedelta(days=-12, hours=-3), "12d ago"),
    ],
    ids=str,
)
def test_an_instant_is_told_from_here(away: timedelta, text: str) -> None:
    assert words.relative((NOON + away).isoformat(), NOON) == text


@pytest.mark.parametrize(("value", "text"), [(None, "-"), ("soon", "soon"), ("2026-11-21T11:00:00Z", "1h ago")])
def test_what_is_no_instant_stays_as_it_is(value: object, text: str) -> None:
    assert words.relative(value, NOON) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("", "-", id="empty"),
        pytest.param([], "-", id="no-item"),
        pytest.param({}, "-", id="no-member"),
        pytest.param(False, "false", id="false"),
        pytest.param(0, "0", id="zero"),
        pytest.param(91.50, "91.5", id="a-fraction"),
        pytest.param(1 / 3, "0.333333", id="a-long-fraction"),
        pytest.param(["a", "b"], "a, b", id="a-list"),
        pytest.param({"team": "db", "x": ""}, "team=db, x=", id="labels"),
        pytest.param("a\x1b[2Jb\nc", "a\\x1b[2Jb\\nc", id="no-control-of-the-terminal"),
    ],
)
def test_a_value_is_one_line(value: object, text: str) -> None:
    assert words.plain(value) == text


def test_matchers_are_printed_as_alertmanager_prints_them() -> None:
    given = [{"name": "team", "value": 'd"b', "operator": "="}, {"name": "i", "value": "web.*", "operator": "=~"}]
    assert words.matchers(given) == 'team="d\\"b", i=~"web.*"'
    assert words.matchers('{a="b"}') == '{a="b"}'


@pytest.mark.parametrize(
    ("typed", "name", "operator", "value"),
    [
        ("team=db", "team", "=", "db"),
        ("instance=~web.*", "instance", "=~", "web.*"),
        ('team!="d b"', "team", "!=", "d b"),
        ("HighCpu", "alertname", "=", "HighCpu"),
        ("a=", "a", "=", ""),
    ],
)
def test_a_matcher_is_typed_with_or_without_quotes(typed: str, name: str, operator: str, value: str) -> None:
    assert matching.parsed([typed]) == [{"name": name, "operator": operator, "value": value}]


def test_a_matcher_that_cannot_be_read_is_refused_with_its_place() -> None:
    with pytest.raises(UsageError, match="at position 3"):
        matching.parsed(["a=x{2}"])


@pytest.mark.parametrize("text", ["team", "=db", "team=~db", "team!=db"])
def test_a_label_is_a_name_and_a_value(text: str) -> None:
    with pytest.raises(UsageError, match="write a label as name=value"):
        matching.labels([text])


def test_an_alert_has_a_label_once() -> None:
    assert matching.labels(["a=b", "c=d=e", "a=b"]) == {"a": "b", "c": "d=e"}
    with pytest.raises(UsageError, match="the label a is given twice"):
        matching.labels(["a=b", "a=c"])
