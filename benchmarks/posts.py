"""`python -m benchmarks posts`: what posted alerts cost, Tocsin beside a real Alertmanager, in about three minutes.

Both are told the same, one after the other in turns, on one machine; CPU seconds are the kernel's count for each process.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from benchmarks.cpu import usage
from tests.peers.alertmanager_server import AlertmanagerServer
from tests.peers.engine_process import EngineProcess

HEADING: Final = "Posted alerts"
BATCHES: Final = (64, 256)
"""Alerts in one post: what Prometheus 2 sends at most, and what Prometheus 3 does."""
FIRST: Final = 1000
"""Alerts in one post while many are made."""
LISTINGS: Final = 5
KEY: Final = "0123456789abcdef0123456789abcdef"
PAGES: Final = 50
CONFIGURATION: Final = {
    "route": {
        "receiver": "ops",
        "group_by": ["alertname", "cluster"],
        "group_wait": "1h",
        "routes": [{"matchers": ['severity="info"'], "receiver": "info"}],
    },
    "receivers": [{"name": "ops"}, {"name": "info"}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One system's measurement. Posts are in CPU microseconds per alert, by the size of a batch; the others in wall seconds.

    `page` is `None` where there are no pages.
    """

    system: str
    first: float
    again: dict[int, list[float]]
    listing: list[float]
    listing_cpu: list[float]
    page: list[float] | None


_HEADERS: Final = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}


class Target:
    """One of the two, spoken to over one connection as Prometheus does it."""

    def __init__(self, system: str, url: str, pid: int, prefix: str = "") -> None:
        self.system, self.pid, self.prefix = system, pid, prefix
        self.begun = _text(datetime.now(UTC))
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)

    def post(self, body: bytes) -> None:
        self._ask("POST", "/api/v2/alerts", body)

    def get(self, path: str) -> bytes:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            self._connection.request(method, f"{self.prefix}{path}", body, _HEADERS)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # The other one had its turn, and this connection was idle for too long.
            self._connection.close()
            self._connection.request(method, f"{self.prefix}{path}", body, _HEADERS)
            answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{self.system} answered {answer.status}: {said[:300]!r}")
        return said

    def cpu(self) -> float:
        return usage({"it": self.pid})["it"]


def measure(alerts: int, rounds: int, listed: int, folder: Path) -> list[Posted]:
    """Alertmanager's and Tocsin's."""
    url = f"sqlite:///{folder}/tocsin.db"
    environment = {"TOCSIN_DATABASE_URL": url, "TOCSIN_LOG_LEVEL": "error", "TOCSIN_API_KEYS": KEY}
    engine = EngineProcess(environment, folder=folder)
    with AlertmanagerServer(CONFIGURATION) as alertmanager, engine:
        _route(engine)
        targets = (
            Target("Alertmanager", alertmanager.url, alertmanager.pid),
            Target("Tocsin", engine.url, engine.pid, "/alertmanager"),
        )
        firsts = {one.system: _posted(one, range(alerts), FIRST) for one in targets}
        again: dict[str, dict[int, list[float]]] = {one.system: {size: [] for size in BATCHES} for one in targets}
        for _ in range(rounds):
            for size in BATCHES:
                for one in targets:
                    again[one.system][size].append(_posted(one, range(alerts), size))
        for one in targets:
            _posted(one, range(alerts, listed), FIRST)
        return [_measured(one, firsts[one.system], again[one.system], listed) for one in targets]


def _route(engine: EngineProcess) -> None:
    """The tree of CONFIGURATION."""
    engine.put("/api/v1/routes/root", {"receiver": "ops", "group_by": ["alertname", "cluster"], "group_wait": "1h"})
    engine.put("/api/v1/routes/info", {"parent_id": "root", "receiver": "info", "matchers": ['severity="info"']})


def _measured(target: Target, first: float, again: dict[int, list[float]], listed: int) -> Posted:
    listing, cpu = [], []
    for _ in range(LISTINGS):
        used, begun = target.cpu(), time.perf_counter()
        found = target.get("/api/v2/alerts")
        listing.append(time.perf_counter() - begun)
        cpu.append(target.cpu() - used)
        # Tocsin has alerts of its own too: the datasource it would ask is not there.
        count = sum(1 for one in json.loads(found) if one["labels"].get("job") == "node")
        if count != listed:
            raise RuntimeError(f"{target.system} listed {count} alerts of {listed}")
    pages = None if target.system == "Alertmanager" else list(_pages(target))
    return Posted(system=target.system, first=first, again=again, listing=listing, listing_cpu=cpu, page=pages)


