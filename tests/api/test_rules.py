"""Rules by REST: what is declared is stored, told and tried; what is wrong is refused, all at once."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.schemas.rules import RuleFields
from engine.core.alert import State
from engine.store import rule_status
from engine.store import rules as store
from engine.store.database import Database
from engine.store.rule_status import Health, RuleStatus
from engine.trial import Trial
from rules.labels import Labels
from rules.rule import Condition, Language, MissingSeries, NoData, OnError, Plan, Rule
from tests.api.stand_in import NOON, QUIET, StandIn, alert, store_alerts

CPU: dict[str, Any] = {"name": "HighCpu", "metric_name": "cpu_usage", "condition": ">", "threshold": 90, "for": "5m"}
FULL: dict[str, Any] = {
    "name": "Errors",
    "group": "web",
    "team": "sre",
    "expr": "rate(errors_total[5m])",
    "metric_name": None,
    "condition": ">=",
    "threshold": 0.5,
    "for": "1h30m",
    "keep_firing_for": "10m",
    "interval": "15s",
    "query_offset": "30s",
    "severity": "critical",
    "labels": {"service": "web"},
    "annotations": {"summary": "{{ $value }} errors per second"},
    "notification_channels": ["slack", "log"],
    "datasource": "default",
    "enabled": False,
    "no_data": "alert",
    "missing_series": "keep",
    "missing_for": "2h",
    "on_error": "alert",
    "limit": 50,
    "plan": "alone",
    "language": "logql",
}


def put(api: TestClient, rule_id: str = "cpu", **changes: object) -> Any:
    answered = api.put(f"/api/v1/rules/{rule_id}", json={**CPU, **changes})
    assert answered.status_code in {200, 201}, answered.text
    return answered.json()


def stored(database: Database, rule_id: str = "cpu") -> Rule | None:
    with database.read() as connection:
        return store.get(connection, rule_id)


def errors(api: TestClient, body: object, method: str = "POST", path: str = "/api/v1/rules") -> dict[str, Any]:
    """The 422's errors by field."""
    answered = api.request(method, path, json=body)
    assert answered.status_code == 422, answered.text
    return {error["field"]: error for error in answered.json()["errors"]}


def test_every_field_of_a_rule_can_be_declared() -> None:
    ours = {"id", "origin", "version"}
    assert set(RuleFields.model_fields) == {each.name for each in fields(Rule)} - ours


def test_a_rule_is_stored_as_it_was_declared(api: TestClient, database: Database) -> None:
    assert api.put("/api/v1/rules/errors", json=FULL).status_code == 201
    assert stored(database, "errors") == Rule(
        id="errors",
        name="Errors",
        group="web",
        team="sre",
        expr="rate(errors_total[5m])",
        condition=Condition.AT_LEAST,
        threshold=0.5,
        hold=timedelta(minutes=90),
        keep_firing_for=timedelta(minutes=10),
        interval=timedelta(seconds=15),
        query_offset=timedelta(seconds=30),
        severity="critical",
        labels=Labels({"service": "web"}),
        annotations={"summary": "{{ $value }} errors per second"},
        notification_channels=("slack", "log"),
        enabled=False,
        no_data=NoData.ALERT,
        missing_series=MissingSeries.KEEP,
        missing_for=timedelta(hours=2),
        on_error=OnError.ALERT,
        limit=50,
        plan=Plan.ALONE,
        language=Language.LOGQL,
        origin="api",
        version=1,
    )


def test_a_rule_is_answered_as_it_was_declared(api: TestClient) -> None:
    told = api.put("/api/v1/rules/errors", json=FULL).json()
    assert {name: told[name] for name in FULL} == FULL
    assert (told["id"], told["origin"], told["version"]) == ("errors", "api", 1)


def test_what_was_answered_can_be_sent_back(api: TestClient) -> None:
    put(api)
    told = api.get("/api/v1/rules/cpu").json()
    assert api.put("/api/v1/rules/cpu", json=told).json()["version"] == 1


