"""Posted alerts and silences through Alertmanager's API on both databases, on the virtual clock; and why one was told."""

from __future__ import annotations

from datetime import timedelta

from fastapi.testclient import TestClient

from api.app import create_app
from tests.scenarios.world import START, World

V2 = "/alertmanager/api/v2"


def test_alerts_groups_and_silences_are_told_on_either_database(world: World) -> None:
    for instance in "abc":
        world.post({"alertname": "Down", "instance": instance}, start=0, end=600, summary="no answer")
    world.post({"alertname": "Slow", "job": "x"}, start=0, end=600)
    world.until(10)
    with TestClient(create_app(world.service)) as api:
        wish = {
            "matchers": [{"name": "instance", "value": "b|c", "isRegex": True}],
            "startsAt": START.isoformat(),
            "endsAt": (START + timedelta(hours=1)).isoformat(),
            "createdBy": "ana",
            "comment": "known",
        }
        silence_id = api.post(f"{V2}/silences", json=wish).json()["silenceID"]
        every = api.get(f"{V2}/alerts").json()
        assert {one["endsAt"] for one in every} == {"2026-01-01T00:10:00.000Z"}
        assert {one["labels"].get("instance"): one["status"]["silencedBy"] for one in every} == {
            None: [], "a": [], "b": [silence_id], "c": [silence_id],
        }  # fmt: skip
        pages = [api.get(f"{V2}/alerts?limit=3").json()]
        pages.append(api.get(f"{V2}/alerts?limit=3&after={pages[0][-1]['fingerprint']}").json())
        assert [len(page) for page in pages] == [3, 1]
        groups = api.get(f"{V2}/alerts/groups?silenced=false").json()
        assert [(group["labels"], len(group["alerts"])) for group in groups] == [
            ({"alertname": "Down"}, 1),
            ({"alertname": "Slow"}, 1),
        ]
        assert api.delete(f"{V2}/silence/{silence_id}").status_code == 200
        assert [one["status"]["state"] for one in api.get(f"{V2}/silences").json()] == ["expired"]
        assert api.get(f"{V2}/status").status_code == 200


def test_a_posted_alert_is_explained_in_its_own_words(world: World) -> None:
    world.post({"alertname": "Down"}, end=60)
    world.until(120)
    with TestClient(create_app(world.service)) as api:
        fingerprint = api.get("/api/v1/alerts?state=inactive").json()["items"][0]["fingerprint"]
        story = api.get(f"/api/v1/alerts/{fingerprint}/explain").json()
    said = [step["reason"] for step in story["steps"] if step["kind"] == "transition"]
    assert said == [
        "firing (posted): it was posted as firing",
        "firing → inactive (expired): nobody posted it again before its end",
    ]
    assert story["verdict"] == "resolved"
