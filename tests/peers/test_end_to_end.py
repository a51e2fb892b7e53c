"""The whole way with real parts: rows by SQL, a real Prometheus, the engine as a process, and what its services hear."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from api.demo.stage import neutral
from api.demo.stand_ins import Reply, SlackStandIn
from tests.demo.living import descendants, gone
from tests.peers.engine_process import ROOT, TOCSIN, EngineProcess
from tests.peers.processes import free_port, wait_until
from tests.peers.prometheus_server import PrometheusServer
from tests.peers.surroundings import HURRY, INSERT_RULE, RULE, SOON, Outside, Watched

pytestmark = pytest.mark.peer("prometheus")

HOLD = f"UPDATE alert_rules SET for_seconds = 2 WHERE id = '{RULE}'"
ALERTS = f"/api/v1/alerts?rule_id={RULE}"


def alerts(engine: EngineProcess) -> list[dict[str, Any]]:
    """The rule's alerts that are pending or firing, as the API shows them."""
    status, page = engine.get(ALERTS)
    assert status == 200, page
    items: list[dict[str, Any]] = page["items"]
    return items


def wait_for_state(engine: EngineProcess, state: str) -> None:
    """Returns once the rule's one alert stands there; the empty state is that there is none."""
    wanted = [state] if state else []
    wait_until(lambda: [one["state"] for one in alerts(engine)] == wanted, what=f"the alert to be {state}", within=SOON)


