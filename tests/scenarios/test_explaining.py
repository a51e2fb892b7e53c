"""Why somebody was told, or was not: each verdict as the engine comes to it, in its sentence, its steps and what is next."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Table

from engine.core.outcome import Failed, FailureReason
from engine.core.storyline import Explanation, Kind, Verdict
from engine.explain import Explainer
from engine.prometheus import QueryError, QueryErrorKind
from engine.store.tables import definition_changes, inhibit_rules, routes, silences, thresholds, time_intervals
from rules.labels import Labels
from tests.scenarios.conftest import Begin
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import START, World

LABELS = {"alertname": "Errors", "host": "a"}


def explain(world: World, *, at: float | None = None, **labels: str) -> Explanation:
    """What is answered now, or as of `at`, for the alert with these labels; by default that of host a."""
    service = world.service
    with service.database.read() as connection:
        now = service.database.now(connection)
        explainer = Explainer(
            connection=connection,
            definitions=service.feed.refresh(connection),
            mutes=partial(service.mutes, connection),
            timings=partial(service.timings, connection),
        )
        wanted = Labels(labels or LABELS)
        if at is None:
            return explainer.labelled(wanted, now)
        found = explainer.named(wanted.fingerprint(), START + timedelta(seconds=at), now)
    assert found is not None
    return found


def declare(world: World, table: Table, **columns: Any) -> None:
    with world.service.database.write() as connection:
        connection.execute(table.insert().values(columns))


def fires(world: World, **columns: object) -> None:
    rule(world, **columns)
    world.returns(BREACH, (HOST, 12))


def kinds(found: Explanation) -> list[str]:
    return [step.kind.value for step in found.steps]


def said(found: Explanation, kind: Kind) -> list[str]:
    return [step.reason for step in found.steps if step.kind is kind]


def test_an_alert_that_was_told_says_whom_and_when(world: World) -> None:
    fires(world)
    world.until(25)
    found = explain(world)
    assert found.verdict is Verdict.TOLD
    assert "last told: hook at 2026-01-01 00:00:" in found.summary
    assert [kind for kind in kinds(found) if kind in ("transition", "placement", "decision", "attempt")] == [
        "transition",
        "placement",
        "decision",
        "attempt",
    ]
    assert said(found, Kind.DECISION) == ["hook is told of it: first notification"]
    assert found.next is not None
    assert "repeats it" in found.next.action


def test_an_alert_told_before_says_when_it_is_told_again(world: World) -> None:
    fires(world)
    world.until(100)
    found = explain(world)
    assert found.verdict is Verdict.ALREADY_TOLD
    assert found.next is not None
    assert found.next.at is not None
    again = (found.next.at - START).total_seconds()
    world.until(again - 1)
    assert len(world.told("WebhookUrl")) == 1
    world.until(again)
    assert [at for at, _ in world.told("WebhookUrl")][1:] == [again]


def test_a_pending_alert_says_until_when_it_has_to_hold(world: World) -> None:
    fires(world, for_seconds=60)
    world.until(25)
    found = explain(world)
    assert found.verdict is Verdict.PENDING
    assert found.next is not None
    assert found.next.at is not None
    assert "has to hold" in found.summary
    world.until((found.next.at - START).total_seconds())
    assert explain(world).verdict is Verdict.WAITING


def test_an_alert_whose_group_waits_says_when_it_is_flushed(world: World) -> None:
    world.sql("UPDATE routes SET group_wait_seconds = 60")
    fires(world)
    world.until(25)
    found = explain(world)
    assert (found.verdict, found.next is not None) == (Verdict.WAITING, True)
    assert "has not been flushed yet" in found.summary


def test_a_resolved_alert_says_when_it_ended_and_who_knows(world: World) -> None:
    fires(world)
    world.until(25)
    world.returns(BREACH)
    world.until(100)
    found = explain(world)
    assert (found.verdict, found.next) == (Verdict.RESOLVED, None)
    assert "condition_ended" in found.summary
    assert "hook is told of its end: all alerts resolved" in said(found, Kind.DECISION)


def test_an_alert_is_found_by_some_of_its_labels_also_when_its_rule_was_deleted(world: World) -> None:
    fires(world)
    world.until(25)
    world.sql("DELETE FROM alert_rules")
    world.until(100)
    found = explain(world, alertname="Errors")
    assert found.verdict is Verdict.RESOLVED
    assert "(rule_deleted); its end was told to hook at" in found.summary


def test_a_name_that_no_rule_has_is_answered_with_one_that_is_much_like_it(world: World) -> None:
    rule(world)
    world.until(25)
    assert "no rule has this name (did you mean 'Errors'?)" in explain(world, alertname="errors").summary
    assert "no rule has this name; it would" in explain(world, alertname="Disk").summary


def test_an_alert_that_never_fired_says_so(world: World) -> None:
    fires(world, for_seconds=60)
    world.until(25)
    world.returns(BREACH)
    world.until(40)
    found = explain(world)
    assert found.verdict is Verdict.RESOLVED
    assert "never fired" in found.summary


def test_a_silence_is_named_with_its_end(world: World) -> None:
    times = {"starts_at": START, "ends_at": START + timedelta(seconds=500)}
    declare(world, silences, id="s", matchers=["alertname=Errors"], comment="known", **times)
    fires(world)
    world.until(60)
    found = explain(world)
    assert found.verdict is Verdict.SILENCED
    assert "silence 's' (known) until 2026-01-01 00:08:20Z" in found.summary
    assert "nobody was told" in found.summary
    assert found.next is not None
    assert found.next.at == START + timedelta(seconds=500)


def test_an_inhibition_is_named(world: World) -> None:
    declare(world, inhibit_rules, id="i", source_matchers=["alertname=Down"], target_matchers=["alertname=Errors"])
    fires(world)
    rule(world, id="down", name="Down", metric_name="down")
    world.returns("(down\n) > 10", ({"host": "a"}, 12))
    world.until(60)
    found = explain(world)
    assert found.verdict is Verdict.INHIBITED
    assert "inhibition 'i'" in found.summary


def test_an_interval_is_named(world: World) -> None:
    declare(
        world, time_intervals, name="night", time_intervals=[{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]
    )
    declare(world, routes, id="r1", parent_id="root", matchers=["alertname=Errors"], mute_time_intervals=["night"])
    fires(world)
    world.until(60)
    found = explain(world)
    assert found.verdict is Verdict.INTERVAL
    assert "mute_time_interval 'night' until 2026-01-01 06:00:00Z" in found.summary


def test_a_higher_level_is_named(world: World) -> None:
    rule(world, severity="warning")
    declare(world, thresholds, id="t", rule_id="r", threshold=50, severity="critical")
    world.returns(BREACH, (HOST, 60))
    world.until(60)
    found = explain(world, alertname="Errors", host="a", severity="warning")
    assert found.verdict is Verdict.LEVEL
    assert "kept quiet by level 'r'" in found.summary
    assert said(found, Kind.DECISION)[0] == "hook is told of others in its group, not of it: first notification"
    above = explain(world, alertname="Errors", host="a", severity="critical")
    assert "against the threshold 50.0 of row 't'" in said(above, Kind.TRANSITION)[0]


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [(FailureReason.UNREACHABLE, Verdict.CHANNEL_DOWN), (FailureReason.RATE_LIMITED, Verdict.RATE_LIMITED)],
)
def test_a_channel_that_fails_is_named_with_its_next_attempt(
    world: World, reason: FailureReason, verdict: Verdict
) -> None:
    failure = Failed(reason=reason, retryable=True, detail="it said no")
    world.outcomes["WebhookUrl"] = [failure] * 50
    fires(world)
    world.until(25)
    found = explain(world)
    assert found.verdict is verdict
    assert f"hook did not take the message at attempt 1 ({reason.value}: it said no)" in said(found, Kind.ATTEMPT)[0]
    assert found.next is not None
    assert found.next.action == "the message to hook is tried"


def test_a_message_that_was_given_up_says_so(world: World) -> None:
    world.outcomes["WebhookUrl"] = [Failed(reason=FailureReason.CLIENT_ERROR, retryable=False, detail="HTTP 404")]
    fires(world)
    world.until(25)
    found = explain(world)
    assert found.verdict is Verdict.CHANNEL_DOWN
    assert "given up" in found.summary
    assert found.next is not None
    assert "is flushed" in found.next.action


def test_a_channel_without_an_address_is_named(world: World) -> None:
    world.sql("UPDATE channels SET url = 'env:NOWHERE' WHERE name = 'hook'")
    fires(world)
    world.until(25)
    found = explain(world)
    assert found.verdict is Verdict.CHANNEL_UNCONFIGURED
    assert "only the log: hook (" in found.summary


def test_an_alert_that_no_route_sends_anywhere_says_so(world: World) -> None:
    world.sql("UPDATE routes SET channels = '[]'")
    fires(world)
    world.until(25)
    found = explain(world)
    assert found.verdict is Verdict.UNROUTED
    assert said(found, Kind.ROUTE) == ["route 'root' taken: it matches; it names no channel"]


def test_an_inhibition_that_no_flush_has_seen_names_the_alert_that_inhibits(world: World) -> None:
    world.sql("UPDATE routes SET group_wait_seconds = 600")
    declare(world, inhibit_rules, id="i", source_matchers=["alertname=Down"], target_matchers=["alertname=Errors"])
    fires(world)
    rule(world, id="down", name="Down", metric_name="down")
    world.returns("(down\n) > 10", ({"host": "x"}, 12))
    world.until(60)
    found = explain(world)
    assert "inhibition 'i', because Down{host=\"x\"} fires, from its group's next flush on" in found.summary
    assert said(found, Kind.MUTE) == ["inhibition 'i' covers it, because Down{host=\"x\"} fires"]


@pytest.mark.parametrize(
    ("columns", "asked", "gone", "by"),
    [
        ({"keep_firing_for_seconds": 600}, BREACH, (), "keep_firing_for (until 2026-01-01 00:10:"),
        ({"no_data": "keep"}, "errors", (), "no_data keep; "),
        (
            {"missing_series": "keep", "missing_for_seconds": 900},
            "errors",
            (({"__name__": "errors", "host": "b"}, 1.0),),
            "missing_series keep (until 2026-01-01 00:15:",
        ),
    ],
    ids=["keep_firing_for", "no data", "a missing series"],
)
def test_an_alert_that_is_only_kept_says_by_which_word_of_its_rule(
    world: World, columns: dict[str, object], asked: str, gone: tuple[Any, ...], by: str
) -> None:
    rule(world, **columns)
    world.returns(asked, (HOST, 12))
    world.until(25)
    assert "only because" not in explain(world).summary
    world.returns(asked, *gone)
    world.until(40)
    found = explain(world)
    assert f"only because of its rule's {by}" in found.summary


def test_of_two_routes_each_row_says_which_one_it_is_about(world: World) -> None:
    declare(world, time_intervals, name="year", time_intervals=[{"years": ["2026"]}])
    both = {"parent_id": "root", "matchers": ["host=a"]}
    declare(world, routes, id="quiet", mute_time_intervals=["year"], **{**both, "continue": True, "position": 1})
    declare(world, routes, id="loud", position=2, **both)
    fires(world)
    world.until(25)
    found = explain(world)
    assert "kept quiet by mute_time_interval 'year' until 2027-01-01 00:00:00Z (route 'quiet')" in said(
        found, Kind.MUTE
    )
    assert sorted(said(found, Kind.DECISION)) == [
        "hook is not told: muted (route 'quiet')",
        "hook is told of it: first notification (route 'loud')",
    ]
    assert said(found, Kind.ATTEMPT) == ["hook took the message at attempt 1 (route 'loud')"]


def test_an_end_that_waits_for_a_channel_says_when_it_is_tried_though_its_group_has_let_it_go(world: World) -> None:
    world.outcomes["WebhookUrl"] = [Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="no")] * 50
    fires(world)
    world.until(25)
    world.returns(BREACH)
    world.until(60)
    found = explain(world)
    assert world.rows("SELECT count(*) FROM group_members WHERE left_at IS NULL") == [(0,)]
    assert "hook did not take the message at attempt" in found.summary
    assert found.next is not None
    assert (found.next.action, found.next.at is not None) == ("the message to hook is tried", True)


def test_record_mode_says_who_would_have_been_told(begin: Begin) -> None:
    world = begin(TOCSIN_EVALUATION_INTERVAL="10s", TOCSIN_DELIVERY="record")
    world.sql("UPDATE routes SET channels = '[\"log\"]', group_wait_seconds = 5")
    fires(world)
    world.until(40)
    found = explain(world)
    assert found.verdict is Verdict.RECORD_MODE
    assert "log would be told" in found.summary


def test_a_rule_without_data_says_so_of_an_alert_never_seen(world: World) -> None:
    rule(world)
    world.until(30)
    found = explain(world)
    assert found.verdict is Verdict.NO_DATA
    assert found.next is not None
    assert found.next.action == "rule 'r' is evaluated"


def test_a_rule_that_cannot_be_evaluated_says_why(world: World) -> None:
    rule(world)
    world.fails(BREACH, QueryError(QueryErrorKind.TIMEOUT, "query timed out"))
    world.until(30)
    found = explain(world)
    assert found.verdict is Verdict.EVALUATION_FAILING
    assert "query timed out" in found.summary


def test_a_rule_set_aside_says_why(world: World) -> None:
    world.sql("INSERT INTO alert_rules (id, name, expr) VALUES ('bad', 'Errors', 'sum(')")
    world.until(30)
    found = explain(world)
    assert found.verdict is Verdict.QUARANTINED
    assert "rule 'bad' is set aside" in found.summary


def test_a_disabled_rule_is_named_whether_or_not_it_ever_fired(world: World) -> None:
    rule(world, enabled=False)
    world.until(30)
    assert explain(world).verdict is Verdict.DISABLED
    world.sql("UPDATE alert_rules SET enabled = :on", on=True)
    world.returns(BREACH, (HOST, 12))
    world.until(80)
    world.sql("UPDATE alert_rules SET enabled = :off", off=False)
    world.until(120)
    found = explain(world)
    assert found.verdict is Verdict.DISABLED
    assert "because its rule was disabled" in found.summary


def test_what_nobody_has_seen_is_told_with_the_way_it_would_take(world: World) -> None:
    times = {"starts_at": START, "ends_at": START + timedelta(seconds=500)}
    declare(world, silences, id="s", matchers=["team=db"], comment="known", **times)
    declare(world, routes, id="db", parent_id="root", matchers=["team=db"])
    world.until(30)
    found = explain(world, alertname="Nothing", team="db")
    assert found.verdict is Verdict.NEVER_SEEN
    assert (
        "no rule has this name; it would take route 'db', which tells hook, and be kept quiet by silence 's'"
        in found.summary
    )
    assert kinds(found) == ["route", "route", "mute"]


def test_the_past_is_told_as_it_was_with_what_came_next(world: World) -> None:
    fires(world, for_seconds=30)
    world.until(200)
    then = explain(world, at=20)
    assert then.verdict is Verdict.PENDING
    assert then.next is not None
    assert then.next.action.startswith("pending → firing (held)")
    assert all(step.at <= START + timedelta(seconds=20) for step in then.steps)
    assert explain(world, at=200).verdict is Verdict.ALREADY_TOLD


def test_before_there_was_a_rule_it_was_not_in_force(world: World) -> None:
    world.until(40)
    fires(world)
    world.until(60)
    dated(world, 30)
    then = explain(world, at=20)
    assert then.verdict is Verdict.NEVER_SEEN
    assert then.summary.startswith(
        "Errors{host=\"a\"} had not been seen by then; rule 'r' did not exist then; it would take"
    )
    assert said(then, Kind.RULE) == ["rule 'r' did not exist then"]
    assert "did not exist" not in explain(world, at=31).summary


def test_before_an_alert_was_seen_its_rule_was_in_force_in_the_version_of_that_time(world: World) -> None:
    rule(world, threshold=11)
    world.until(40)
    world.sql("UPDATE alert_rules SET threshold = 10 WHERE id = 'r'")
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    dated(world, 0, 40)
    assert "rule 'r' version 1, `errors > 11`, was in force" in explain(world, at=20).summary
    assert "rule 'r' version 2, `errors > 10`, was in force" in explain(world, at=41).summary


@pytest.mark.parametrize("emptying", [False, True])
def test_while_a_rule_was_deleted_it_did_not_exist_whatever_its_alert_was_told_before(
    world: World, *, emptying: bool
) -> None:
    fires(world)
    world.until(60)
    is_sqlite = world.service.database.is_sqlite
    world.sql("TRUNCATE alert_rules CASCADE" if emptying and not is_sqlite else "DELETE FROM alert_rules")
    world.until(120)
    fires(world)
    world.until(150)
    dated(world, 0, 60, 120)
    assert said(explain(world, at=40), Kind.RULE) == ["rule 'r' version 1, `errors > 10`, was in force"]
    assert said(explain(world, at=100), Kind.RULE) == ["rule 'r' did not exist then"]


def test_the_lives_of_a_rule_are_told_apart_though_versions_begin_anew(world: World) -> None:
    rule(world, threshold=11)
    world.until(20)
    world.sql("DELETE FROM alert_rules WHERE id = 'r'")
    world.until(40)
    fires(world)
    world.until(60)
    dated(world, 0, 20, 40)
    assert "`errors > 11`" in said(explain(world, at=10), Kind.RULE)[0]
    assert "`errors > 10`" in said(explain(world, at=50), Kind.RULE)[0]


def test_a_version_that_had_nothing_to_say_was_in_force_all_the_same(world: World) -> None:
    fires(world)
    world.until(60)
    world.sql("UPDATE alert_rules SET severity = 'critical' WHERE id = 'r'")
    world.until(120)
    world.sql("UPDATE alert_rules SET severity = 'warning' WHERE id = 'r'")
    world.until(150)
    dated(world, 0, 60, 120)
    assert "version 2" in said(explain(world, at=110), Kind.RULE)[0]


def test_a_row_that_was_refused_then_is_told_with_what_was_in_force(world: World) -> None:
    fires(world)
    world.until(60)
    world.sql(
        "UPDATE alert_rules SET expr = '(((', metric_name = NULL, condition = NULL, threshold = NULL WHERE id = 'r'"
    )
    world.until(150)
    dated(world, 0, 60)
    (before,), (after,) = said(explain(world, at=50), Kind.RULE), said(explain(world, at=110), Kind.RULE)
    assert before == "rule 'r' version 1, `errors > 10`, was in force"
    assert after.startswith("rule 'r' is set aside (expr: ")
    assert after.endswith("; version 1 stays in force")


def test_a_rule_that_is_gone_today_is_told_of_as_it_was(world: World) -> None:
    fires(world)
    world.until(60)
    world.sql("DELETE FROM alert_rules WHERE id = 'r'")
    world.until(150)
    dated(world, 20, 60)
    assert said(explain(world, at=50), Kind.RULE) == ["rule 'r' version 1, `errors > 10`, was in force"]
    assert said(explain(world, at=5), Kind.RULE) == ["rule 'r' did not exist then"]


def test_what_an_alert_became_is_told_by_its_row_when_the_ledger_is_pruned(world: World) -> None:
    fires(world)
    world.until(60)
    world.sql("DELETE FROM ledger WHERE kind = 'transition'")
    assert explain(world).verdict is Verdict.ALREADY_TOLD
    assert "fires since" in explain(world, at=40).summary
    world.returns(BREACH)
    world.until(120)
    world.sql("DELETE FROM ledger WHERE kind = 'transition'")
    assert explain(world).verdict is Verdict.RESOLVED
    assert explain(world, at=40).summary == explain(world, at=41).summary
    assert "fires since" in explain(world, at=40).summary


def dated(world: World, *seconds: int) -> None:
    """Date the changes of the rule by the clock of the story: the database dates them by its own."""
    found = definition_changes.c.table_name == "alert_rules"
    with world.service.database.write() as connection:
        numbers = connection.execute(definition_changes.select().where(found).order_by(definition_changes.c.id)).all()
        for row, second in zip(numbers, seconds, strict=True):
            dating = definition_changes.update().where(definition_changes.c.id == row.id)
            connection.execute(dating.values(at=START + timedelta(seconds=second)))


def test_the_past_is_told_with_the_routes_the_rule_and_the_timers_of_that_time(world: World) -> None:
    fires(world)
    world.until(40)
    declare(world, routes, id="late", parent_id="root", matchers=["host=a"], group_interval_seconds=77)
    world.sql("UPDATE routes SET group_interval_seconds = 55 WHERE id = 'root'")
    world.sql("UPDATE alert_rules SET threshold = 11 WHERE id = 'r'")
    world.returns("(errors\n) > 11", (HOST, 12))
    world.until(100)
    then, now = explain(world, at=35), explain(world)
    assert said(then, Kind.ROUTE) == ["route 'root' taken: it matches; it tells hook"]
    assert said(now, Kind.ROUTE)[-1] == "route 'late' taken: it matches host=\"a\"; it tells hook"
    assert "30s between messages" in said(then, Kind.GROUP)[0]
    assert "1m17s between messages" in said(now, Kind.GROUP)[0]
    assert "version 1, `errors > 10`" in said(then, Kind.RULE)[0]
    assert any("moved from route 'root'" in one for one in said(now, Kind.PLACEMENT))
    assert not any("moved" in one for one in said(then, Kind.PLACEMENT))


def test_who_asked_for_a_silence_and_which_alert_inhibits_are_named(world: World) -> None:
    times = {"starts_at": START, "ends_at": START + timedelta(seconds=500)}
    declare(world, silences, id="s", matchers=["host=b"], comment="known", created_by="zoe", **times)
    declare(world, inhibit_rules, id="i", source_matchers=["alertname=Down"], target_matchers=["alertname=Errors"])
    rule(world)
    world.returns(BREACH, (HOST, 12), ({"__name__": "errors", "host": "b"}, 12))
    rule(world, id="down", name="Down", metric_name="down")
    world.returns("(down\n) > 10", ({"host": "x"}, 12))
    world.until(60)
    found = explain(world)
    assert "kept quiet by inhibition 'i', because Down{host=\"x\"} fires" in found.summary
    (mute,) = [step for step in found.steps if step.kind is Kind.MUTE]
    assert (mute.subject.version, mute.detail["configuration"]) == (1, 1)
    both = explain(world, alertname="Errors", host="b")
    assert "also silence 's'" in both.summary


def test_one_is_found_by_some_of_its_labels_and_several_are_named(world: World) -> None:
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(25)
    assert explain(world, alertname="Errors") == explain(world)
    world.returns(BREACH, (HOST, 12), ({"__name__": "errors", "host": "b"}, 12))
    world.until(35)
    found = explain(world, alertname="Errors")
    assert (found.verdict, found.next, kinds(found)) == (Verdict.SEVERAL, None, ["rule"])
    assert 'Errors names 2 alerts: Errors{host="a"} (' in found.summary
    assert ', firing), Errors{host="b"} (' in found.summary


def test_what_nobody_has_seen_takes_the_channels_its_rule_names(world: World) -> None:
    rule(world, notification_channels=["hook"])
    world.returns(BREACH, ({"__name__": "errors", "host": "b"}, 12))
    world.until(25)
    found = explain(world, alertname="Errors", host="c")
    assert "it would take route 'rule:r', which tells hook" in found.summary
    assert said(found, Kind.ROUTE) == [
        "route 'rule:r' taken: the rule names its own channels, so no other route is tried; it tells hook"
    ]


def test_a_silence_counts_from_the_moment_it_is_made_and_is_gone_at_once(world: World) -> None:
    fires(world)
    world.until(25)
    times = {"starts_at": START, "ends_at": START + timedelta(seconds=500)}
    declare(world, silences, id="s", matchers=["host=a"], comment="known", **times)
    assert (explain(world).verdict, "from its group's next flush on" in explain(world).summary) == (
        Verdict.SILENCED,
        True,
    )
    world.until(60)
    world.sql("DELETE FROM silences")
    assert explain(world).verdict is not Verdict.SILENCED


def test_what_ended_under_a_silence_says_that_it_was_kept_quiet(world: World) -> None:
    times = {"starts_at": START, "ends_at": START + timedelta(seconds=5000)}
    declare(world, silences, id="s", matchers=["host=a"], comment="known", **times)
    fires(world)
    world.until(25)
    world.returns(BREACH)
    world.until(100)
    found = explain(world)
    assert found.verdict is Verdict.RESOLVED
    assert "nobody was told: it was kept quiet by silence 's' (known)" in found.summary
    assert said(found, Kind.MUTE)[-1] == "it is over, so there is nothing left to keep quiet"


def test_the_message_behind_another_is_not_the_next_to_be_tried(world: World) -> None:
    failure = Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="it said no")
    world.outcomes["WebhookUrl"] = [failure] * 50
    fires(world)
    world.until(45)
    world.returns(BREACH)
    world.until(140)
    found = explain(world)
    assert "hook did not take the message" in found.summary
    assert found.next is None or found.next.at is None or not found.next.action.endswith("overdue")
