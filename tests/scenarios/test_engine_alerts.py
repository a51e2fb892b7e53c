"""The engine tells of itself as of anything else: a datasource that is away, a rule at its limit."""

from __future__ import annotations

from engine.core.outcome import Failed, FailureReason
from engine.prometheus import QueryError, QueryErrorKind
from tests.scenarios.test_firing import BREACH, HOST, rule, states
from tests.scenarios.test_missing import live
from tests.scenarios.world import World


def own(world: World) -> list[tuple[str, str]]:
    """The state and name of the engine's alerts."""
    found = world.rows("SELECT state, labels FROM alerts WHERE source = 'tocsin' ORDER BY id")
    short = {"TocsinAlertLimit": "limit", "TocsinDatasourceDown": "down", "TocsinRuleFailing": "failing"}
    return [(state, next(word for name, word in short.items() if name in str(labels))) for state, labels in found]


def names(world: World) -> list[tuple[str, str]]:
    """What the channel of the root heard: what it said, and of what."""
    heard = [one.body for one in world.deliveries if one.kind == "WebhookUrl"]
    return [(str(body["status"]), str(body["alerts"][0]["labels"]["alertname"])) for body in heard]


def hosts(*letters: str) -> list[tuple[dict[str, str], float]]:
    return [({**HOST, "host": letter}, 12) for letter in letters]


def firing(world: World) -> list[str]:
    found = world.rows("SELECT labels FROM alerts WHERE state = 'firing' AND source = 'r' ORDER BY id")
    return sorted(letter for letter in "abcd" for (labels,) in found if f'"{letter}"' in str(labels).replace("'", '"'))


def test_a_datasource_that_is_away_is_told_of_through_the_root_until_it_answers_again(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    live(world, 40)
    world.fails(BREACH, QueryError(QueryErrorKind.UNAVAILABLE, "connection refused"))
    live(world, 80)
    assert own(world) == [("pending", "down")]
    live(world, 160)
    world.restart()
    assert own(world) == [("firing", "down")]
    live(world, 260)
    assert own(world) == [("firing", "down")]
    assert states(world) == ["firing"]
    assert names(world) == [("firing", "Errors"), ("firing", "TocsinDatasourceDown")]
    (alert,) = [one for one in world.deliveries if one.kind == "WebhookUrl"][1].body["alerts"]
    assert alert["labels"] == {"alertname": "TocsinDatasourceDown", "datasource": "default", "severity": "critical"}
    assert "connection refused" in alert["annotations"]["summary"]
    world.returns(BREACH, (HOST, 12))
    live(world, 340)
    assert own(world) == [("inactive", "down")]
    assert names(world)[-1] == ("resolved", "TocsinDatasourceDown")
    assert states(world) == ["firing"]


def test_a_query_that_is_refused_says_nothing_of_its_datasource(world: World) -> None:
    rule(world)
    world.fails(BREACH, QueryError(QueryErrorKind.BAD_DATA, "too many samples"))
    live(world, 200)
    assert own(world) == [("pending", "failing")]


def test_a_rule_over_its_limit_keeps_its_alerts_and_tells_of_no_others(world: World) -> None:
    rule(world, alert_limit=2)
    world.returns(BREACH, *hosts("c"))
    live(world, 40)
    world.returns(BREACH, *hosts("b", "a", "c", "d"))
    live(world, 80)
    assert firing(world) == ["a", "c"]
    ((health, problems),) = world.rows("SELECT health, problem FROM rule_status")
    assert health == "ok"
    assert "more than limit = 2 series are active" in str(problems)
    assert own(world) == [("firing", "limit")]
    world.restart()
    live(world, 120)
    assert firing(world) == ["a", "c"]
    assert own(world) == [("firing", "limit")]
    assert ("firing", "TocsinAlertLimit") in names(world)
    assert "resolved" not in [status for status, _ in names(world)]
    world.returns(BREACH, *hosts("b", "c"))
    live(world, 200)
    assert firing(world) == ["b", "c"]
    assert own(world) == [("inactive", "limit")]
    assert "limit" not in str(world.rows("SELECT problem FROM rule_status"))


def test_a_rule_that_fails_while_it_is_at_its_limit_still_is(world: World) -> None:
    rule(world, alert_limit=1)
    world.returns(BREACH, *hosts("a", "b"))
    live(world, 40)
    world.fails(BREACH, QueryError(QueryErrorKind.TIMEOUT, "query timed out"))
    live(world, 80)
    ((health, problems),) = world.rows("SELECT health, problem FROM rule_status")
    assert health == "err"
    assert "limit = 1" in str(problems)


def test_a_limit_of_a_disabled_rule_is_over(world: World) -> None:
    rule(world, alert_limit=1)
    world.returns(BREACH, *hosts("a", "b"))
    live(world, 40)
    assert own(world) == [("firing", "limit")]
    world.sql("UPDATE alert_rules SET enabled = :off", off=False)
    live(world, 80)
    assert own(world) == [("inactive", "limit")]


def told_of(world: World) -> list[tuple[str, str]]:
    return [pair for pair in names(world) if pair[1].startswith("Tocsin")]


def test_a_rule_that_fails_is_told_of_after_five_minutes_and_so_is_its_recovery(world: World) -> None:
    rule(world)
    world.fails(BREACH, QueryError(QueryErrorKind.BAD_DATA, "too many samples"))
    live(world, 280)
    assert told_of(world) == []
    live(world, 400)
    assert told_of(world) == [("firing", "TocsinRuleFailing")]
    world.returns(BREACH)
    live(world, 500)
    assert told_of(world)[-1] == ("resolved", "TocsinRuleFailing")


def test_a_rule_that_was_set_aside_is_told_of(world: World) -> None:
    rule(world)
    live(world, 20)
    world.sql("UPDATE alert_rules SET metric_name = NULL, condition = NULL, threshold = NULL, expr = 'up ==='")
    live(world, 180)
    assert told_of(world) == [("firing", "TocsinRulesQuarantined")]


def test_a_process_that_went_silent_is_missed_and_one_that_left_is_not(world: World) -> None:
    live(world, 20)
    moment = world.clock.moment
    for name, left in (("lost", None), ("gone", moment)):
        world.sql(
            "INSERT INTO nodes (id, lease_until, started_at, roles, left_at) VALUES (:id, :at, :at, 'sender', :left)",
            id=name,
            at=moment,
            left=left,
        )
    live(world, 160)
    assert told_of(world) == [("firing", "TocsinReplicaLost")]
    world.sql("UPDATE nodes SET left_at = :at WHERE id = 'lost'", at=world.clock.moment)
    live(world, 250)
    assert told_of(world)[-1] == ("resolved", "TocsinReplicaLost")


def test_a_channel_that_takes_nothing_is_told_of_by_the_others(world: World) -> None:
    world.sql("INSERT INTO channels (name, kind) VALUES ('other', 'log')")
    world.sql("UPDATE routes SET channels = '[\"other\"]' WHERE id = 'root'")
    rule(world, notification_channels=["hook"])
    world.outcomes["WebhookUrl"] = [Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail="500")] * 30
    world.returns(BREACH, (HOST, 12))
    live(world, 500)
    said = [str(one.body) for one in world.deliveries if one.kind == "LogAddress"]
    assert any("TocsinDeliveryFailing" in text and "'hook'" in text for text in said)
