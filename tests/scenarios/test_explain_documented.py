"""docs/explain.md shows what `tocsin explain` says, to the letter, and names every verdict."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from api.app import create_app
from engine.core.storyline import Verdict
from engine.store.tables import channels, silences
from tests.api.commands.asking import answer, asked, serving, tocsin
from tests.architecture.sources import ROOT
from tests.scenarios.test_explaining import LABELS, declare
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import START, World

DOCUMENT = (ROOT / "docs/explain.md").read_text(encoding="utf-8")


def silenced(path: Path) -> Any:
    """What the API answers about an alert that was told, then silenced."""
    world = World(f"sqlite:///{path}/tocsin.db", {"TOCSIN_EVALUATION_INTERVAL": "10s"})
    declare(world, channels, name="hook", kind="webhook", url="http://127.0.0.1:1/hook")
    world.sql("UPDATE routes SET channels = '[\"hook\"]', group_wait_seconds = 5, group_interval_seconds = 30")
    rule(world, for_seconds=20)
    world.returns(BREACH, (HOST, 12))
    world.until(60)
    times = {"starts_at": START + timedelta(seconds=60), "ends_at": START + timedelta(hours=2)}
    declare(world, silences, id="known-issue", matchers=["alertname=Errors"], comment="being fixed", **times)
    world.until(120)
    # The engine answers this machine without a key as long as there is none.
    client = TestClient(create_app(world.service), client=("127.0.0.1", 1), base_url="http://127.0.0.1:9099")
    answered = client.post("/api/v1/explain", json={"labels": LABELS})
    world.service.stop()
    assert answered.status_code == 200, answered.text
    return answered.json()


def test_the_example_is_what_the_command_says(tmp_path: Path) -> None:
    with serving({"POST /explain": answer(silenced(tmp_path))}) as server:
        told = tocsin("explain", "Errors", "host=a", url=server.url)
    assert (told.status, asked(server)) == (0, ["POST /explain"])
    shown = re.search(r"```console\n\$ tocsin explain Errors host=a\n(.*?)```", DOCUMENT, re.DOTALL)
    assert shown is not None
    assert told.out == shown[1]


def test_every_verdict_is_documented() -> None:
    assert re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE) == [verdict.value for verdict in Verdict]
