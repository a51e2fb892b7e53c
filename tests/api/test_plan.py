"""How few queries answer the rules, by REST and on the command line."""

from __future__ import annotations

from dataclasses import replace

from fastapi.testclient import TestClient

from api.app import create_app
from engine.core.planning import Means
from engine.plans import PlannedQuery
from engine.store.database import Database
from tests.api.commands.asking import answer, serving, tocsin
from tests.api.stand_in import StandIn

UNIT = {"unit": "default/60s+0s@0s", "datasource": "default"}
WHERE = PlannedQuery(unit=UNIT["unit"], datasource=UNIT["datasource"], query="", means=Means.ALONE, rules=())
UNION = replace(WHERE, query='(m{s=~"a|b"}\n) > 1', means=Means.UNION, rules=("a", "b"), labels=("s",))
BATCHED = [
    replace(WHERE, query=name, means=Means.ALONE, rules=(name,), batch=1, why="nobody asks the same") for name in "xy"
]


def test_the_plan_is_answered_with_its_sums(database: Database) -> None:
    api = TestClient(create_app(StandIn(database=database, planned=[UNION, *BATCHED])))
    told = api.get("/api/v1/plan").json()
    assert (told["rules"], told["requests"]) == (4, 2)
    assert told["queries"][0] == {
        **UNIT,
        "query": '(m{s=~"a|b"}\n) > 1',
        "means": "union",
        "rules": ["a", "b"],
        "labels": ["s"],
        "batch": None,
        "why": "",
    }


def test_the_command_tells_who_shares_what_and_who_is_alone() -> None:
    many = {
        **UNIT,
        "query": "m > 1\n" * 60,
        "means": "share",
        "rules": [str(n) for n in range(10)],
        "labels": [],
        "batch": None,
    }
    alone = {
        **UNIT,
        "query": "n",
        "means": "alone",
        "rules": ["n"],
        "labels": [],
        "batch": 2,
        "why": "its `plan` is alone",
    }
    body = {"rules": 11, "requests": 2, "queries": [{**many, "why": ""}, alone]}
    with serving({"GET /plan": answer(body)}) as server:
        told = tocsin("plan", url=server.url)
        whole = tocsin("plan", "--whole", url=server.url)
    lines = told.out.splitlines()
    assert lines[0] == "11 rules are answered by 2 requests, 2 queries in all."
    assert lines[2] == "share  10 rules in default/60s+0s@0s"
    assert lines[3].endswith("…")
    assert lines[4].endswith("7 and 2 more")
    assert lines[6] == "alone  1 rule in default/60s+0s@0s, in batch 2"
    assert lines[-1] == "       alone: its `plan` is alone"
    assert "more" not in whole.out
    assert "…" not in whole.out