def test_a_new_rule_gets_an_id_and_its_first_evaluation(engine: StandIn, database: Database) -> None:
    firing = Trial(
        sample_count=3, alerts=(alert("new"),), problems=(), error=None, first_page_after=timedelta(minutes=6)
    )
    api = TestClient(create_app(replace(engine, answer=firing)))
    answered = api.post("/api/v1/rules", json=CPU)
    told = answered.json()
    assert (answered.status_code, answered.headers["ETag"], told["first_page_after"]) == (201, '"1"', "6m")
    first = told["first_evaluation"]
    assert (first["sample_count"], first["alert_count"], first["warning"], first["error"]) == (3, 1, None, None)
    assert first["alerts"][0]["labels"] == {"alertname": "HighCpu"}
    assert engine.tried == [stored(database, told["id"])]


def test_a_first_evaluation_that_matches_nothing_says_so(api: TestClient) -> None:
    first = api.post("/api/v1/rules", json=CPU).json()["first_evaluation"]
    assert (first["sample_count"], first["error"]) == (0, None)
    assert "nothing matches now" in first["warning"]


def test_a_first_evaluation_without_prometheus_says_so_and_the_rule_is_stored(engine: StandIn) -> None:
    api = TestClient(create_app(replace(engine, answer=replace(QUIET, error="connection refused"))))
    answered = api.post("/api/v1/rules", json=CPU)
    first = answered.json()["first_evaluation"]
    assert (answered.status_code, first["error"], first["warning"]) == (201, "connection refused", None)


def test_an_id_can_be_chosen_once(api: TestClient) -> None:
    assert api.post("/api/v1/rules", json={**CPU, "id": "cpu"}).json()["id"] == "cpu"
    again = api.post("/api/v1/rules", json={**CPU, "id": "cpu"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:tocsin:problem:exists")


def test_an_id_never_changes(api: TestClient) -> None:
    assert "leave it out" in errors(api, {**CPU, "id": "other"}, "PUT", "/api/v1/rules/cpu")["id"]["message"]


def test_put_replaces_and_takes_what_is_not_given_back_to_its_default(api: TestClient) -> None:
    put(api, severity="critical")
    answered = api.put("/api/v1/rules/cpu", json={**CPU, "threshold": 95})
    told = answered.json()
    assert (answered.status_code, answered.headers["ETag"]) == (200, '"2"')
    assert (told["threshold"], told["severity"], told["version"]) == (95, "", 2)


def test_put_of_the_same_changes_nothing(api: TestClient) -> None:
    put(api)
    assert put(api)["version"] == 1


def test_the_origin_of_a_rule_made_by_sql_stays(api: TestClient, database: Database) -> None:
    with database.write() as connection:
        store.put(connection, Rule(id="cpu", name="x", expr="up == 0", origin="sql"))
    assert put(api)["origin"] == "sql"


def test_a_rule_that_an_import_keeps_is_not_changed(api: TestClient, database: Database) -> None:
    with database.write() as connection:
        store.put(connection, Rule(id="cpu", name="x", expr="up == 0", origin="import:rules.yml"))
    for method, body in (("PUT", CPU), ("PATCH", {"limit": 1}), ("DELETE", None)):
        answered = api.request(method, "/api/v1/rules/cpu", json=body)
        assert (answered.status_code, answered.json()["managed_by"]) == (409, "import:rules.yml")


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        pytest.param({"threshold": 95}, {"threshold": 95}, id="one field"),
        pytest.param({"labels": {"b": "2"}}, {"labels": {"a": "1", "b": "2"}}, id="objects merge"),
        pytest.param({"labels": {"a": None}}, {"labels": {}}, id="null removes a member"),
        pytest.param({"for": None}, {"for": "0s"}, id="null is the default"),
        pytest.param(
            {"expr": "up == 0", "metric_name": None, "condition": None, "threshold": None},
            {"expr": "up == 0", "metric_name": None, "condition": None, "threshold": None},
            id="another form of rule",
        ),
        pytest.param({"status": {"health": "ok"}, "version": 9}, {}, id="read-only fields are left alone"),
    ],
)
def test_patch_changes_what_it_names(api: TestClient, patch: dict[str, object], changed: dict[str, object]) -> None:
    before = put(api, labels={"a": "1"})
    told = api.patch("/api/v1/rules/cpu", json=patch).json()
    assert {name: told[name] for name in CPU | {"labels": 0, "expr": 0}} == {
        **{name: before[name] for name in CPU | {"labels": 0, "expr": 0}},
        **changed,
    }