def log_lines(engine: EngineProcess, event: str) -> list[dict[str, Any]]:
    """The lines of the log that say this."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in engine.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def run_tocsin(**environment: str) -> subprocess.CompletedProcess[str]:
    """`tocsin serve` where it is expected to end at once."""
    given = {**neutral(os.environ), "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, *TOCSIN], env=given, capture_output=True, text=True, timeout=60, check=False)


def test_a_rule_inserted_by_sql_is_told_once_everywhere_and_so_is_its_end(outside: Outside) -> None:
    with outside.engine() as engine:
        outside.sql(HURRY, INSERT_RULE, HOLD)
        outside.error_rate(27.4)
        wait_for_state(engine, "pending")
        assert outside.slack.messages == []
        wait_for_state(engine, "firing")
        outside.wait_until_all_know("firing")
        outside.error_rate(0.5)
        wait_for_state(engine, "")
        outside.wait_until_all_know("resolved")
        outside.wait_until_at_rest()
        engine.stop()
    assert outside.told_by_slack == outside.told_by_mail == ["firing", "resolved"]
    assert outside.told_by_pagerduty == ["trigger", "resolve"]
    (incident,) = outside.pagerduty.incidents
    assert (incident.status, incident.severity) == ("resolved", "critical")
    assert len({event["dedup_key"] for event in outside.pagerduty.messages}) == 1


def test_a_silence_by_rest_withholds_and_the_ledger_says_by_what(outside: Outside) -> None:
    matcher = {"name": "alertname", "value": "High Error Rate"}
    with outside.engine() as engine:
        outside.sql(HURRY, INSERT_RULE)
        asked = {"matchers": [matcher], "duration": "10m", "comment": "known"}
        status, silence = engine.post("/api/v1/silences", asked)
        assert status == 201, silence
        outside.error_rate(27.4)
        mutes = "SELECT reason, CAST(detail AS TEXT) FROM ledger WHERE kind = 'mute'"
        wait_until(lambda: bool(outside.sql(mutes)), what="a mute in the ledger", within=SOON)
        (alert,) = alerts(engine)
    ((reason, detail),) = outside.sql(mutes)
    assert (reason, alert["state"]) == ("silence", "firing")
    assert silence["id"] in detail
    assert silence["id"] in json.dumps(alert)
    assert outside.told_by_slack == outside.told_by_mail == outside.told_by_pagerduty == []


def test_an_alert_whose_silence_is_ended_is_told_at_the_next_flush(outside: Outside) -> None:
    ends = "strftime('%s') * 1000000" if outside.database_url.startswith("sqlite") else "now()"
    with outside.engine() as engine:
        outside.sql(HURRY, INSERT_RULE)
        engine.post("/api/v1/silences", {"matchers": '{alertname=~"High.*"}', "duration": "10m", "comment": "known"})
        outside.error_rate(27.4)
        muted = "SELECT 1 FROM ledger WHERE kind = 'mute'"
        wait_until(lambda: bool(outside.sql(muted)), what="a mute in the ledger", within=SOON)
        outside.sql(f"UPDATE silences SET ends_at = {ends}")
        outside.wait_until_all_know("firing")
    assert outside.told_by_slack == ["firing"]


def test_an_engine_that_starts_without_prometheus_says_so_and_goes_on_when_it_comes(outside_sqlite: Outside) -> None:
    outside, late = outside_sqlite, PrometheusServer(targets=[outside_sqlite.watched.exporter.target])
    with outside.engine(TOCSIN_PROMETHEUS_URL=late.url) as engine:
        outside.sql(HURRY, INSERT_RULE)
        wait_until(lambda: engine.get("/health")[0] == 503, what="/health to say so", within=SOON)
        assert engine.get("/health")[1]["unhealthy"] == ["prometheus"]
        assert engine.get("/health/ready")[0] == 200
        with late:
            outside.error_rate(27.4)
            outside.wait_until_all_know("firing")
            assert engine.get("/health")[0] == 200
    assert outside.told_by_slack == ["firing"]


def test_a_query_that_fails_for_a_while_ends_no_incident(outside_sqlite: Outside, watched: Watched) -> None:
    outside, own = outside_sqlite, PrometheusServer(targets=[watched.exporter.target])
    with own, outside.engine(TOCSIN_PROMETHEUS_URL=own.url) as engine:
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        outside.wait_until_all_know("firing")
        own.stop()
        wait_until(lambda: engine.get("/health")[0] == 503, what="/health to say so", within=SOON)
        wait_for_state(engine, "firing")
        own.start()
        wait_until(lambda: engine.get("/health")[0] == 200, what="/health to be well again", within=SOON)
        wait_for_state(engine, "firing")
    assert outside.told_by_slack == outside.told_by_mail == ["firing"]


def test_on_a_fresh_database_with_nothing_set_up_an_alert_goes_to_the_log(outside: Outside) -> None:
    def logged() -> list[str]:
        return [line["status"] for line in log_lines(engine, "notification")]

    with outside.engine_knowing_nobody() as engine:
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        wait_until(lambda: logged() == ["firing"], what="the alert in the log", within=SOON)
        outside.error_rate(0.5)
        wait_until(lambda: logged() == ["firing", "resolved"], what="its end in the log", within=SOON)
        outside.wait_until_at_rest()
        engine.stop()
    assert sorted(line["channel"] for line in log_lines(engine, "channel cannot be used")) == [
        "email",
        "pagerduty",
        "slack",
    ]
    assert len(logged()) == 2


def test_in_record_mode_it_decides_and_tells_nobody(outside_sqlite: Outside) -> None:
    outside = outside_sqlite
    decided = "SELECT reason FROM ledger WHERE kind = 'decision' ORDER BY id"
    with outside.engine(TOCSIN_DELIVERY="record"):
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        wait_until(lambda: len(outside.sql(decided)) >= 3, what="three decisions", within=SOON)
        outside.error_rate(0.5)
        outside.wait_until_at_rest()
    assert {reason for (reason,) in outside.sql(decided)[:3]} == {"first notification"}
    assert outside.sql("SELECT count(*) FROM outbox") == [(0,)]
    assert outside.told_by_slack == outside.told_by_mail == outside.told_by_pagerduty == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param("TOCSIN_EVALUATION_INTERVAL", "soon", id="a value"),
        pytest.param("TOCSIN_DATABSE_URL", "sqlite:///x.db", id="a name"),
        pytest.param("TOCSIN_LISTEN", "0.0.0.0:0", id="an open door without a key"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_line(setting: str, value: str) -> None:
    ended = run_tocsin(**{setting: value})
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"tocsin: {setting}: ")
    assert ended.stdout == ""


def test_a_second_engine_on_the_same_sqlite_file_refuses_and_names_the_first(outside_sqlite: Outside) -> None:
    with outside_sqlite.engine() as first:
        second = run_tocsin(TOCSIN_DATABASE_URL=outside_sqlite.database_url, TOCSIN_LISTEN=f"127.0.0.1:{free_port()}")
        assert first.get("/health/ready")[0] == 200
    assert (second.returncode, len(second.stderr.splitlines())) == (1, 1)
    assert f"process {first.pid})" in second.stderr


def test_a_killed_engine_does_not_lock_out_the_next_one(outside_sqlite: Outside) -> None:
    with outside_sqlite.engine() as engine:
        engine.kill()
        engine.start()
        assert engine.get("/health/ready")[0] == 200


def test_sigterm_ends_it_well_within_seconds_and_leaves_nothing(outside: Outside) -> None:
    with outside.engine() as engine:
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        outside.wait_until_all_know("firing")
        children = descendants(engine.pid)
        engine.stop()
    assert children == []
    assert gone(engine.pid)
    assert log_lines(engine, "loop did not end in time") == []


class HesitantSlack(SlackStandIn):
    """Slack on a slow day: a message is there at once, and only two seconds later it says so."""

    def answer(self, path: str, headers: Mapping[str, str], body: dict[str, Any] | None) -> Reply:
        reply = super().answer(path, headers, body)
        time.sleep(2)
        return reply


def test_a_message_under_way_at_sigterm_is_waited_for_and_not_repeated(outside: Outside) -> None:
    with HesitantSlack() as slack, outside.engine(SLACK_WEBHOOK_URL=slack.webhook_url) as engine:
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        slack.wait(1, SOON.total_seconds())
        engine.stop()
        told = outside.sql("SELECT status, attempts FROM outbox WHERE channel = 'slack'")
        engine.start()
        outside.error_rate(0.5)
        slack.wait(2, SOON.total_seconds())
        outside.wait_until_at_rest()
        assert len(slack.messages) == 2
    assert told == [("sent", 1)]


def test_an_address_in_use_is_said_in_one_line(outside_sqlite: Outside) -> None:
    with outside_sqlite.engine() as first:
        taken = first.url.removeprefix("http://")
        second = run_tocsin(TOCSIN_LISTEN=taken, TOCSIN_DATABASE_URL=f"sqlite:///{outside_sqlite.folder}/other.db")
    assert second.returncode == 1
    assert second.stderr.startswith(f"tocsin: TOCSIN_LISTEN: cannot listen on {taken}: ")


def test_the_notification_arrives_within_two_intervals_and_the_group_wait(outside_sqlite: Outside) -> None:
    outside = outside_sqlite
    with outside.engine():
        outside.sql(HURRY, INSERT_RULE)
        outside.error_rate(27.4)
        outside.wait_until_all_know("firing")
    ((fired, sent),) = outside.sql(
        "SELECT (SELECT fired_at FROM alerts), (SELECT min(finished_at) FROM outbox WHERE status = 'sent')"
    )
    assert timedelta(seconds=0.9) <= timedelta(microseconds=sent - fired) <= timedelta(seconds=4)
