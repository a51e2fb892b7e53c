"""Rules that count log lines: asked as they were written, by themselves, and compared where their server cannot."""

from __future__ import annotations

from tests.scenarios.world import World

LOGQL = 'sum by (app) (rate({app=~".+"} |= "error" [5m]))'
LOGSQL = "_time:5m error | stats by (app) count() errors"
INSERT = "INSERT INTO alert_rules (id, name, language, expr, condition, threshold, interval_seconds) VALUES "


def active(world: World) -> list[tuple[str, str]]:
    return [
        (str(source), str(labels))
        for source, labels in world.rows(
            "SELECT source, labels FROM alerts WHERE state = 'firing' AND source <> 'tocsin' ORDER BY source, fingerprint"
        )
    ]


def test_two_rules_on_one_log_query_are_asked_by_themselves(world: World) -> None:
    world.sql(
        f"{INSERT} ('a', 'A', 'logql', '{LOGQL}', '>', 1, 60), ('b', 'B', 'logql', '{LOGQL} > 5', NULL, NULL, 60)"
    )
    world.prometheus.answers[f"({LOGQL}\n) > 1"] = [({"app": "shop"}, 3.0)]
    world.until(130)
    assert {f"({LOGQL}\n) > 1", f"{LOGQL} > 5"} <= {text for text, _ in world.prometheus.asked}
    assert [(source, "shop" in labels) for source, labels in active(world)] == [("a", True)]
    with world.service.database.read() as connection:
        assert {plan.why for plan in world.service.plans(connection)} == {
            "it is written in logql, which only its server reads"
        }


def test_what_victorialogs_counted_is_compared_here_with_threshold_rows_too(world: World) -> None:
    world.sql(f"{INSERT} ('a', 'A', 'logsql', '{LOGSQL}', '>', 10, 60)")
    world.sql(
        "INSERT INTO thresholds (id, rule_id, matchers, threshold) VALUES ('t', 'a', '[\"app=\\\"batch\\\"\"]', 50)",
    )
    world.prometheus.answers[LOGSQL] = [({"app": "shop"}, 11.0), ({"app": "quiet"}, 10.0), ({"app": "batch"}, 49.0)]
    world.until(130)
    assert [("shop" in labels) for _, labels in active(world)] == [True]
    world.prometheus.answers[LOGSQL] = [({"app": "shop"}, 9.0), ({"app": "batch"}, 51.0)]
    world.until(260)
    assert [("batch" in labels) for _, labels in active(world)] == [True]