def test_patch_takes_the_media_type_of_merge_patches(api: TestClient) -> None:
    put(api)
    headers = {"Content-Type": "application/merge-patch+json"}
    assert api.patch("/api/v1/rules/cpu", content='{"limit": 7}', headers=headers).json()["limit"] == 7


def test_a_patch_that_makes_nonsense_is_refused_with_every_reason(api: TestClient) -> None:
    put(api)
    found = errors(api, {"treshold": 1, "for": "soon", "name": None}, "PATCH", "/api/v1/rules/cpu")
    assert found["treshold"]["fix"] == "did you mean 'threshold'?"
    assert "is not a duration" in found["for"]["message"]
    assert found["name"]["message"] == "Field required"


def test_a_deleted_rule_is_gone(api: TestClient, database: Database) -> None:
    put(api)
    answered = api.delete("/api/v1/rules/cpu")
    assert (answered.status_code, answered.content) == (204, b"")
    assert stored(database) is None
    assert api.get("/api/v1/rules/cpu").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/evaluate")],
)
def test_an_unknown_rule_is_not_found(api: TestClient, method: str, path: str) -> None:
    answered = api.request(method, f"/api/v1/rules/none{path}", json={} if method == "PATCH" else None)
    assert (answered.status_code, answered.json()["detail"]) == (404, "there is no rule 'none'")


def test_unknown_fields_and_wrong_values_are_told_at_once(api: TestClient) -> None:
    found = errors(api, {**CPU, "treshold": 1, "condition": "above", "for": 300, "enabled": "yes", "limit": 2.5})
    assert set(found) == {"treshold", "condition", "for", "enabled", "limit"}
    assert found["treshold"] == {"field": "treshold", "message": "unknown field", "fix": "did you mean 'threshold'?"}
    assert found["for"]["value"] == 300
    assert '"5m"' in found["for"]["message"]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        pytest.param({"metric_name": None}, "expr", "nothing is asked", id="nothing asked"),
        pytest.param({"threshold": None}, "threshold", "threshold is missing", id="half a comparison"),
        pytest.param({"expr": "up =="}, "metric_name", "keep one of them", id="two questions"),
        pytest.param({"metric_name": None, "expr": "sum("}, "expr", "is not PromQL", id="no PromQL"),
        pytest.param({"annotations": {"a": "{{ oops"}}, "annotations.a", "unclosed action", id="no template"),
        pytest.param({"threshold": "NaN"}, "threshold", "NaN", id="not a number"),
        pytest.param({"interval": "0s"}, "interval", "longer than 0 s", id="no interval"),
        pytest.param({"limit": -1}, "limit", "no limit", id="negative limit"),
        pytest.param({"missing_for": "101y"}, "missing_for", "100 years", id="too long"),
        pytest.param({"datasource": "elsewhere"}, "datasource", "known are default", id="unknown datasource"),
        pytest.param(
            {"notification_channels": ["slak"]},
            "notification_channels",
            "no channel 'slak' is declared; known are email, log, pagerduty, slack",
            id="unknown channel",
        ),
    ],
)
def test_a_rule_that_cannot_be_evaluated_is_refused(
    api: TestClient, database: Database, change: dict[str, object], field: str, message: str
) -> None:
    found = errors(api, {**CPU, **change}, "PUT", "/api/v1/rules/cpu")
    assert message in found[field]["message"]
    assert stored(database) is None


def test_a_warning_does_not_keep_a_rule_from_being_stored(api: TestClient, database: Database) -> None:
    told = put(api, labels={"severity": "page"}, severity="critical")
    assert [(one["severity"], one["field"]) for one in told["problems"]] == [("warning", "labels.severity")]
    assert stored(database) is not None


