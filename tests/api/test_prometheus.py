"""Prometheus' API over the rules: what Grafana reads."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.schemas.prometheus import NO_TIME, go_number
from engine.core.alert import State
from engine.store import rules as store
from engine.store.database import Database
from engine.timings import Timing
from engine.unit_state import RuleTiming
from rules.labels import LabelTexts
from rules.rule import Rule
from tests.api.stand_in import NOON, StandIn, alert, store_alerts

CPU = Rule(
    id="r1",
    name="HighCpu",
    group="b",
    expr="cpu > 90",
    hold=timedelta(minutes=5),
    labels=LabelTexts({"team": "db"}),
    severity="page",
    origin="import:a.yml",
)
DISK = Rule(id="r2", name="FullDisk", group="a", expr="disk > 1", origin="import:a.yml")
OFF = Rule(id="r3", name="Off", expr="up == 0", enabled=False)


@pytest.fixture(autouse=True)
def _rules(database: Database, engine: StandIn) -> None:
    with database.write() as connection:
        for rule in (CPU, DISK, OFF):
            store.put(connection, rule)
    store_alerts(database, alert("r1", team="db"), alert("r1", State.INACTIVE, team="old"))
    engine.clocks["r1"] = Timing(
        last_evaluation_at=NOON,
        last_duration=timedelta(seconds=0.5),
        interval=timedelta(seconds=30),
        last=RuleTiming(timedelta(0), 1, None, {"1": 97.25}),
    )


def ask(api: TestClient, path: str, **params: str) -> Any:
    named = {name.replace("__", "[]"): value for name, value in params.items()}
    return api.get(f"/prometheus/api/v1/{path}", params=named).json()


def names(told: Any) -> list[str]:
    return [rule["name"] for group in told["data"]["groups"] for rule in group["rules"]]


def test_a_rule_is_told_as_prometheus_tells_it(api: TestClient) -> None:
    [group] = ask(api, "rules", rule_name__="HighCpu")["data"]["groups"]
    [rule] = group.pop("rules")
    assert group == {
        "name": "b",
        "file": "a.yml",
        "interval": 30,
        "limit": 0,
        "evaluationTime": 0.5,
        "lastEvaluation": "2026-11-21T12:00:00Z",
    }
    [active] = rule.pop("alerts")
    assert (active["value"], active["state"], active["activeAt"]) == ("9.725e+01", "firing", "2026-11-21T11:00:00Z")
    assert rule == {
        "state": "firing",
        "name": "HighCpu",
        "query": "cpu > 90",
        "duration": 300,
        "keepFiringFor": 0,
        "labels": {"team": "db", "severity": "page"},
        "annotations": {},
        "health": "unknown",
        "evaluationTime": 0.5,
        "lastEvaluation": "2026-11-21T12:00:00Z",
        "type": "alerting",
    }


def test_only_enabled_rules_are_told_and_by_file_and_group(api: TestClient) -> None:
    told = ask(api, "rules")
    assert names(told) == ["FullDisk", "HighCpu"]
    assert told["data"]["groups"][0]["lastEvaluation"] == NO_TIME


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"type": "record"}, []),
        ({"type": "alert"}, ["FullDisk", "HighCpu"]),
        ({"rule_group__": "a"}, ["FullDisk"]),
        ({"file__": "b.yml"}, []),
        ({"match__": '{team="db"}'}, ["HighCpu"]),
        ({"match__": '{team!="db"}'}, ["FullDisk"]),
    ],
)
def test_filters_choose_rules(api: TestClient, params: dict[str, str], found: list[str]) -> None:
    assert names(ask(api, "rules", **params)) == found


def test_alerts_can_be_left_out(api: TestClient) -> None:
    groups = ask(api, "rules", exclude_alerts="true")["data"]["groups"]
    assert ["alerts" in group["rules"][0] for group in groups] == [False, False]


def test_groups_come_in_pages(api: TestClient) -> None:
    first = ask(api, "rules", group_limit="1")
    second = ask(api, "rules", group_limit="1", group_next_token=first["data"]["groupNextToken"])
    assert (names(first), names(second), "groupNextToken" in second["data"]) == (["FullDisk"], ["HighCpu"], False)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("rules", {"type": "x"}),
        ("rules", {"exclude_alerts": "x"}),
        ("rules", {"match__": "team"}),
        ("rules", {"match__": "{team"}),
        ("rules", {"group_limit": "0"}),
        ("rules", {"group_next_token": "x"}),
        ("rules", {"group_limit": "1", "group_next_token": "x"}),
        ("query", {"query": "up"}),
        ("label/job/values", {}),
    ],
)
def test_what_makes_no_sense_is_refused_in_prometheus_form(api: TestClient, path: str, params: dict[str, str]) -> None:
    told = ask(api, path, **params)
    assert (set(told), told["status"], told["errorType"]) == ({"status", "errorType", "error"}, "error", "bad_data")


def test_alerts_are_the_active_ones(api: TestClient) -> None:
    [told] = ask(api, "alerts")["data"]["alerts"]
    assert (told["labels"]["team"], told["value"]) == ("db", "9.725e+01")


def test_the_build_names_the_version_it_speaks(api: TestClient) -> None:
    assert ask(api, "status/buildinfo")["data"]["version"].startswith("3.")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1e+00"),
        (0.0, "0e+00"),
        (-0.0, "-0e+00"),
        (91.5, "9.15e+01"),
        (1e-7, "1e-07"),
        (1e300, "1e+300"),
        (-120.0, "-1.2e+02"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_values_are_printed_as_go_prints_them(value: float, text: str) -> None:
    assert go_number(value) == text
