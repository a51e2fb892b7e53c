"""What becomes of rules whose planned query fails, and what the planner remembers of it."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.alert import Sample
from engine.core.batching import RESERVED
from engine.core.planning import Means
from engine.core.vector import Vector
from engine.planner import Planner, Refined
from engine.query_answer import QueryError, QueryErrorKind
from engine.replies import Replies, Reply, replies
from rules.errors import LabelError
from rules.labels import Labels
from rules.rule import Condition, Plan, Rule
from rules.thresholds import Threshold

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Refined(since=NOW, until=NOW + timedelta(minutes=1))


def rule(name: str, expr: str) -> Rule:
    return Rule(id=name, name=name, expr=expr)


def union(*services: str) -> dict[str, Rule]:
    return {service: rule(service, f'm{{s="{service}"}} > 1') for service in services}


@dataclass
class Server:
    """Fails what holds one of the `broken` texts, and a query with more alternatives than `most`; answers all else empty."""

    broken: Mapping[str, QueryErrorKind] = field(default_factory=dict)
    most: int = 1000
    asked: list[str] = field(default_factory=list)

    def __call__(self, texts: Collection[str]) -> Mapping[str, Reply]:
        self.asked += sorted(texts)
        return {text: self._reply(text) for text in texts}

    def _reply(self, text: str) -> Reply:
        for broken, kind in self.broken.items():
            if broken in text:
                return Reply(error=QueryError(kind, f"{broken} is broken"))
        if text.count("|") >= self.most:
            return Reply(error=QueryError(QueryErrorKind.EXECUTION, "too many samples"))
        return Reply()


def told(planner: Planner, rules: Mapping[str, Rule], server: Server, *, batch: int = 1) -> Replies:
    server.asked.clear()
    return replies(planner.plan("unit", rules, WINDOW, batch=batch).requests, server, planner)


def test_one_bad_rule_takes_no_neighbour_down_and_is_asked_alone_until_it_is_edited() -> None:
    planner, rules = Planner(), union("a", "b", "bad")
    server = Server({"bad": QueryErrorKind.EXECUTION})
    found = told(planner, rules, server)
    assert list(found.found) == ["bad"]
    assert str(found["bad"].error) == "bad is broken"
    assert server.asked == ['(m{s=~"a|b|bad"}\n) > 1', *(one.expr for one in rules.values())]
    found = told(planner, rules, server)
    assert list(found.found) == ["bad"]
    assert server.asked == ['(m{s=~"a|b"}\n) > 1', 'm{s="bad"} > 1']
    [alone] = [part for part in planner.queries("unit") if part.means is Means.ALONE]
    assert "failed when it was asked together with others: bad is broken" in alone.obstacle
    edited = {**rules, "bad": rule("bad", 'm{s="good"} > 1')}
    assert told(planner, edited, server).found == {}
    assert server.asked == ['(m{s=~"a|b|good"}\n) > 1']


def test_a_query_that_is_too_large_is_asked_in_pieces_from_then_on() -> None:
    planner, rules = Planner(), union(*"abcdefgh")
    server = Server(most=4)
    assert told(planner, rules, server).found == {}
    assert len(server.asked) == 1 + 8
    assert told(planner, rules, server).found == {}
    assert server.asked == ['(m{s=~"a|b|c|d"}\n) > 1', '(m{s=~"e|f|g|h"}\n) > 1']


def test_a_moment_s_trouble_is_forgiven_twice() -> None:
    planner, rules = Planner(), union("a", "b")
    server = Server({"a|b": QueryErrorKind.TIMEOUT})
    for _ in range(3):
        told(planner, rules, server)
        assert len(server.asked) == 1 + 1 + 2
    told(planner, rules, server)
    assert len(server.asked) == 2


def test_when_the_datasource_does_not_answer_nobody_asks_again() -> None:
    server = Server({"": QueryErrorKind.UNAVAILABLE})
    found = told(Planner(), union("a", "b"), server)
    assert found.found.keys() == {"a", "b"}
    assert server.asked == ['(m{s=~"a|b"}\n) > 1', "vector(1)"]


@pytest.mark.parametrize("kind", [QueryErrorKind.AUTH, QueryErrorKind.MALFORMED])
def test_who_is_turned_away_does_not_come_again(kind: QueryErrorKind) -> None:
    server = Server({"": kind})
    assert told(Planner(), union("a", "b"), server).found.keys() == {"a", "b"}
    assert len(server.asked) == 1


def test_when_the_first_sixteen_fail_by_themselves_the_others_are_not_asked() -> None:
    server = Server({"m{": QueryErrorKind.TIMEOUT})
    rules = union(*(f"s{number:02}" for number in range(40)))
    found = told(Planner(), rules, server)
    assert found.found.keys() == rules.keys()
    assert len(server.asked) == 1 + 1 + 16


def test_rules_that_all_fail_are_not_held_against_each_other() -> None:
    planner, rules = Planner(), union("a", "b")
    server = Server({"m{": QueryErrorKind.EXECUTION})
    told(planner, rules, server)
    server.broken = {}
    told(planner, rules, server)
    assert server.asked == ['(m{s=~"a|b"}\n) > 1']


def test_what_breaks_a_batch_rides_in_none_any_more() -> None:
    planner = Planner()
    rules = {name: rule(name, f"{name}_total > 1") for name in ("a", "b", "bad")}
    server = Server({"bad": QueryErrorKind.TIMEOUT})
    assert list(told(planner, rules, server, batch=10).found) == ["bad"]
    assert list(told(planner, rules, server, batch=10).found) == ["bad"]
    assert sorted("label_replace" in text for text in server.asked) == [False, True]


def test_a_batch_that_fails_although_nothing_in_it_does_is_never_asked_again() -> None:
    planner = Planner()
    rules = {name: rule(name, f"{name}_total > 1") for name in ("a", "b")}
    server = Server({RESERVED: QueryErrorKind.EXECUTION})
    assert told(planner, rules, server, batch=10).found == {}
    told(planner, rules, server, batch=10)
    assert len(server.asked) == 2


def test_a_batch_of_which_nothing_works_says_nothing_about_it() -> None:
    planner = Planner()
    rules = {name: rule(name, f"{name}_total > 1") for name in ("a", "b")}
    server = Server({"total": QueryErrorKind.EXECUTION})
    assert told(planner, rules, server, batch=10).found.keys() == {"a", "b"}
    server.broken = {}
    told(planner, rules, server, batch=10)
    assert len(server.asked) == 1


def test_a_rule_can_be_kept_to_itself() -> None:
    rules = union("a", "b", "c")
    rules["a"] = replace(rules["a"], plan=Plan.ALONE)
    texts = [request.text for request in Planner().plan("unit", rules, WINDOW).requests]
    assert sorted(texts) == ['(m{s=~"b|c"}\n) > 1', 'm{s="a"} > 1']


def test_planning_can_be_switched_off() -> None:
    plan = Planner(together=False).plan("unit", {**union("a", "b"), "x": rule("x", 'm{s="a"} > 1')}, WINDOW, batch=10)
    assert sorted(request.text for request in plan.requests) == ['m{s="a"} > 1', 'm{s="b"} > 1']


def test_the_plan_follows_rules_that_come_change_and_go() -> None:
    planner, rules = Planner(), union("a", "b")
    planner.plan("unit", rules, WINDOW)
    for changed in ({**rules, "c": rule("c", 'm{s="c"} > 0')}, {"a": rules["a"]}, {"a": rule("a", "n > 1")}, {}):
        found = planner.plan("unit", changed, WINDOW)
        assert found == Planner().plan("unit", changed, WINDOW)


def test_what_is_gone_is_forgotten_with_what_it_has_taught() -> None:
    planner, rules = Planner(), union("a", "b", "bad")
    told(planner, rules, Server({"bad": QueryErrorKind.EXECUTION}))
    planner.divide("a group #1", at_once=True)
    planner.keep_apart(["a query"])
    told(planner, rules, Server())
    planner.keep(["unit"])
    planner.divide("a group", at_once=False)
    assert told(planner, rules, Server({"bad": QueryErrorKind.EXECUTION})).found.keys() == {"bad"}
    [alone] = [part for part in planner.queries("unit") if part.means is Means.ALONE]
    assert "bad is broken" in alone.obstacle
    planner.keep([])
    assert planner.queries("unit") == ()
    assert planner.plan("unit", rules, WINDOW) == Planner().plan("unit", rules, WINDOW)


def test_who_looks_sees_a_plan_that_nobody_works_on() -> None:
    planner, rules = Planner(), union("a", "b")
    first = planner.plan("unit", rules, WINDOW)
    assert planner.look("unit", rules, WINDOW, batch=1) is first
    more = {**rules, "c": rule("c", "n > 1")}
    assert planner.look("unit", more, WINDOW, batch=1).rule_ids == more.keys()
    assert planner.look("unit", rules, WINDOW, batch=1) is first
    planner.plan("unit", more, WINDOW)
    assert first.rule_ids == rules.keys()


def test_nothing_is_planned_anew_while_nothing_changed() -> None:
    planner, rules, version = Planner(), union("a", "b"), object()
    first = planner.plan("unit", rules, WINDOW, made_from=version)
    assert planner.plan("unit", {}, WINDOW, made_from=version) is first
    assert planner.plan("unit", rules, WINDOW, made_from=object()) == first


def test_a_threshold_row_counts_from_when_it_is_valid() -> None:
    planner, version = Planner(), object()
    own = Rule(id="a", name="a", metric_name="m", condition=Condition.ABOVE, threshold=5)
    row = Threshold(id="t", rule_id="a", threshold=2, valid_from=NOW + timedelta(hours=1))
    rows = {"a": (row,)}
    early = Refined(since=NOW, until=NOW + timedelta(minutes=1), rows=rows)
    late = Refined(since=NOW + timedelta(hours=1), until=NOW + timedelta(hours=2), rows=rows)
    asked = [
        planner.plan("unit", {"a": own}, window, made_from=version).requests[0].text for window in (early, early, late)
    ]
    assert asked == ["(m\n) > 5", "(m\n) > 5", "(m\n) > 2"]


def test_counts_of_left_sides_are_planned_too() -> None:
    rules = {
        **union("a", "b"),
        "whole": rule("whole", "m or n"),
        "scalar": replace(rule("scalar", "1"), condition=Condition.ABOVE),
    }
    rules["scalar"] = replace(rules["scalar"], threshold=1.0)
    planner = Planner()
    plan = planner.counts("unit", rules.values())
    assert [request.text for request in plan.requests] == ['count by (s) (m{s=~"a|b"}\n)']
    assert planner.counts("unit", rules.values()) is plan
    counted = Reply(samples=[Sample(labels=Labels({"s": "b"}), value=3)])
    found = replies(plan.requests, lambda texts: dict.fromkeys(texts, counted), planner)
    assert found["b"].samples == [Sample(labels=Labels(), value=3)]
    assert not found["a"].samples


def test_a_series_whose_labels_are_none_fails_the_rules_that_have_to_look() -> None:
    def broken(index: int) -> Labels:
        raise LabelError(f"series {index} has none", field="labels")

    planner, rules = Planner(), {**union("a", "b"), "other": rule("other", "n > 1")}
    reply = Reply(samples=Vector.lazily(array("d", [2]), broken))

    def ask(texts: Collection[str]) -> Mapping[str, Reply]:
        return {text: reply if "m{" in text else Reply() for text in texts}

    found = replies(planner.plan("unit", rules, WINDOW).requests, ask, planner)
    assert {name: str(one.error) for name, one in found.found.items()} == dict.fromkeys("ab", "series 0 has none")


def test_one_changed_rule_among_ten_thousand_changes_one_query_only() -> None:
    planner = Planner()
    rules = union(*(f"s{number}" for number in range(10_000)))
    planner.plan("unit", rules, WINDOW)
    edited = {**rules, "s5": rule("s5", 'm{s="other"} > 0.5')}
    plan = planner.plan("unit", edited, WINDOW)
    assert [request.text.endswith(") > 0.5") for request in plan.requests] == [True]
