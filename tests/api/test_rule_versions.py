"""The versions of a rule by REST: who changed what, and an old version made to stand again."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.store import rules as store
from engine.store.database import Database
from rules.rule import Rule

CPU: dict[str, Any] = {"name": "HighCpu", "metric_name": "cpu_usage", "condition": ">", "threshold": 90, "for": "5m"}
PATH = "/api/v1/rules/cpu"


def put(api: TestClient, **changes: object) -> Any:
    answered = api.put(PATH, json={**CPU, **changes})
    assert answered.status_code in {200, 201}, answered.text
    return answered.json()


def versions(api: TestClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(f"{PATH}/versions").json()["items"]
    return items


def restore(api: TestClient, version: int, **asked: Any) -> Any:
    return api.post(f"{PATH}/restore", json={"version": version}, **asked)


def test_every_version_is_told_newest_first_with_what_it_changed(api: TestClient) -> None:
    put(api)
    put(api, threshold=95, **{"for": "10m"})
    api.delete(PATH)
    told = versions(api)
    assert [(one["version"], one["operation"], one["author"]) for one in told] == [
        (2, "delete", "api"),
        (2, "update", "api"),
        (1, "insert", "api"),
    ]
    assert told[1]["changes"] == [
        {"field": "threshold", "before": 90.0, "after": 95.0},
        {"field": "for", "before": "5m", "after": "10m"},
    ]
    created = {change["field"]: change["after"] for change in told[2]["changes"]}
    assert (created["name"], created["for"]) == ("HighCpu", "5m")


def test_versions_are_told_page_by_page(api: TestClient) -> None:
    for threshold in (90, 91, 92):
        put(api, threshold=threshold)
    seen, cursor = [], None
    while True:
        params: dict[str, int | str] = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        told = api.get(f"{PATH}/versions", params=params).json()
        seen.append([one["version"] for one in told["items"]])
        if (cursor := told["next_cursor"]) is None:
            break
    assert seen == [[3, 2], [1]]


def test_a_version_that_is_no_rule_is_told_in_its_columns(api: TestClient, database: Database) -> None:
    put(api)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alert_rules SET labels = '{\"a\": 1}' WHERE id = 'cpu'")
    changed = {change["field"] for change in versions(api)[0]["changes"]}
    assert {"labels", "for_seconds"} <= changed
    assert not changed & {"version", "updated_at"}


def test_an_old_version_stands_again_as_a_new_one(api: TestClient) -> None:
    put(api)
    put(api, threshold=95, severity="critical")
    answered = restore(api, 1)
    told = answered.json()
    assert (answered.status_code, answered.headers["ETag"], told["version"]) == (200, '"3"', 3)
    assert (told["threshold"], told["severity"]) == (90.0, "")


def test_a_deleted_rule_comes_back(api: TestClient) -> None:
    put(api)
    api.delete(PATH)
    answered = restore(api, 1)
    assert (answered.status_code, answered.json()["threshold"]) == (201, 90.0)
    assert api.get(PATH).json()["origin"] == "api"


def test_a_restored_rule_belongs_to_no_import_that_let_it_go(api: TestClient, database: Database) -> None:
    with database.write() as connection:
        store.put(connection, Rule(id="cpu", name="x", expr="up == 0", origin="import:rules.yml"))
    with database.write() as connection:
        store.delete(connection, "cpu")
    assert restore(api, 1).json()["origin"] == "api"


def test_a_restored_rule_belongs_to_whom_it_belongs_now(api: TestClient, database: Database) -> None:
    with database.write() as connection:
        store.put(connection, Rule(id="cpu", name="x", expr="up == 0", origin="sql"))
    put(api)
    with database.write() as connection:
        store.put(connection, Rule(id="cpu", name="y", expr="up == 0", origin="import:rules.yml"))
    answered = restore(api, 1)
    assert (answered.status_code, answered.json()["managed_by"]) == (409, "import:rules.yml")


def test_restoring_what_stands_changes_nothing(api: TestClient) -> None:
    put(api)
    assert restore(api, 1).json()["version"] == 1


def test_restoring_can_be_tried_first(api: TestClient) -> None:
    put(api)
    put(api, threshold=95)
    told = restore(api, 1, params={"dry_run": True}).json()
    assert told["changes"] == [{"field": "threshold", "before": 95.0, "after": 90.0}]
    assert api.get(PATH).json()["version"] == 2


def test_restoring_on_something_older_is_refused(api: TestClient) -> None:
    put(api)
    put(api, threshold=95)
    assert restore(api, 1, headers={"If-Match": '"1"'}).status_code == 409
    assert restore(api, 1, headers={"If-Match": '"2"'}).status_code == 200


def test_a_version_that_could_not_be_evaluated_any_more_is_refused(api: TestClient) -> None:
    api.put("/api/v1/channels/hook", json={"kind": "log"})
    put(api, notification_channels=["hook"])
    put(api)
    assert api.delete("/api/v1/channels/hook").status_code == 204
    answered = restore(api, 1)
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, "notification_channels")


@pytest.mark.parametrize(
    ("version", "status"),
    [pytest.param(7, 404, id="never was"), pytest.param(0, 422, id="no version"), pytest.param("1", 422, id="text")],
)
def test_a_version_that_is_none_is_refused(api: TestClient, version: Any, status: int) -> None:
    put(api)
    assert restore(api, version).status_code == status


def test_a_rule_that_never_was_has_no_versions(api: TestClient) -> None:
    assert [api.get(f"{PATH}/versions").status_code, restore(api, 1).status_code] == [404, 404]
