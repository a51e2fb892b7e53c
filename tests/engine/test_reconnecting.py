"""A datasource is connected once, and anew when anything about it is different, its version or not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.clock import SystemClock
from engine.prometheus import Answer
from engine.querying import Client, Querying
from engine.telemetry import Metrics
from rules.datasource import Datasource
from rules.rule import Rule

RULE = Rule(id="r", name="n", expr="up == 0")
BEFORE = Datasource(name="default", urls=("http://a",), version=1)


class Quiet:
    """It answers that there is nothing."""

    def query(self, expr: str, at: datetime) -> Answer:
        return Answer(samples=(), warnings=(), infos=(), histograms_dropped=0)

    def check(self) -> None:
        """It is there."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("after", "connected"),
    [
        pytest.param(replace(BEFORE), [BEFORE], id="the same"),
        pytest.param(replace(BEFORE, version=2), [BEFORE, replace(BEFORE, version=2)], id="another version"),
        pytest.param(
            replace(BEFORE, urls=("http://b",)),
            [BEFORE, replace(BEFORE, urls=("http://b",))],
            id="a row replaced in a shell, which begins at version 1 again",
        ),
    ],
)
def test_a_datasource_is_connected_anew_when_it_is_different(after: Datasource, connected: list[Datasource]) -> None:
    seen: list[Datasource] = []

    def connect(datasource: Datasource) -> tuple[Client, ...]:
        seen.append(datasource)
        return (Quiet(),)

    querying = Querying(
        connect,
        executor=ThreadPoolExecutor,
        workers=1,
        clock=SystemClock(),
        metrics=Metrics(),
    )
    for datasource in (BEFORE, after):
        querying.ask(datasource, {"r": RULE}, datetime.now(UTC), unseen=frozenset())
    querying.close()
    assert seen == connected
