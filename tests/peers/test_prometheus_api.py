"""The same rule file in a real Prometheus and in Tocsin: what their APIs tell of it, field by field."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.core.alert import Alert, State
from engine.importing import declared
from engine.store import rule_status, rules, schema
from engine.store.database import connect
from engine.store.rule_status import Health, RuleStatus
from engine.timings import Timing
from rules.labels import Labels
from tests.api.stand_in import NOON, NoonClock, StandIn, StandInSettings, store_alerts
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer
from tests.servers import Request, Response, ScriptedServer

FILE = """
groups:
- name: cpu
  interval: 200ms
  rules:
  - alert: HighCpu
    expr: cpu > 90
    keep_firing_for: 10m
    labels: {team: db, severity: page}
    annotations: {summary: "busy"}
  - alert: Waiting
    expr: cpu > 90
    for: 5m
- name: calm
  interval: 200ms
  rules:
  - alert: Quiet
    expr: cpu > 1000
"""
TIMES = {"lastEvaluation", "evaluationTime", "activeAt"}


def timeless(told: Any) -> Any:
    """The document with each time replaced by its type, which is compared all the same."""
    if isinstance(told, dict):
        return {name: isinstance(value, str) if name in TIMES else timeless(value) for name, value in told.items()}
    return [timeless(each) for each in told] if isinstance(told, list) else told


def fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def settled(ask: Callable[[], Any], expected: Any) -> Any:
    """What is answered once it is as expected, or after half a minute: a scrape that a server misses shows for a while."""
    deadline = time.monotonic() + 30
    while (found := ask()) != expected and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def evaluated(database_at: Path, file: Path, instance: str) -> TestClient:
    """Tocsin's API over the file's rules as an evaluation leaves them."""
    database = connect(str(database_at), NoonClock())
    schema.upgrade(database.engine)
    read, flaws = declared([(str(file), FILE)])
    assert flaws == ()
    found = [replace(rule, id=rule.name, origin=f"import:{file}") for rule in read]
    engine = StandIn(database=database, settings=StandInSettings(metrics_alerts=10))
    with database.write() as connection:
        for rule in found:
            rules.put(connection, rule)
            engine.clocks[rule.id] = Timing(
                last_evaluation_at=NOON, last_duration=timedelta(milliseconds=2), interval=timedelta(milliseconds=200)
            )
        rule_status.save(connection, [RuleStatus(rule_id=rule.id, health=Health.OK, changed_at=NOON) for rule in found])
    of = {rule.name: rule for rule in found}
    shared = {"instance": instance, "job": "test"}
    for name, state, more in (
        ("HighCpu", State.FIRING, {"team": "db", "severity": "page"}),
        ("Waiting", State.PENDING, {}),
    ):
        store_alerts(
            database,
            Alert(
                source=of[name].id,
                labels=Labels({"alertname": name, **shared, **more}),
                sample_labels=Labels(shared),
                state=state,
                value=91.5,
                active_at=NOON,
                annotations=dict(of[name].annotations),
            ),
        )
    return TestClient(create_app(engine))


@pytest.mark.parametrize(
    # Older servers ignore the later filters, so these are held to the documentation, in the tests of the API.
    "query",
    ["", "type=alert"],
)
def test_rules_are_told_as_prometheus_tells_them(both: tuple[str, TestClient], query: str) -> None:
    url, api = both
    ours = timeless(api.get(f"/prometheus/api/v1/rules?{query}").json())
    assert ours == settled(lambda: timeless(fetched(f"{url}/api/v1/rules?{query}")), ours)


def test_alerts_are_told_as_prometheus_tells_them(both: tuple[str, TestClient]) -> None:
    def by_name(told: Any) -> Any:
        told["data"]["alerts"].sort(key=lambda each: each["labels"]["alertname"])
        return timeless(told)

    url, api = both
    ours = by_name(api.get("/prometheus/api/v1/alerts").json())
    assert ours == settled(lambda: by_name(fetched(f"{url}/api/v1/alerts")), ours)


def test_alerts_as_series_answer_a_dashboard_as_prometheus_own_do(both: tuple[str, TestClient]) -> None:
    url, api = both

    def told(request: Request) -> Response:
        answered = api.get("/metrics/alerts", headers={"Accept": request.headers["accept"]})
        return Response(body=answered.content, headers={"Content-Type": answered.headers["Content-Type"]})

    def labels(answer: Any) -> list[dict[str, str]]:
        found = [dict(each["metric"]) for each in answer["data"]["result"]]
        assert {each["value"][1] for each in answer["data"]["result"]} == {"1"}
        return sorted(found, key=lambda each: each["alertname"])

    page = {"honor_labels": True, "metrics_path": "/metrics/alerts"}
    with ScriptedServer(told) as tocsin, PrometheusServer(targets=[f"127.0.0.1:{tocsin.port}"], scrape=page) as other:
        other.wait_for("ALERTS")
        for query in ("ALERTS", 'ALERTS{alertstate="firing"}', 'ALERTS{alertstate="pending", job="test"}'):
            path = f"api/v1/query?{urlencode({'query': query})}"
            ours = labels(fetched(f"{other.url}/{path}"))
            assert ours == settled(partial(lambda at: labels(fetched(at)), f"{url}/{path}"), ours) != []
        since = {each["metric"]["alertname"]: float(each["value"][1]) for each in other.result("ALERTS_FOR_STATE")}
        assert since == dict.fromkeys(("HighCpu", "Waiting"), NOON.timestamp())
        assert other.result("tocsin_alerts_left_out")[0]["value"][1] == "0"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("prometheus-api")
    file = folder / "rules.yml"
    file.write_text(FILE)
    with Exporter("cpu 91.5") as exporter, PrometheusServer(targets=[exporter.target], rule_files=[file]) as server:
        wait_until(
            lambda: len(fetched(f"{server.url}/api/v1/alerts")["data"]["alerts"]) == 2,
            what="both alerts",
            within=timedelta(seconds=30),
        )
        api = evaluated(folder / "tocsin.db", file, exporter.target)
        yield server.url, api
    shutil.rmtree(folder, ignore_errors=True)