def test_a_rule_that_can_do_no_good_is_stored_with_a_warning(api: TestClient, database: Database) -> None:
    told = put(api, metric_name=None, condition=None, threshold=None, expr="count(up) == 0")
    assert [(one["severity"], one["field"]) for one in told["problems"]] == [("warning", "expr")]
    assert "count(…) == 0 can never be true" in told["problems"][0]["message"]
    assert stored(database) is not None


def test_a_rule_written_by_sql_that_can_do_no_good_says_so_in_its_status(api: TestClient, database: Database) -> None:
    put(api)
    with database.write() as connection:
        change = "expr = 'sum(x) > 1', metric_name = NULL, condition = NULL, threshold = NULL"
        connection.execute(text(f"""UPDATE alert_rules SET {change}, annotations = '{{"s": "{{{{ $labels.a }}}}"}}'"""))
    problems = api.get("/api/v1/rules/cpu").json()["status"]["problems"]
    assert [(one["lint"], one["field"], one["severity"]) for one in problems if "lint" in one] == [
        ("dropped-label", "annotations.s", "warning")
    ]


def test_infinite_thresholds_are_texts_in_both_directions(api: TestClient) -> None:
    assert put(api, threshold="+Inf")["threshold"] == "+Inf"
    assert put(api, threshold="-Inf")["threshold"] == "-Inf"


def test_rules_are_listed_page_by_page(api: TestClient) -> None:
    for number in range(5):
        put(api, f"rule-{number}")
    seen, cursor = [], None
    while True:
        params: dict[str, str | int] = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        told = api.get("/api/v1/rules", params=params).json()
        seen.append([rule["id"] for rule in told["items"]])
        if (cursor := told["next_cursor"]) is None:
            break
    assert seen == [["rule-0", "rule-1"], ["rule-2", "rule-3"], ["rule-4"]]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        pytest.param({"team": "db"}, ["a", "b"], id="team"),
        pytest.param({"origin": "sql"}, ["c"], id="origin"),
        pytest.param({"name": "HIGH"}, ["a", "c"], id="a text in the name"),
        pytest.param({"name": "%"}, [], id="a text that SQL would take for a pattern"),
        pytest.param({"health": "err"}, ["a"], id="health"),
        pytest.param({"health": "unknown"}, ["b", "c"], id="never evaluated"),
        pytest.param({"team": "db", "name": "low"}, ["b"], id="two at once"),
        pytest.param({"team": "none"}, [], id="none"),
    ],
)
def test_rules_are_found_by_what_they_are(
    api: TestClient, database: Database, params: dict[str, str], found: list[str]
) -> None:
    put(api, "a", name="HighCpu", team="db")
    put(api, "b", name="LowDisk", team="db")
    with database.write() as connection:
        store.put(connection, Rule(id="c", name="HighLoad", expr="up == 0", origin="sql"))
        rule_status.save(connection, [RuleStatus(rule_id="a", health=Health.ERR, changed_at=NOON)])
    told = api.get("/api/v1/rules", params=params).json()["items"]
    assert [one["id"] for one in told] == found


def test_rules_that_are_found_are_told_page_by_page(api: TestClient) -> None:
    for number in range(4):
        put(api, f"rule-{number}", team="db" if number % 2 else "web")
    first = api.get("/api/v1/rules", params={"team": "db", "limit": 1}).json()
    rest = api.get("/api/v1/rules", params={"team": "db", "limit": 1, "cursor": first["next_cursor"]}).json()
    assert [[one["id"] for one in told["items"]] for told in (first, rest)] == [["rule-1"], ["rule-3"]]


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_page_has_between_one_and_a_thousand_items(api: TestClient, limit: str) -> None:
    answered = api.get("/api/v1/rules", params={"limit": limit})
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "limit")


