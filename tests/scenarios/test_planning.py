"""Rules that share a query, in a whole engine: each has its own alerts, and one that fails takes no other down."""

from __future__ import annotations

from engine.core.planning import Means
from engine.prometheus import QueryError, QueryErrorKind
from tests.scenarios.world import World

INSERT = "INSERT INTO alert_rules (id, name, expr, interval_seconds) VALUES "
UNION = '(m{s=~"a|b"}\n) > 1'


def planned(world: World) -> list[tuple[Means, tuple[str, ...], str]]:
    with world.service.database.read() as connection:
        return [(one.means, one.rules, one.query) for one in world.service.plans(connection)]


def firing(world: World) -> list[tuple[str, str]]:
    return [
        (str(rule), str(state))
        for rule, state in world.rows("SELECT source, state FROM alerts WHERE source <> 'tocsin' ORDER BY source")
    ]


def test_rules_that_share_a_query_have_alerts_of_their_own(world: World) -> None:
    world.sql(f"{INSERT} ('a', 'a', 'm{{s=\"a\"}} > 1', 60), ('b', 'b', 'm{{s=\"b\"}} > 5', 60)")
    world.prometheus.answers[UNION] = [({"s": "a"}, 3.0), ({"s": "b"}, 3.0)]
    world.until(130)
    assert UNION in {text for text, _ in world.prometheus.asked}
    assert firing(world) == [("a", "firing")]
    assert planned(world) == [(Means.UNION, ("a", "b"), UNION)]


def test_a_planned_query_that_fails_leaves_each_rule_with_its_own(world: World) -> None:
    world.sql(f"{INSERT} ('a', 'a', 'm{{s=\"a\"}} > 1', 60), ('b', 'b', 'm{{s=\"b\"}} > 5', 60)")
    world.prometheus.answers[UNION] = QueryError(QueryErrorKind.EXECUTION, "no")
    world.prometheus.answers['m{s="a"} > 1'] = [({"s": "a"}, 3.0)]
    world.prometheus.answers['m{s="b"} > 5'] = QueryError(QueryErrorKind.EXECUTION, "many-to-many")
    world.until(130)
    assert firing(world) == [("a", "firing")]
    health = {str(rule): str(told) for rule, told in world.rows("SELECT rule_id, health FROM rule_status")}
    assert health == {"a": "ok", "b": "err"}
    assert [means for means, _, _ in planned(world)] == [Means.ALONE, Means.ALONE]
