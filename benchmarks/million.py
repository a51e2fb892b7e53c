"""`python -m benchmarks series`: what an answer of a million series costs Tocsin, in about three minutes.

A server on loopback answers as Prometheus does. Ten rules share the expression and want to know its quiet series too, so that
all of it comes back at every evaluation; what they find firing is known beforehand.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.cpu import usage
from tests.peers.engine_process import EngineProcess
from tests.peers.processes import wait_until
from tests.servers import Request, Response, ScriptedServer

HEADING: Final = "A million series"
RULES: Final = 10
STEP: Final = 100
"""The first rule fires for so many series, the second for twice as many, and so on."""
INTERVAL: Final = timedelta(seconds=20)
CYCLES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """CPU seconds of each cycle and the most memory in MB, for an answer of so many MB with so many series."""

    series: int
    megabytes: float
    firing: int
    seconds: Sequence[float]
    memory: float


def measure(series: int, folder: Path) -> Found:
    """Cycles of the same answer, from the second on."""
    body, nothing = _answer(series), _document([])

    def answer(request: Request) -> Response:
        asked = "m" in re.split(r"\W+", request.form.get("query", ""))
        return Response(body=body if asked else nothing, headers={"Content-Type": "application/json"})

    with ScriptedServer(answer) as server:
        environment = {
            "TOCSIN_DATABASE_URL": f"sqlite:///{folder}/tocsin.db",
            "TOCSIN_PROMETHEUS_URL": server.url,
            "TOCSIN_QUERY_MAX_BYTES": "1GiB",
            "TOCSIN_QUERY_TIMEOUT": "30s",
            "TOCSIN_LOG_LEVEL": "error",
            "TOCSIN_EVALUATION_INTERVAL": f"{INTERVAL.total_seconds():g}s",
            "TOCSIN_DELIVERY": "record",
        }
        with EngineProcess(environment, folder=folder) as engine:
            _insert(folder / "tocsin.db", series)
            firing = STEP * RULES * (RULES + 1) // 2
            wait_until(lambda: _firing(folder / "tocsin.db") == firing, what=f"{firing} alerts", within=6 * INTERVAL)
            time.sleep(INTERVAL.total_seconds())
            seconds = [_used(engine) for _ in range(CYCLES)]
            return Found(
                series=series, megabytes=len(body) / 1e6, firing=firing, seconds=seconds, memory=_peak(engine.pid)
            )


def table(found: Found) -> str:
    """The measurement as a Markdown table."""
    each = " ".join(f"{one:.2f}" for one in found.seconds)
    numbers = f"{found.series:,} | {found.megabytes:.0f} | {found.firing:,}"
    return "\n".join(
        [
            "| series | MB of the answer | alerts firing | CPU seconds of a cycle, median | each | most memory, MB |",
            "|---:|---:|---:|---:|---|---:|",
            f"| {numbers} | {median(found.seconds):.2f} | {each} | {found.memory:.0f} |",
        ]
    )


def _used(engine: EngineProcess) -> float:
    before = usage({"tocsin": engine.pid})["tocsin"]
    time.sleep(INTERVAL.total_seconds())
    return usage({"tocsin": engine.pid})["tocsin"] - before


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, "the kernel does not tell how much memory the process used"
    return int(found[1]) / 1000


def _answer(series: int) -> bytes:
    now = time.time()
    return _document(
        {
            "metric": {
                "__name__": "m",
                "instance": f"10.{number // 62_500}.{number // 250 % 250}.{number % 250}:9100",
                "job": "api",
            },
            "value": [now, str(number)],
        }
        for number in range(series)
    )


def _document(elements: object) -> bytes:
    result = list(elements) if not isinstance(elements, list) else elements  # type: ignore[call-overload]  # An iterator.
    document = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return json.dumps(document, separators=(",", ":")).encode()


def _insert(database: Path, series: int) -> None:
    rows = [(f"r{rule}", f"rule {rule}", series - STEP * (rule + 1) - 0.5) for rule in range(RULES)]
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.executemany(
            "INSERT INTO alert_rules (id, name, expr, condition, threshold, missing_series) VALUES (?, ?, 'm', '>', ?, 'keep')",
            rows,
        )


def _firing(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        return int(connection.execute("SELECT count(*) FROM alerts WHERE state = 'firing'").fetchone()[0])


SECTION: Final = f"""\
## {HEADING}

A server on this machine answers `m` with so many series, as Prometheus writes them. {RULES} rules with thresholds of their own
share that query, with `missing_series = keep`, so that all series come back at every evaluation, and each of them is
compared with every threshold. A cycle is {INTERVAL.seconds} seconds of the whole engine, all its other loops included, after
everything was found; the memory is the most the process ever held. So large an answer needs a larger
`TOCSIN_QUERY_MAX_BYTES`.

{{table}}

{{where}}
- Command: `{{command}}`
"""
