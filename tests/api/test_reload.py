"""`POST /-/reload`: what it says of what was different, and of what kept the files from being loaded."""

from __future__ import annotations

from dataclasses import replace

from fastapi.testclient import TestClient

from api.app import create_app
from engine.core.importing import Reason, Why
from engine.importing import ImportRefusedError
from engine.reloading import Reloaded
from rules.formats.prometheus_yaml import parse
from tests.api.stand_in import StandIn


def asked(engine: StandIn, query: str = "") -> tuple[int, dict[str, object]]:
    answer = TestClient(create_app(engine)).post(f"/-/reload{query}")
    return answer.status_code, answer.json()


def test_what_is_different_is_counted(engine: StandIn) -> None:
    found = replace(engine, reloaded=Reloaded(added=1, unchanged=3, warnings=("f.yml:1:2: warning: x",)))
    status, told = asked(found)
    assert (status, told) == (
        200,
        {"added": 1, "changed": 0, "removed": 0, "unchanged": 3, "warnings": ["f.yml:1:2: warning: x"]},
    )
    assert found.reloads == [False]


def test_every_mistake_is_told_and_the_answer_is_500(engine: StandIn) -> None:
    flaws = parse("groups: [{name: g, rules: [{alert: a, for: x}]}]", "f.yml").flaws
    refused = ImportRefusedError("the rule files have mistakes, so nothing was changed", flaws=flaws)
    status, told = asked(replace(engine, reloaded=refused))
    assert (status, told["type"], told["detail"]) == (500, "urn:tocsin:problem:not-reloaded", refused.message)
    assert told["errors"] == [{"field": flaw.problem.field, "message": str(flaw)} for flaw in flaws]


def test_what_would_remove_too_much_has_to_be_forced(engine: StandIn) -> None:
    refused = ImportRefusedError("too much", reasons=(Reason(why=Why.MANY, message="7 of 60"),))
    found = replace(engine, reloaded=refused)
    status, told = asked(found, "?force=true")
    fix = "POST /-/reload?force=true if that is meant"
    assert (status, told["errors"]) == (500, [{"field": "", "message": "7 of 60", "fix": fix}])
    assert found.reloads == [True]
