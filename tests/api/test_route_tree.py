"""The whole tree of routes by REST: one step or none, ids kept, every problem told, and no writer overtaken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.store import routes as store
from engine.store.database import Database
from engine.store.door import Connection
from rules.routing import Route
from tests.api.stand_in import StandIn

ROOT: dict[str, Any] = {"id": "root", "receiver": "default", "channels": ["slack"], "group_by": ["alertname"]}
DB: dict[str, Any] = {"receiver": "dba", "matchers": 'team="db"'}
WEB: dict[str, Any] = {"receiver": "web", "matchers": 'team="web"'}


def put(api: TestClient, *items: dict[str, Any], dry_run: bool = False) -> Any:
    answered = api.put("/api/v1/routes", json={"items": items}, params={"dry_run": dry_run})
    assert answered.status_code == 200, answered.text
    return answered.json()


def refusals(api: TestClient, *items: dict[str, Any]) -> dict[str, Any]:
    """The 422's errors by field."""
    answered = api.put("/api/v1/routes", json={"items": items})
    assert answered.status_code == 422, answered.text
    return {error["field"]: error for error in answered.json()["errors"]}


def ids(api: TestClient) -> set[str]:
    return {route["id"] for route in api.get("/api/v1/routes").json()["items"]}


def operations(told: Any) -> set[tuple[str, str]]:
    return {(change["id"], change["operation"]) for change in told["changes"]}


def test_the_tree_becomes_what_was_sent(api: TestClient) -> None:
    put(api, ROOT, {**DB, "id": "db"}, {**WEB, "id": "web"})
    told = put(api, ROOT, {**WEB, "id": "web"}, {**DB, "id": "db2", "parent_id": "web"})
    assert operations(told) == {("web", "replace"), ("db2", "create"), ("db", "delete")}
    assert [(one["id"], one["parent_id"], one["position"]) for one in told["items"]] == [
        ("root", None, 0),
        ("web", "root", 1),
        ("db2", "web", 2),
    ]
    assert ids(api) == {"root", "web", "db2"}


def test_children_may_come_before_their_parents_and_parents_become_children(api: TestClient) -> None:
    put(api, {**DB, "id": "a", "parent_id": "b"}, {**WEB, "id": "b"}, ROOT)
    told = put(api, ROOT, {**WEB, "id": "b", "parent_id": "a"}, {**DB, "id": "a"})
    assert {one["id"]: one["parent_id"] for one in told["items"]} == {"root": None, "b": "a", "a": "root"}


def test_a_route_without_an_id_keeps_that_of_the_one_it_looks_like(api: TestClient) -> None:
    known = put(api, ROOT, DB, DB, WEB)
    names = [one["id"] for one in known["items"]]
    told = put(api, ROOT, {**DB, "group_wait": "5s"}, {**WEB, "matchers": 'team="www"'}, DB)
    assert [one["id"] for one in told["items"]][:2] == names[:2]
    assert told["items"][3]["id"] == names[2]
    assert told["items"][2]["id"] not in names
    assert (names[1], "replace") in operations(told)
    assert (names[3], "delete") in operations(told)


def test_an_id_that_was_sent_is_not_given_to_another(api: TestClient) -> None:
    put(api, ROOT, {**DB, "id": "db"})
    told = put(api, ROOT, DB, {**WEB, "id": "db"})
    assert told["items"][2]["id"] == "db"
    assert told["items"][1]["id"] != "db"


def test_what_was_answered_can_be_sent_back_and_changes_nothing(api: TestClient) -> None:
    put(api, ROOT, {**DB, "id": "db"}, {**WEB, "id": "web"})
    answered = api.get("/api/v1/routes")
    headers = {"If-Match": answered.headers["ETag"]}
    again = api.put("/api/v1/routes", json=answered.json(), headers=headers)
    assert (again.status_code, again.json()["changes"]) == (200, [])
    assert again.headers["ETag"] == answered.headers["ETag"]


def test_a_page_that_is_not_the_last_is_no_tree(api: TestClient) -> None:
    put(api, ROOT, {**DB, "id": "db"})
    first = api.get("/api/v1/routes", params={"limit": 1}).json()
    answered = api.put("/api/v1/routes", json=first)
    assert {error["field"] for error in answered.json()["errors"]} == {"next_cursor"}


def test_a_dry_run_tells_the_difference_and_stores_nothing(api: TestClient) -> None:
    put(api, ROOT, {**DB, "id": "db"})
    told = put(api, ROOT, {**DB, "id": "db", "group_wait": "5s"}, dry_run=True)
    assert told["dry_run"] is True
    assert told["changes"] == [
        {"id": "db", "operation": "replace", "changes": [{"field": "group_wait", "before": None, "after": "5s"}]}
    ]
    assert api.get("/api/v1/routes/db").json()["version"] == 1


