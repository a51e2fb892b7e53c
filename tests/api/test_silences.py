"""Silences by REST: what is asked for, what it covers now, and its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from engine.core.alert import State
from engine.store import silences as store
from engine.store.database import Database
from rules.matchers import Matcher, Operator
from rules.silences import Silence
from tests.api.stand_in import NOON, alert, store_alerts

QUIET: dict[str, Any] = {"matchers": '{team="db"}', "duration": "2h", "comment": "upgrade"}
HOUR = timedelta(hours=1)
SILENCES = "/api/v1/silences"


def put(api: TestClient, silence_id: str = "s1", **changes: object) -> Any:
    answered = api.put(f"/api/v1/silences/{silence_id}", json={**QUIET, **changes})
    assert answered.status_code in {200, 201}, answered.text
    return answered.json()


def stored(database: Database, silence_id: str = "s1") -> Silence:
    with database.read() as connection:
        found = store.get(connection, silence_id)
    assert found is not None
    return found


def keep(database: Database, silence_id: str, starts: timedelta, ends: timedelta) -> None:
    matchers = (Matcher("team", Operator.EQUAL, "db"),)
    with database.write() as connection:
        store.put(connection, Silence(id=silence_id, matchers=matchers, starts_at=NOON + starts, ends_at=NOON + ends))


def test_a_silence_is_stored_as_it_was_asked_for(api: TestClient, database: Database) -> None:
    answered = api.post("/api/v1/silences", json={**QUIET, "team": "sre"})
    assert answered.status_code == 201
    silence_id = answered.json()["id"]
    assert stored(database, silence_id) == Silence(
        id=silence_id,
        matchers=(Matcher("team", Operator.EQUAL, "db"),),
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=2),
        created_by="api",
        comment="upgrade",
        team="sre",
        origin="api",
    )


@pytest.mark.parametrize(
    "matchers",
    [
        pytest.param('{team="db", host!~"a|b"}', id="text"),
        pytest.param('team="db",host!~"a|b"', id="text without braces"),
        pytest.param([{"name": "team", "value": "db"}, {"name": "host", "value": "a|b", "operator": "!~"}], id="list"),
        pytest.param(['team="db"', 'host!~"a|b"'], id="list of texts"),
        pytest.param([{"name": "team", "value": "db"}, "host!~a|b"], id="list of both"),
    ],
)
def test_matchers_are_told_as_a_list_however_they_came(api: TestClient, matchers: object) -> None:
    assert put(api, matchers=matchers)["matchers"] == [
        {"name": "team", "value": "db", "operator": "="},
        {"name": "host", "value": "a|b", "operator": "!~"},
    ]


def test_a_silence_tells_what_it_covers_and_what_it_does_not_do(api: TestClient, database: Database) -> None:
    store_alerts(
        database,
        alert("r1", team="db", host="a"),
        alert("r1", State.PENDING, team="db", host="b"),
        alert("r1", State.INACTIVE, team="db", host="c"),
        alert("r1", team="web"),
    )
    told = put(api)
    assert (told["state"], told["matched_alerts"]) == ("active", 2)
    assert "does not close an incident that is already open" in told["note"]
    assert api.get("/api/v1/silences/s1").json() == told


@pytest.mark.parametrize(
    ("starts", "ends", "state", "matched"),
    [
        pytest.param(HOUR, 2 * HOUR, "pending", 1, id="to come"),
        pytest.param(-HOUR, HOUR, "active", 1, id="in force"),
        pytest.param(-2 * HOUR, -HOUR, "expired", 0, id="over"),
    ],
)
def test_what_is_covered_hangs_on_the_state(
    api: TestClient, database: Database, *, starts: timedelta, ends: timedelta, state: str, matched: int
) -> None:
    store_alerts(database, alert("r1", team="db"))
    keep(database, "s1", starts, ends)
    (told,) = api.get("/api/v1/silences").json()["items"]
    assert (told["state"], told["matched_alerts"]) == (state, matched)


def test_a_silence_can_begin_later_and_end_at_an_instant(api: TestClient) -> None:
    told = put(api, starts_at="2026-11-21T15:00:00+02:00", ends_at="2026-11-21T14:30:00Z", duration=None)
    assert (told["starts_at"], told["ends_at"]) == ("2026-11-21T13:00:00Z", "2026-11-21T14:30:00Z")
    assert told["state"] == "pending"


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        pytest.param({"duration": None}, "ends_at", "give the end once", id="no end"),
        pytest.param({"ends_at": "2026-11-22T00:00:00Z"}, "ends_at", "give the end once", id="two ends"),
        pytest.param({"duration": "0s"}, "ends_at", "is past", id="no length"),
        pytest.param({"duration": 7200}, "duration", "as text", id="bare number"),
        pytest.param({"starts_at": "2026-11-21T09:00:00Z"}, "ends_at", "is past", id="over already"),
        pytest.param(
            {"starts_at": "2026-11-23T00:00:00Z", "ends_at": "2026-11-22T00:00:00Z", "duration": None},
            "ends_at",
            "is not after",
            id="ends before it begins",
        ),
        pytest.param({"starts_at": "2026-11-21T12:00:00"}, "starts_at", "has no zone", id="no zone"),
        pytest.param({"starts_at": "tomorrow"}, "starts_at", "no RFC 3339 time", id="no time"),
        pytest.param({"starts_at": 1700000000}, "starts_at", "RFC 3339 time as text", id="time as a number"),
        pytest.param({"starts_at": "9999-12-31T23:59:59-14:00"}, "starts_at", "2999", id="beyond all calendars"),
        pytest.param({"matchers": []}, "matchers", "at least one matcher", id="no matcher"),
        pytest.param({"matchers": 'team=~".*"'}, "matchers", "nearly everything", id="hides everything"),
        pytest.param({"matchers": "team"}, "matchers", "operator", id="no matcher text"),
        pytest.param({"matchers": 'team=~"("'}, "matchers", "team", id="no regex"),
        pytest.param({"matchers": [{"name": "a", "value": "(", "operator": "=~"}]}, "matchers.0", "a", id="no regex 2"),
        pytest.param({"id": "s2"}, "id", "never changes", id="another id"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(
    api: TestClient, changes: dict[str, object], field: str, message: str
) -> None:
    answered = api.put("/api/v1/silences/s1", json={**QUIET, **changes})
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, field)
    assert message in error["message"]
    assert api.get("/api/v1/silences/s1").status_code == 404


def test_a_misspelt_field_of_a_matcher_is_told_where_it_stands(api: TestClient) -> None:
    answered = api.post("/api/v1/silences", json={**QUIET, "matchers": [{"nam": "team", "value": "db"}]})
    told = {error["field"]: error.get("fix") for error in answered.json()["errors"]}
    assert told == {"matchers.0.name": None, "matchers.0.nam": "did you mean 'name'?"}


def test_a_replaced_silence_keeps_its_beginning_and_its_maker(api: TestClient, database: Database) -> None:
    keep(database, "s1", -HOUR, HOUR)
    told = put(api, created_by="", duration=None, ends_at="2026-11-21T18:00:00Z")
    assert (told["starts_at"], told["ends_at"]) == ("2026-11-21T11:00:00Z", "2026-11-21T18:00:00Z")
    assert (told["version"], told["origin"], told["created_by"]) == (2, "sql", "")


def test_what_was_answered_can_be_sent_back(api: TestClient) -> None:
    told = put(api)
    assert api.put("/api/v1/silences/s1", json=told).json()["version"] == 1


def test_deleting_ends_a_silence_now_and_keeps_it_on_record(api: TestClient, database: Database) -> None:
    keep(database, "s1", -HOUR, HOUR)
    answered = api.delete("/api/v1/silences/s1")
    assert (answered.status_code, answered.json()["state"]) == (200, "expired")
    ended = stored(database)
    assert (ended.starts_at, NOON - ended.ends_at) == (NOON - HOUR, timedelta(microseconds=1))


@pytest.mark.parametrize("starts", [timedelta(0), HOUR], ids=["just begun", "to come"])
def test_a_silence_that_has_hardly_begun_can_be_ended_too(
    api: TestClient, database: Database, starts: timedelta
) -> None:
    keep(database, "s1", starts, 2 * HOUR)
    assert api.delete("/api/v1/silences/s1").json()["state"] == "expired"


def test_a_silence_that_is_over_is_left_as_it_is(api: TestClient, database: Database) -> None:
    keep(database, "s1", -2 * HOUR, -HOUR)
    told = api.delete("/api/v1/silences/s1").json()
    assert (told["ends_at"], told["version"]) == ("2026-11-21T11:00:00Z", 1)


def test_silences_are_listed_page_by_page(api: TestClient) -> None:
    for number in range(3):
        put(api, f"s{number}")
    first = api.get("/api/v1/silences", params={"limit": 2}).json()
    rest = api.get("/api/v1/silences", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [[one["id"] for one in told["items"]] for told in (first, rest)] == [["s0", "s1"], ["s2"]]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_silence_is_not_found(api: TestClient, method: str) -> None:
    assert api.request(method, "/api/v1/silences/none").json()["detail"] == "there is no silence 'none'"


@pytest.mark.parametrize("state", ["pending", "active", "expired"])
def test_silences_are_found_by_their_state(api: TestClient, database: Database, state: str) -> None:
    keep(database, "pending", HOUR, 2 * HOUR)
    keep(database, "active", -HOUR, HOUR)
    keep(database, "expired", -2 * HOUR, -HOUR)
    keep(database, "active-at-its-end", -HOUR, timedelta(0))
    told = api.get("/api/v1/silences", params={"state": state}).json()["items"]
    assert {one["state"] for one in told} == {state}
    assert [one["id"] for one in told] == [name for name in ("active", "active-at-its-end") if state == "active"] or [
        state
    ]


def preview(api: TestClient, **body: object) -> Any:
    answered = api.post("/api/v1/silences/preview", json=body)
    assert answered.status_code == 200, answered.text
    return answered.json()


def test_a_preview_tells_what_a_silence_would_cover_and_stores_nothing(api: TestClient, database: Database) -> None:
    others = [alert("r2", team="web", host=str(number)) for number in range(2)]
    store_alerts(database, alert("r1", team="db"), alert("r1", State.INACTIVE, team="db", host="b"), *others)
    told = preview(api, matchers='team="db"')
    assert (told["matched_alerts"], told["active_alerts"], told["warning"]) == (1, 3, None)
    assert [one["labels"]["team"] for one in told["alerts"]] == ["db"]
    assert api.get("/api/v1/silences").json()["items"] == []


def test_a_preview_warns_of_a_silence_over_more_than_half_of_all_alerts(api: TestClient, database: Database) -> None:
    store_alerts(database, *(alert("r1", team="db", host=str(number)) for number in range(120)))
    told = preview(api, **QUIET)
    assert (told["matched_alerts"], len(told["alerts"])) == (120, 100)
    assert told["warning"].startswith("this covers 120 of 120 active alerts, more than half of all")


def test_a_preview_of_a_silence_over_nothing_warns_of_nothing(api: TestClient) -> None:
    assert preview(api, matchers='team="db"')["warning"] is None


def test_a_preview_of_what_would_hide_everything_is_refused(api: TestClient) -> None:
    answered = api.post("/api/v1/silences/preview", json={"matchers": 'team=~".*"'})
    (error,) = answered.json()["errors"]
    assert (answered.status_code, error["field"]) == (422, "matchers")


def edited(api: TestClient, key: str, **changes: Any) -> Any:
    standing = api.get(f"{SILENCES}/{key}").json()
    return api.put(f"{SILENCES}/{key}", json={**standing, **changes})


def test_an_edit_that_hides_the_same_keeps_the_id(api: TestClient) -> None:
    made = api.post(SILENCES, json={"matchers": "team=db", "duration": "1h"}).json()
    answered = edited(api, made["id"], ends_at="2099-01-01T00:00:00Z", comment="longer")
    assert (answered.status_code, answered.json()["id"], answered.json()["replaces"]) == (200, made["id"], None)


def test_an_edit_that_hides_something_else_ends_the_silence_and_makes_a_new_one(api: TestClient) -> None:
    made = api.post(SILENCES, json={"matchers": "team=db", "duration": "1h"}).json()
    answered = edited(api, made["id"], matchers="team=web")
    told = answered.json()
    assert (answered.status_code, told["replaces"], told["state"]) == (201, made["id"], "active")
    assert told["id"] != made["id"]
    assert api.get(f"{SILENCES}/{made['id']}").json()["state"] == "expired"


def at(span: timedelta) -> str:
    return (NOON + span).isoformat().replace("+00:00", "Z")


def test_a_silence_that_an_edit_makes_anew_begins_now_and_lasts_from_then_on(
    api: TestClient, database: Database
) -> None:
    keep(database, "s1", -HOUR, HOUR)
    longer = put(api, "s1", matchers="team=db", duration="3h")
    assert (longer["replaces"], longer["starts_at"], longer["ends_at"]) == (None, at(-HOUR), at(2 * HOUR))
    other = put(api, "s1", matchers="team=web", duration="2h")
    assert (other["replaces"], other["starts_at"], other["ends_at"]) == ("s1", at(0 * HOUR), at(2 * HOUR))


def test_a_new_silence_does_not_begin_in_the_past(api: TestClient) -> None:
    made = put(api, duration=None, starts_at=at(-HOUR), ends_at=at(HOUR))
    assert (made["starts_at"], made["ends_at"]) == (at(0 * HOUR), at(HOUR))


def test_a_silence_that_is_over_is_never_the_same_again(api: TestClient) -> None:
    made = api.post(SILENCES, json={"matchers": "team=db", "duration": "1h"}).json()
    api.delete(f"{SILENCES}/{made['id']}")
    answered = api.post(SILENCES, json={"id": made["id"], "matchers": "team=db", "duration": "2h"})
    assert (answered.status_code, answered.json()["replaces"]) == (201, made["id"])
    assert [one["state"] for one in api.get(SILENCES, params={"state": "active"}).json()["items"]] == ["active"]


def test_a_post_with_the_id_of_a_silence_edits_it(api: TestClient) -> None:
    made = api.post(SILENCES, json={"matchers": "team=db", "duration": "1h"}).json()
    again = {"id": made["id"], "matchers": "team=db", "starts_at": made["starts_at"], "duration": "3h"}
    answered = api.post(SILENCES, json=again)
    assert (answered.status_code, answered.json()["id"]) == (200, made["id"])


def test_what_would_hide_nearly_everything_needs_force(api: TestClient) -> None:
    wide = {"matchers": 'alertname=~".+",team!="db"', "duration": "1h"}
    refused = api.post(SILENCES, json=wide)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "matchers")
    assert "set force" in refused.json()["detail"] + str(refused.json()["errors"])
    assert api.post(SILENCES, json={**wide, "force": True}).status_code == 201


def test_a_silence_names_time_intervals_there_are(api: TestClient) -> None:
    wish = {"matchers": "team=db", "duration": "1h", "time_intervals": ["nights"]}
    refused = api.post(SILENCES, json=wish)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "time_intervals")
    api.put("/api/v1/time_intervals/nights", json={"time_intervals": [{"years": ["1999"]}]})
    made = api.post(SILENCES, json=wish)
    assert (made.status_code, made.json()["state"]) == (201, "pending")
    assert [one["id"] for one in api.get(SILENCES, params={"state": "pending"}).json()["items"]] == [made.json()["id"]]
    kept = api.delete("/api/v1/time_intervals/nights")
    assert (kept.status_code, made.json()["id"] in kept.text) == (409, True)


def test_a_silence_that_waits_for_alerts_needs_some(api: TestClient) -> None:
    refused = api.post(SILENCES, json={"matchers": "team=nobody", "until_resolved": True})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "until_resolved")
