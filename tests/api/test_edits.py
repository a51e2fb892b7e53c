"""Changes of definitions: ETags, conflicts told with their difference, dry runs, and who is named as the author."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from fastapi import Response
from fastapi.testclient import TestClient

from api.problems import ApiProblem
from api.schemas.fields import Output
from api.v1 import edits
from api.v1.calls import Write
from api.v1.rules import RULES
from engine.store import rules as store
from engine.store.api_keys import Scope
from engine.store.database import Database
from engine.store.door import Connection
from rules.rule import Rule
from tests.api.stand_in import StandIn

RULE: dict[str, object] = {"name": "Down", "expr": "up == 0"}
CHANNEL: dict[str, object] = {"kind": "webhook", "url": "https://example.org/hook"}
SILENCE: dict[str, object] = {"matchers": 'team="db"', "ends_at": "2026-11-21T18:00:00Z"}
OTHERS: dict[str, dict[str, object]] = {
    "routes": {"receiver": "x", "matchers": 'team="db"'},
    "datasources": {"urls": ["http://127.0.0.1:9090"]},
    "inhibit_rules": {"source_matchers": 'severity="critical"', "target_matchers": 'severity="warning"'},
    "time_intervals": {"time_intervals": [{"weekdays": ["sunday"]}]},
    "rules/refined/thresholds": {"matchers": 'team="db"', "threshold": 95},
}


class Case(NamedTuple):
    """One noun: two bodies of it, which differ in one field that the first leaves empty."""

    path: str
    first: dict[str, object]
    second: dict[str, object]
    field: str


NOUNS = [
    pytest.param(Case("/api/v1/rules/one", RULE, {**RULE, "severity": "page"}, "severity"), id="rules"),
    pytest.param(Case("/api/v1/channels/one", CHANNEL, {**CHANNEL, "team": "sre"}, "team"), id="channels"),
    pytest.param(Case("/api/v1/silences/one", SILENCE, {**SILENCE, "comment": "x"}, "comment"), id="silences"),
    *(
        pytest.param(Case(f"/api/v1/{noun}/one", body, {**body, "team": "sre"}, "team"), id=noun)
        for noun, body in OTHERS.items()
    ),
]


@pytest.fixture(autouse=True)
def _refined(database: Database) -> None:
    """The rule whose threshold rows are edited."""
    with database.write() as connection:
        store.put(connection, Rule(id="refined", name="HighCpu", expr="cpu > 90"))


def changes(database: Database) -> list[tuple[str, str]]:
    """Author and operation of every change recorded since the database was made."""
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT author, operation FROM definition_changes WHERE author = 'api'")
        return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize("case", NOUNS)
class TestEveryNoun:
    def test_the_etag_is_the_version(self, api: TestClient, case: Case) -> None:
        assert api.put(case.path, json=case.first).headers["ETag"] == '"1"'
        assert api.get(case.path).headers["ETag"] == '"1"'
        assert api.put(case.path, json=case.second).headers["ETag"] == '"2"'

    @pytest.mark.parametrize("tag", ['"1"', 'W/"1"', "*", '"7", "1"'])
    def test_a_change_of_what_was_read_is_made(self, api: TestClient, case: Case, tag: str) -> None:
        api.put(case.path, json=case.first)
        assert api.put(case.path, json=case.second, headers={"If-Match": tag}).json()["version"] == 2

    def test_a_change_of_something_older_is_refused_with_the_difference(self, api: TestClient, case: Case) -> None:
        api.put(case.path, json=case.first)
        api.put(case.path, json=case.second)
        answered = api.put(case.path, json=case.first, headers={"If-Match": '"1"'})
        told = answered.json()
        assert (answered.status_code, told["type"]) == (409, "urn:tocsin:problem:changed")
        assert (told["current_version"], told["errors"][0]["value"]) == (2, '"1"')
        assert told["difference"] == [{"field": case.field, "current": case.second[case.field], "yours": ""}]

    def test_a_change_of_what_never_was_is_refused(self, api: TestClient, case: Case) -> None:
        for tag in ('"1"', "*"):
            answered = api.put(case.path, json=case.first, headers={"If-Match": tag})
            assert (answered.status_code, "does not exist" in answered.json()["detail"]) == (409, True)

    def test_a_deletion_of_something_older_is_refused(self, api: TestClient, case: Case) -> None:
        api.put(case.path, json=case.first)
        assert api.delete(case.path, headers={"If-Match": '"2"'}).status_code == 409
        assert api.get(case.path).json()["version"] == 1

    def test_a_dry_run_of_a_creation_stores_nothing(self, api: TestClient, case: Case) -> None:
        answered = api.put(case.path, json=case.first, params={"dry_run": True})
        told = answered.json()
        assert (answered.status_code, told["dry_run"], told["operation"]) == (200, True, "create")
        assert "ETag" not in answered.headers
        assert told["result"]["version"] == 1
        assert api.get(case.path).status_code == 404

    def test_a_dry_run_of_a_replacement_tells_what_would_change(self, api: TestClient, case: Case) -> None:
        api.put(case.path, json=case.first)
        told = api.put(case.path, json=case.second, params={"dry_run": True}).json()
        assert told["operation"] == "replace"
        assert told["changes"] == [{"field": case.field, "before": "", "after": case.second[case.field]}]
        assert api.get(case.path).json()["version"] == 1

    def test_a_dry_run_of_the_same_tells_that_nothing_would_change(self, api: TestClient, case: Case) -> None:
        api.put(case.path, json=case.first)
        told = api.put(case.path, json=case.first, params={"dry_run": True}).json()
        assert (told["operation"], told["changes"]) == ("nothing", [])

    def test_a_dry_run_refuses_what_would_be_refused(self, api: TestClient, case: Case) -> None:
        answered = api.put(case.path, json={**case.first, "nonsense": 1}, params={"dry_run": True})
        assert answered.status_code == 422

    def test_the_author_of_a_change_is_recorded(self, api: TestClient, database: Database, case: Case) -> None:
        api.put(case.path, json=case.first)
        api.put(case.path, json=case.second)
        assert changes(database) == [("api", "insert"), ("api", "update")]


@pytest.mark.parametrize(("noun", "body"), [("rules", RULE), ("channels", CHANNEL), *OTHERS.items()])
def test_a_dry_run_of_a_deletion_tells_what_would_go(api: TestClient, noun: str, body: dict[str, object]) -> None:
    path = f"/api/v1/{noun}/one"
    api.put(path, json=body)
    answered = api.delete(path, params={"dry_run": True})
    told = answered.json()
    assert (answered.status_code, told["operation"], told["result"]) == (200, "delete", None)
    assert {change["after"] for change in told["changes"]} == {None}
    assert api.get(path).status_code == 200


@pytest.mark.parametrize(
    ("noun", "body"), [("rules", RULE), ("channels", CHANNEL), ("silences", SILENCE), *OTHERS.items()]
)
def test_a_dry_run_of_a_post_is_no_creation(api: TestClient, noun: str, body: dict[str, object]) -> None:
    count = len(api.get(f"/api/v1/{noun}").json()["items"])
    named = {"name": "new"} if noun in ("channels", "datasources", "time_intervals") else {}
    answered = api.post(f"/api/v1/{noun}", json={**body, **named}, params={"dry_run": True})
    assert (answered.status_code, answered.json()["operation"]) == (200, "create")
    assert len(api.get(f"/api/v1/{noun}").json()["items"]) == count


def test_a_dry_run_of_a_rule_tells_its_first_evaluation(api: TestClient) -> None:
    told = api.post("/api/v1/rules", json=RULE, params={"dry_run": True}).json()
    assert told["result"]["first_page_after"] == "6m30s"
    assert told["result"]["first_evaluation"]["sample_count"] == 0


def test_a_dry_run_that_is_neither_true_nor_false_is_refused(api: TestClient) -> None:
    answered = api.post("/api/v1/rules", json=RULE, params={"dry_run": "perhaps"})
    assert (answered.status_code, answered.json()["errors"][0]["field"]) == (422, "dry_run")


@dataclass(frozen=True)
class Overtaken:
    """A database where somebody else edits the rule `one` just before each write of ours begins, or inside of it."""

    database: Database
    inside: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    def read(self) -> AbstractContextManager[Connection]:
        return self.database.read()

    @contextmanager
    def write(self, author: str | None = None) -> Iterator[Connection]:
        if not self.inside:
            with self.database.write("somebody") as connection:
                connection.exec_driver_sql("UPDATE alert_rules SET severity = 'page' WHERE id = 'one'")
        with self.database.write(author) as connection:
            yield connection


def _write(engine: StandIn, database: object) -> Write:
    service: Any = Overtaking(engine, database)
    return Write(service=service, author="api", scope=Scope.ADMIN, dry_run=False, if_match=None)


@dataclass(frozen=True)
class Overtaking:
    """The engine over another database."""

    engine: StandIn
    database: object

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


def test_what_changed_between_reading_and_writing_is_not_overwritten(engine: StandIn, api: TestClient) -> None:
    api.put("/api/v1/rules/one", json=RULE)
    write = _write(engine, Overtaken(engine.database, inside=False))
    ours = Rule(id="one", name="Down", expr="up == 0", limit=3)
    edit = edits.plan(write, RULES, "one", lambda *_: (ours, ()))
    with pytest.raises(ApiProblem) as refused:
        edits.commit(write, edit)
    assert refused.value.more["difference"] == [
        {"field": "severity", "current": "page", "yours": ""},
        {"field": "limit", "current": 0, "yours": 3},
    ]
    assert api.get("/api/v1/rules/one").json()["severity"] == "page"


def test_what_was_deleted_and_made_anew_meanwhile_is_not_overwritten(engine: StandIn, api: TestClient) -> None:
    api.put("/api/v1/rules/one", json=RULE)
    write = _write(engine, engine.database)
    ours = Rule(id="one", name="Down", expr="up == 0", limit=3)
    edit = edits.plan(write, RULES, "one", lambda *_: (ours, ()))
    api.delete("/api/v1/rules/one")
    assert api.put("/api/v1/rules/one", json={**RULE, "severity": "page"}).json()["version"] == 1
    with pytest.raises(ApiProblem) as refused:
        edits.commit(write, edit)
    assert refused.value.name == "changed"
    assert api.get("/api/v1/rules/one").json()["severity"] == "page"


def test_what_changed_inside_of_the_write_undoes_it(engine: StandIn, api: TestClient) -> None:
    api.put("/api/v1/rules/one", json=RULE)

    def put(connection: Connection, rule: Rule) -> Rule:
        connection.exec_driver_sql("UPDATE alert_rules SET severity = 'page' WHERE id = 'one'")
        return store.put(connection, rule)

    noun = edits.Noun(word="rule", get=store.get, put=put, delete=store.delete, document=RULES.document)
    write = _write(engine, engine.database)
    edit = edits.plan(write, noun, "one", lambda *_: (Rule(id="one", name="Down", expr="up == 0", limit=3), ()))
    with pytest.raises(ApiProblem) as refused:
        edits.commit(write, edit)
    assert refused.value.name == "changed"
    assert api.get("/api/v1/rules/one").json()["version"] == 1


def test_what_was_created_twice_at_once_is_refused(engine: StandIn, api: TestClient) -> None:
    write = _write(engine, engine.database)
    edit = edits.plan(write, RULES, "one", lambda *_: (Rule(id="one", name="Down", expr="up == 0", limit=3), ()))
    api.put("/api/v1/rules/one", json=RULE)
    with pytest.raises(ApiProblem):
        edits.commit(write, edit)
    assert api.get("/api/v1/rules/one").json()["limit"] == 0


def test_an_answer_outside_of_a_dry_run_is_the_noun_itself(engine: StandIn) -> None:
    write = _write(engine, engine.database)
    edit = edits.plan(write, RULES, "one", lambda *_: (Rule(id="one", name="Down", expr="up == 0"), ()))
    told, response = Output(), Response()
    assert edits.answer(write, edit, response, told, 1) is told
    assert (response.status_code, response.headers["ETag"]) == (201, '"1"')