def test_every_problem_of_every_route_is_told_and_nothing_is_stored(api: TestClient) -> None:
    before = api.get("/api/v1/routes").json()
    found = refusals(
        api,
        {**ROOT, "matchers": 'team="db"'},
        {**DB, "id": "a", "parent_id": "none", "channels": ["slak"]},
        {**DB, "id": "b", "parent_id": "c", "group_interval": "0s"},
        {**DB, "id": "c", "parent_id": "b", "mute_time_intervals": ["night"]},
        {**DB, "id": "b"},
    )
    assert set(found) == {
        "items.0.matchers",
        "items.1.parent_id",
        "items.1.channels",
        "items.2.group_interval",
        "items.3.mute_time_intervals",
        "items.4.id",
    }
    assert found["items.2.group_interval"]["value"] == "0s"
    assert api.get("/api/v1/routes").json() == before


@pytest.mark.parametrize(
    ("items", "message"),
    [
        pytest.param((), "one route with id 'root'", id="nothing"),
        pytest.param(({**DB, "id": "db"},), "one route with id 'root'", id="no root"),
        pytest.param(
            (ROOT, {**DB, "id": "a", "parent_id": "b"}, {**DB, "id": "b", "parent_id": "a"}),
            "round in a circle",
            id="a circle",
        ),
    ],
)
def test_what_is_no_tree_is_refused(api: TestClient, items: tuple[dict[str, Any], ...], message: str) -> None:
    assert message in refusals(api, *items)["items"]["message"]


def test_a_misspelt_field_is_told_where_it_stands(api: TestClient) -> None:
    found = refusals(api, ROOT, {**DB, "recever": "x"})
    assert found["items.1.recever"]["fix"] == "did you mean 'receiver'?"


@pytest.mark.parametrize("tag", ['"tree-0000000000000000"', '"1"'])
def test_a_tree_that_builds_on_something_older_is_refused(api: TestClient, tag: str) -> None:
    answered = api.put("/api/v1/routes", json={"items": [ROOT]}, headers={"If-Match": tag})
    told = answered.json()
    assert (answered.status_code, told["type"]) == (409, "urn:tocsin:problem:changed")
    assert told["current_etag"] == api.get("/api/v1/routes").headers["ETag"]


def test_a_route_deleted_and_made_anew_is_another_one_though_its_version_is_the_same(api: TestClient) -> None:
    put(api, ROOT, {**DB, "id": "db"})
    headers = {"If-Match": api.get("/api/v1/routes").headers["ETag"]}
    put(api, ROOT)
    put(api, ROOT, {**DB, "id": "db", "group_wait": "9s"})
    answered = api.put("/api/v1/routes", json={"items": [ROOT, {**DB, "id": "db"}]}, headers=headers)
    assert (answered.status_code, answered.json()["type"]) == (409, "urn:tocsin:problem:changed")
    assert api.get("/api/v1/routes/db").json()["group_wait"] == "9s"


def test_a_tree_that_builds_on_whatever_stands_is_taken(api: TestClient) -> None:
    assert api.put("/api/v1/routes", json={"items": [ROOT]}, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("items", [(ROOT,), (ROOT, {**DB, "id": "kept", "group_wait": "9s"})], ids=["gone", "other"])
def test_a_route_that_an_import_keeps_is_not_changed(
    api: TestClient, database: Database, items: tuple[dict[str, Any], ...]
) -> None:
    with database.write() as connection:
        store.put(connection, Route(id="kept", parent_id="root", receiver="dba", origin="import:alertmanager.yml"))
    answered = api.put("/api/v1/routes", json={"items": items})
    assert (answered.status_code, answered.json()["managed_by"]) == (409, "import:alertmanager.yml")


def test_a_row_that_cannot_be_read_goes_as_well(api: TestClient, database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO routes (id, parent_id, matchers) VALUES ('bad', 'root', '[\"team\"]')")
    put(api, ROOT)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM routes").scalar_one() == 1


@dataclass(frozen=True)
class Overtaken:
    """A database where somebody else hangs a route into the tree just before each write of ours."""

    database: Database

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    @contextmanager
    def write(self, author: str | None = None) -> Iterator[Connection]:
        with self.database.write("somebody") as connection:
            store.put(connection, Route(id="theirs", parent_id="db", receiver="x"))
        with self.database.write(author) as connection:
            yield connection


@pytest.fixture
def overtaken(engine: StandIn) -> TestClient:
    between: Any = Overtaken(engine.database)
    return TestClient(create_app(replace(engine, database=between)))


def test_a_tree_that_changed_between_reading_and_writing_is_not_replaced(
    api: TestClient, overtaken: TestClient
) -> None:
    put(api, ROOT, {**DB, "id": "db"})
    answered = overtaken.put("/api/v1/routes", json={"items": [ROOT]})
    assert (answered.status_code, answered.json()["type"]) == (409, "urn:tocsin:problem:changed")
    assert ids(api) == {"root", "db", "theirs"}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_route_cannot_be_moved_below_one_that_was_hung_under_it_meanwhile(
    api: TestClient, overtaken: TestClient, method: str
) -> None:
    put(api, ROOT, {**DB, "id": "db"}, {**WEB, "id": "theirs"})
    body = {**DB, "parent_id": "theirs"}
    answered = overtaken.request(method, "/api/v1/routes/db", json=body if method == "PUT" else None)
    assert answered.status_code == (422 if method == "PUT" else 409), answered.text
    assert ids(api) == {"root", "db", "theirs"}
