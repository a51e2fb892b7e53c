"""Rows that cannot be: typed by SQL into a running engine, told of in words wherever people look, and no harm to the others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.demo.stage import neutral
from tests.api.commands.asking import tocsin
from tests.peers.engine_process import EngineProcess
from tests.peers.processes import wait_until
from tests.peers.surroundings import SOON, Outside

pytestmark = pytest.mark.peer("prometheus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One statement, what is said of it, and the statement that mends it; `path` and `noun` are where its table is listed."""

    path: str
    noun: str
    statement: str
    said: str
    mended: str


SILENCE: Final = "INSERT INTO silences (id, matchers, ends_at) VALUES ('s', '[\"{}\"]', '2099-01-01T00:00:00Z')"
BADS: Final = {
    "a route's matcher": Bad(
        path="routes",
        noun="routes",
        statement="UPDATE routes SET matchers = '[\"team=~(\"]' WHERE id = 'db'",
        said="routes 'db': matchers: matcher 'team': bad regex '(': missing ): (",
        mended="UPDATE routes SET matchers = '[\"team=db\"]' WHERE id = 'db'",
    ),
    "a circle": Bad(
        path="routes",
        noun="routes",
        statement="UPDATE routes SET parent_id = 'below' WHERE id = 'db'",
        said="routes: no alert reaches the routes below, db: their parents go round in a circle, not up to 'root';"
        " give one of them another parent_id, such as 'root'; the previous tree stays in force",
        mended="UPDATE routes SET parent_id = 'root' WHERE id = 'db'",
    ),
    "a channel": Bad(
        path="routes",
        noun="routes",
        statement="UPDATE routes SET channels = '[\"hok\"]' WHERE id = 'below'",
        said="routes 'below': channels names the channel 'hok', which does not exist; declare it, or name another",
        mended="UPDATE routes SET channels = '[\"log\"]' WHERE id = 'below'",
    ),
    "an inhibit rule's matcher": Bad(
        path="inhibit_rules",
        noun="inhibit-rules",
        statement="INSERT INTO inhibit_rules (id, source_matchers, target_matchers) VALUES ('i', '[\"team\"]', '[\"a=b\"]')",
        said="inhibit_rules 'i': source_matchers: 'team': at position 4: expected an operator: = != =~ !~",
        mended="DELETE FROM inhibit_rules",
    ),
    "a silence's matcher": Bad(
        path="silences",
        noun="silences",
        statement=SILENCE.format("a=~("),
        said="silences 's': matchers: matcher 'a': bad regex '(': missing ): (",
        mended="DELETE FROM silences",
    ),
    "a silence over nearly everything": Bad(
        path="silences",
        noun="silences",
        statement=SILENCE.format("a!=b"),
        said="silences 's': a!=\"b\" only leaves some alerts out, so it would silence nearly everything",
        mended="UPDATE silences SET force = true",
    ),
    "a time interval's hour": Bad(
        path="time_intervals",
        noun="time-intervals",
        statement="INSERT INTO time_intervals (name, time_intervals) VALUES"
        ' (\'n\', \'[{"times": [{"start_time": "25:00", "end_time": "26:00"}]}]\')',
        said="time_intervals 'n': time_intervals.0: start_time '25:00' is no time of day; write HH:MM in quotes",
        mended="DELETE FROM time_intervals",
    ),
}


@pytest.fixture
def engine(outside: Outside) -> Iterator[EngineProcess]:
    with outside.engine_knowing_nobody() as engine:
        outside.sql(
            "INSERT INTO routes (id, parent_id, matchers, channels) VALUES ('db', 'root', '[\"team=db\"]', '[\"log\"]')",
            "INSERT INTO routes (id, parent_id, matchers, channels) VALUES ('below', 'db', '[\"env=prod\"]', '[\"log\"]')",
        )
        wait_until(lambda: way(engine) == ["below"], what="the routes to be in force", within=SOON)
        yield engine


def way(engine: EngineProcess) -> list[str]:
    """The routes that an alert of the databases takes, by the tree in force."""
    status, told = engine.post("/api/v1/routes/test", {"labels": {"team": "db", "env": "prod"}})
    assert status == 200, told
    return [policy["route_id"] for policy in told["policies"]]


def problems(engine: EngineProcess, path: str) -> list[str]:
    status, told = engine.get(f"/api/v1/{path}")
    assert status == 200, told
    return list(told["problems"])


def wait_for(engine: EngineProcess, path: str, count: int) -> None:
    """Returns once the list there tells of so many problems."""
    wait_until(lambda: len(problems(engine, path)) == count, what=f"{count} problems of {path}", within=SOON)


def logged(engine: EngineProcess, event: str) -> list[str]:
    lines: list[dict[str, Any]] = [json.loads(line) for line in engine.log.splitlines() if line.startswith("{")]
    return [line["problem"] for line in lines if line["event"] == event]


def test_each_is_told_of_everywhere_and_the_configuration_in_force_stays(
    engine: EngineProcess, outside: Outside
) -> None:
    for bad in BADS.values():
        outside.sql(bad.statement)
        wait_for(engine, bad.path, 1)
        (said,) = problems(engine, bad.path)
        assert said.startswith(bad.said)
        assert way(engine) == ["below"]
        listed = tocsin(bad.noun, "list", url=engine.url)
        assert (listed.status, f"warning: {said}" in listed.err.splitlines()) == (0, True)
        environment: dict[str, str | None] = {
            **dict.fromkeys(os.environ.keys() - neutral(os.environ).keys()),
            "TOCSIN_DATABASE_URL": outside.database_url,
            "TOCSIN_PROMETHEUS_URL": outside.watched.prometheus.url,
        }
        examined = CliRunner(env=environment).invoke(app, ["doctor"]).stdout
        assert f"note  {said}" in examined.splitlines()
        assert logged(engine, "a definition is not in force as it stands")[-1] == said
        outside.sql(bad.mended)
        wait_for(engine, bad.path, 0)
        assert logged(engine, "a definition is mended")[-1] == said
    assert way(engine) == ["below"]


def test_the_command_that_tries_a_route_warns_that_the_tree_is_another_than_declared(
    engine: EngineProcess, outside: Outside
) -> None:
    circle = BADS["a circle"]
    outside.sql(circle.statement)
    wait_for(engine, "routes", 1)
    for arguments in (("test", "team=db", "env=prod"), ("show",)):
        told = tocsin("routes", *arguments, url=engine.url)
        assert told.status == 0
        assert told.err.startswith(f"warning: {circle.said}")