def test_the_status_of_a_rule_is_told_with_it(api: TestClient, database: Database) -> None:
    put(api)
    status = RuleStatus(
        rule_id="cpu",
        health=Health.QUARANTINED,
        changed_at=NOON,
        last_error="boom",
        problems=({"field": "expr", "message": "no"},),
        checked_version=2,
        good_version=1,
        last_data_at=NOON,
    )
    with database.write() as connection:
        rule_status.save(connection, [status])
    told = {
        "health": "quarantined",
        "state": "inactive",
        "problems": [{"field": "expr", "message": "no"}],
        "last_evaluation_at": None,
        "next_evaluation_at": None,
        "last_sample_count": None,
        "last_error": "boom",
        "last_data_at": "2026-11-21T12:00:00Z",
        "checked_version": 2,
        "good_version": 1,
    }
    assert api.get("/api/v1/rules/cpu").json()["status"] == told
    assert api.get("/api/v1/rules").json()["items"][0]["status"] == told


def test_a_rule_that_nobody_would_hear_of_says_so_in_its_status(api: TestClient, database: Database) -> None:
    put(api)
    with database.write() as connection:
        connection.execute(text("""UPDATE alert_rules SET notification_channels = '["nobody"]'"""))
    (problem,) = api.get("/api/v1/rules/cpu").json()["status"]["problems"]
    assert (problem["severity"], problem["field"]) == ("warning", "notification_channels")
    assert "'nobody'" in problem["message"]


@pytest.mark.parametrize(
    ("states", "worst"),
    [((), "inactive"), ((State.PENDING,), "pending"), ((State.PENDING, State.FIRING), "firing")],
)
def test_the_state_of_a_rule_is_that_of_its_worst_alert(
    api: TestClient, database: Database, states: tuple[State, ...], worst: str
) -> None:
    put(api)
    store_alerts(database, *(alert("cpu", state, host=state) for state in states))
    assert api.get("/api/v1/rules/cpu").json()["status"]["state"] == worst


def test_a_rule_is_evaluated_on_request_without_effects(api: TestClient, engine: StandIn, database: Database) -> None:
    put(api)
    told = api.post("/api/v1/rules/cpu/evaluate").json()
    assert (told["sample_count"], told["first_page_after"], told["problems"]) == (0, "6m30s", [])
    assert engine.tried == [stored(database)]


def test_a_row_that_cannot_be_read_says_so_and_spoils_no_list(api: TestClient, database: Database) -> None:
    put(api)
    put(api, "other")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alert_rules SET labels = '{\"a\": [1]}' WHERE id = 'other'")
    answered = api.get("/api/v1/rules/other")
    assert (answered.status_code, answered.json()["type"]) == (409, "urn:tocsin:problem:unreadable")
    assert [rule["id"] for rule in api.get("/api/v1/rules").json()["items"]] == ["cpu"]


LINES = 'sum by (app) (rate({app=~".+"} |= "error" [5m])) > 1'


@pytest.fixture
def loki(database: Database) -> str:
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO datasources (name, kind, urls) VALUES ('logs', 'loki', '[\"http://loki\"]')"
        )
    return "logs"


def test_a_rule_is_in_the_language_of_its_datasource_unless_it_says_else(api: TestClient, loki: str) -> None:
    asked: dict[str, Any] = {
        "metric_name": None,
        "condition": None,
        "threshold": None,
        "expr": LINES,
        "datasource": loki,
    }
    assert (put(api, **asked)["language"], put(api, **asked)["problems"]) == ("logql", [])
    assert put(api, "up", expr="up < 1", metric_name=None, condition=None, threshold=None)["language"] == "promql"
    [problem] = put(api, **{**asked, "datasource": "default", "language": "logql"})["problems"]
    assert problem["message"] == (
        "language is logql, but datasource 'default' is of kind prometheus, which is asked in promql; give that language, "
        "or another datasource"
    )
    assert "logql or logsql" in errors(api, {**CPU, **asked, "datasource": "default"})["expr"]["message"]


def test_moving_a_rule_to_another_datasource_keeps_its_language(api: TestClient, loki: str) -> None:
    put(api)
    moved = api.patch("/api/v1/rules/cpu", json={"datasource": loki}).json()
    assert (moved["language"], [problem["field"] for problem in moved["problems"]]) == ("promql", ["language"])
