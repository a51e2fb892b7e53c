"""Alerts find their groups by route and labels, and groups keep to their grid of flushes."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.grouping import Placement, Placing, first_flush, next_flush, place, policies, this_flush
from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.routing import Policy, Route, build
from rules.rule import Rule
from tests.core.alarms import HOUR, MINUTE, NOON, SECOND

LABELS = Labels({"alertname": "Busy", "team": "db", "host": "a"})
TREE = build(
    [
        Route(id="root", channels=("mail",), group_wait=10 * SECOND),
        Route(
            id="db", parent_id="root", matchers=parse_matchers('team="db"'), group_by=("team", "nosuch"), continue_=True
        ),
        Route(id="all", parent_id="root", position=1, matchers=parse_matchers('team=~".+"'), group_by=("...",)),
    ]
)
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))
INTERVALS = st.timedeltas(timedelta(microseconds=1), timedelta(days=2))


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        pytest.param(LABELS, {"db": Labels({"team": "db"}), "all": LABELS}, id="two routes"),
        pytest.param(LABELS.without("team"), {"root": Labels()}, id="nobody else's is the root's"),
    ],
)
def test_an_alert_belongs_to_one_group_of_every_route_it_takes(labels: Labels, groups: dict[str, Labels]) -> None:
    placements = place(None, labels, TREE)
    assert {placement.policy.route_id: placement.labels for placement in placements} == groups
    assert len(placements) == len(groups)


@given(st.lists(st.dictionaries(st.sampled_from(["alertname", "team", "host"]), st.sampled_from(["db", "a", "b"]))))
def test_many_alerts_are_placed_as_each_by_itself(many: list[dict[str, str]]) -> None:
    placing = Placing(TREE)
    own = Rule(id="7", name="Busy", notification_channels=("pager",))
    for labels in map(Labels, many):
        for rule in (None, own):
            assert placing.place(rule, labels) == place(rule, labels, TREE)


def test_a_rule_that_names_channels_replaces_the_tree() -> None:
    rule = Rule(id="7", name="Busy", notification_channels=("pager", "chat"))
    (placement,) = place(rule, LABELS, TREE)
    assert placement.labels == Labels({"alertname": "Busy"})
    assert placement.policy.route_id == "rule:7"
    assert placement.policy.channels == ("pager", "chat")
    assert placement.policy.group_wait == 10 * SECOND


def test_a_rule_that_names_no_channel_takes_the_tree() -> None:
    assert policies(Rule(id="7", name="Busy"), LABELS, TREE) == TREE.match(LABELS)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(Placement(policy=Policy(route_id="a", receiver="new"), labels=LABELS), True, id="text edited"),
        pytest.param(Placement(policy=Policy(route_id="b", receiver="ops"), labels=LABELS), False, id="another route"),
        pytest.param(Placement(policy=Policy(route_id="a", receiver="ops"), labels=Labels()), False, id="other labels"),
    ],
)
def test_the_key_that_leaves_the_system_hangs_on_route_id_and_group_labels(other: Placement, same: bool) -> None:
    one = Placement(policy=Policy(route_id="a", receiver="ops"), labels=LABELS)
    assert (one.dedup_key == other.dedup_key) is same
    assert len(one.dedup_key) == 64


def test_a_group_is_known_by_the_hash_of_its_labels() -> None:
    assert Placement(policy=Policy(route_id="a", receiver=""), labels=LABELS).labels_hash == LABELS.key()


def test_a_busy_group_is_first_flushed_after_its_group_wait() -> None:
    assert first_flush(Policy(route_id="a", receiver="", group_wait=30 * SECOND), NOON) == NOON + 30 * SECOND


@pytest.mark.parametrize(
    ("late", "this", "following"),
    [
        pytest.param(timedelta(0), 0, 5, id="on time"),
        pytest.param(4 * MINUTE, 0, 5, id="a little late"),
        pytest.param(5 * MINUTE, 5, 10, id="late by an interval"),
        pytest.param(HOUR + MINUTE, 60, 65, id="after an outage"),
        pytest.param(-MINUTE, 0, 5, id="early"),
    ],
)
def test_a_late_flush_does_not_drift(late: timedelta, this: int, following: int) -> None:
    assert this_flush(NOON, 5 * MINUTE, NOON + late) == NOON + this * MINUTE
    assert next_flush(NOON, 5 * MINUTE, NOON + late) == NOON + following * MINUTE


@given(SPANS, INTERVALS)
def test_the_next_flush_is_the_first_on_the_grid_after_now(late: timedelta, interval: timedelta) -> None:
    now = NOON + late
    following = next_flush(NOON, interval, now)
    assert (following - NOON) % interval == timedelta(0)
    assert following - interval <= now < following
    assert this_flush(NOON, interval, now) == following - interval