def _pages(target: Target) -> Iterator[float]:
    """Page after page of a hundred."""
    after = ""
    for _ in range(PAGES):
        begun = time.perf_counter()
        found = target.get(f"/api/v2/alerts?limit=100&after={after}")
        yield time.perf_counter() - begun
        after = json.loads(found)[-1]["fingerprint"]


def _posted(target: Target, numbers: range, size: int) -> float:
    """CPU microseconds per alert of posting these once, with an end that is later than before."""
    bodies = [body(numbers[start : start + size], target.begun) for start in range(0, len(numbers), size)]
    used = target.cpu()
    for one in bodies:
        target.post(one)
    return (target.cpu() - used) / len(numbers) * 1e6


def body(numbers: Sequence[int], starts_at: str) -> bytes:
    """A post of these alerts as Prometheus writes it, with an end an hour from now."""
    ends_at = _text(datetime.now(UTC) + timedelta(hours=1))
    return json.dumps([_alert(number, starts_at, ends_at) for number in numbers], separators=(",", ":")).encode()


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _alert(number: int, starts_at: str, ends_at: str) -> dict[str, object]:
    return {
        "annotations": {
            "description": f"The disk of node-{number:06} is full by tomorrow at the rate of the last six hours.",
            "summary": "disk nearly full",
        },
        "endsAt": ends_at,
        "startsAt": starts_at,
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=predict_linear%28node_filesystem_free%5B6h%5D%29&g0.tab=1",
        "labels": {
            "alertname": f"DiskFull{number % 50}",
            "cluster": f"eu-{number % 7}",
            "device": "/dev/sda1",
            "instance": f"node-{number:06}.example:9100",
            "job": "node",
            "severity": ("info", "warning", "critical")[number % 3],
            "team": "storage",
        },
    }


def table(found: Sequence[Posted]) -> str:
    """The measurement as a Markdown table, a column for each system: the median, and the best and the worst."""
    rows = [("a new alert, CPU µs", [f"{one.first:.0f}" for one in found])]
    rows += [
        (f"an unchanged alert, {size} in a post, CPU µs", [_spread(one.again[size], 1) for one in found])
        for size in BATCHES
    ]
    rows += [
        ("listing all, ms", [_spread(one.listing, 1000) for one in found]),
        ("listing all, CPU ms", [_spread(one.listing_cpu, 1000) for one in found]),
        ("a page of 100, ms", ["–" if one.page is None else _spread(one.page, 1000) for one in found]),
    ]
    head = [f"| | {' | '.join(one.system for one in found)} |", f"|---|{'---:|' * len(found)}"]
    return "\n".join([*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)])


def _spread(numbers: Sequence[float], scale: float) -> str:
    low, middle, high = min(numbers) * scale, median(numbers) * scale, max(numbers) * scale
    digits = 1 if middle < 100 else 0
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def section(
    found: Sequence[Posted], where: Sequence[str], command: str, *, alerts: int, rounds: int, listed: int
) -> str:
    """The section of the page, with its heading."""
    return SECTION.format(
        heading=HEADING,
        alerts=f"{alerts:,}",
        rounds=rounds,
        listed=f"{listed:,}",
        table=table(found),
        where="\n".join(f"- {line}" for line in where),
        command=command,
    )


SECTION: Final = """\
## {heading}

{alerts} alerts with seven labels and two annotations are posted once, and then {rounds} times over unchanged but for a later
end, as Prometheus does while they fire; in turns to a real Alertmanager, which keeps them in memory, and to Tocsin, which keeps
them in its database. CPU is that of the whole process (user and system, all threads), the engine's loops and its writing of the
new ends included. Then {listed} alerts are listed, all of them and by pages of a hundred. Shown is the middle of all
measurements, and in brackets the least and the most.

{table}

{where}
- Command: `{command}`
"""
