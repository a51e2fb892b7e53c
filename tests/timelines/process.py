"""The stage that is Tocsin as a process of its own, on SQLite or PostgreSQL."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from engine.clock import SystemClock
from engine.store.database import connect
from tests.peers.engine_process import EngineProcess
from tests.timelines.generating import RESOLVE_TIMEOUT
from tests.timelines.language import Scenario
from tests.timelines.observing import Observation, RealTime, seen, staggered, write_zones
from tests.timelines.on_tocsin import OnTocsin
from tests.timelines.playing import play
from tests.timelines.receiving import Hooks
from tests.timelines.zones import zone_environment

LEAD: Final = 3
"""Seconds from rows that are all but written to the beginning: time for the engine to read them."""


def on_sqlite(scenarios: Sequence[Scenario], folder: Path, second: timedelta) -> Observation:
    """On an engine of their own with a file in `folder`."""
    return on_process(scenarios, folder, second, f"sqlite:///{folder}/tocsin.db")


def on_process(scenarios: Sequence[Scenario], folder: Path, second: timedelta, database_url: str) -> Observation:
    """On an engine of their own with this database, empty before."""
    clock = RealTime(second)
    environment = {
        "TOCSIN_DATABASE_URL": database_url,
        "TOCSIN_NODE": "here",
        "TOCSIN_RESOLVE_TIMEOUT": f"{RESOLVE_TIMEOUT * second.total_seconds():g}s",
        **zone_environment(folder),
    }
    with Hooks(clock.now) as hooks, EngineProcess(environment, folder=folder) as engine:
        hooks.behave(scenarios)
        with closing(connect(database_url, SystemClock())) as database:
            setting = staggered(clock, scenarios, hooks)
            stage = OnTocsin(ask=_asking(engine), write=database.write, again=lambda: _again(engine), setting=setting)
            stage.prepare()
            timed = [scenario for scenario in scenarios if scenario.configuration.time_intervals]
            stage.configure({one: one.configuration for one in scenarios if one not in timed})
            # Whoever has read a zone's file never looks at it again, so these come last.
            clock.begin_in(LEAD)
            stage.setting = setting = staggered(clock, scenarios, hooks)
            write_zones(folder, scenarios, setting)
            stage.configure({one: one.configuration for one in timed})
            play(stage, scenarios, setting, until=clock.until, now=lambda: datetime.now(UTC))
    return seen(scenarios, setting, hooks.inbox)


def _again(engine: EngineProcess) -> None:
    engine.stop()
    engine.start()


def _asking(engine: EngineProcess) -> Any:
    def ask(method: str, path: str, content: Any) -> Any:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{engine.url}{path}", data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                found = answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                refusal.add_note(f"{method} {path}: {refusal.read().decode()}")
            raise
        return json.loads(found) if found else None

    return ask
