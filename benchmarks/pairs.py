"""What a pair costs end to end that evaluates and notifies: Prometheus' ruler with Alertmanager, and Prometheus with Tocsin.

`python -m benchmarks firing`: CPU of a steady minute in which many alerts go on firing and nothing is to be told, ten minutes.
`python -m benchmarks latency`: from a sample that can be seen in Prometheus to the webhook that arrives, three minutes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from benchmarks.cpu import usage
from tests.peers.alertmanager_server import AlertmanagerServer
from tests.peers.engine_process import EngineProcess
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import PrometheusServer
from tests.servers import Request, Response, ScriptedServer

FIRING: Final = "Many alerts that go on firing"
LATENCY: Final = "From a sample to the message"
PAIRS: Final = ("Prometheus + Alertmanager", "Prometheus + Tocsin")
MINUTE: Final = timedelta(minutes=1)
PER_GROUP: Final = 100
STEP: Final = (5**0.5 - 2) / 2
"""Intervals between two alerts: of so irrational a step the multiples fall evenly between two evaluations, whenever those are."""
KEY: Final = "b" * 32
QUEUE: Final = "--alertmanager.notification-queue-capacity=200000"
"""Prometheus drops alerts beyond 10,000 that wait for Alertmanager unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """CPU seconds of a steady minute by process, less what scraping costs, once for each minute measured; one pair's."""

    pair: str
    parts: Mapping[str, Sequence[float]]

    @property
    def seconds(self) -> float:
        """The median of the whole."""
        return median(map(sum, zip(*self.parts.values(), strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Seconds from the scrape that brought the sample to the webhook, one for each alert; one pair's."""

    pair: str
    seconds: Sequence[float]


@dataclass(slots=True)
class _Hooks:
    """Takes both pairs' webhooks, and remembers when each alert arrived first."""

    told: dict[str, dict[str, float]] = field(default_factory=lambda: {pair: {} for pair in PAIRS})

    def __call__(self, request: Request) -> Response:
        arrived = time.monotonic()
        pair = PAIRS[int(request.path.strip("/"))]
        for alert in request.json["alerts"]:
            self.told[pair].setdefault(alert["labels"]["n"], arrived)
        return Response()


@dataclass(slots=True)
class _Exporter:
    """`m{n="…"}` is 1 for those that are on; when a scrape first brought each of them as such, by the scraper's place."""

    count: int
    on: set[int] = field(default_factory=set)
    seen: dict[int, float] = field(default_factory=dict)

    def __call__(self, _: Request) -> Response:
        on = set(self.on)
        lines = (f'm{{n="{number}",g="{number // PER_GROUP}"}} {int(number in on)}' for number in range(self.count))
        body = "\n".join(lines).encode() + b"\n"
        for number in on:
            self.seen.setdefault(number, time.monotonic())
        return Response(body=body, headers={"Content-Type": "text/plain"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """Both pairs at work: who was told what, and the processes of each by name, with that of a Prometheus that only scrapes."""

    hooks: _Hooks
    pairs: Mapping[str, Mapping[str, int]]
    scraping: int

    def wait_until_told(self, alerts: int, *, within: timedelta) -> None:
        for pair, told in self.hooks.told.items():
            wait_until(
                lambda told=told: len(told) >= alerts,  # type: ignore[misc]
                what=f"{pair} to tell of {alerts} alerts",
                within=within,
            )

    def a_minute(self) -> dict[str, float]:
        """What each process uses in a minute; `scraping` is what scraping alone takes."""
        processes = {
            "scraping": self.scraping,
            **{name: pid for pair in self.pairs.values() for name, pid in pair.items()},
        }
        before = usage(processes)
        time.sleep(MINUTE.total_seconds())
        after = usage(processes)
        return {name: after[name] - before[name] for name in processes}


def firing(alerts: int, minutes: int, folder: Path) -> list[Minute]:
    """What steady minutes cost each pair; both are there at once, each with a Prometheus of its own."""
    exporter = _Exporter(alerts, on=set(range(alerts)))
    with _running(exporter, folder, interval=MINUTE, scrape=timedelta(seconds=30), group="g") as stage:
        stage.wait_until_told(alerts, within=timedelta(minutes=15))
        time.sleep(2 * MINUTE.total_seconds())
        used = [stage.a_minute() for _ in range(minutes)]
        pairs = stage.pairs
    return [
        Minute(pair=pair, parts={name: [_beyond_scraping(name, one) for one in used] for name in pairs[pair]})
        for pair in PAIRS
    ]


def latency(alerts: int, interval: timedelta, folder: Path) -> list[Delays]:
    """How long each alert takes; they begin one after another, at moments spread evenly over the interval."""
    exporter = _Exporter(alerts)
    scrape = timedelta(milliseconds=200)
    with _running(exporter, folder, interval=interval, scrape=scrape, group="n", shared=True) as stage:
        begun = time.monotonic() + 5
        for number in range(alerts):
            time.sleep(max(0.0, begun + number * STEP * interval.total_seconds() - time.monotonic()))
            exporter.on.add(number)
        stage.wait_until_told(alerts, within=timedelta(minutes=2))
        return [
            Delays(pair=pair, seconds=[at - exporter.seen[int(number)] for number, at in told.items()])
            for pair, told in stage.hooks.told.items()
        ]


@contextmanager
def _running(
    exporter: _Exporter, folder: Path, *, interval: timedelta, scrape: timedelta, group: str, shared: bool = False
) -> Iterator[_Stage]:
    """Both pairs and their receiver. With `shared` they have one Prometheus, so that both see a sample at the same moment."""
    hooks = _Hooks()
    rules = folder / "rules.yml"
    rules.write_text(json.dumps({"groups": [{"name": "g", "rules": [{"alert": "on", "expr": "m > 0"}]}]}))
    with ExitStack() as running:
        target = f"127.0.0.1:{running.enter_context(ScriptedServer(exporter)).port}"
        url = running.enter_context(ScriptedServer(hooks)).url
        alertmanager = running.enter_context(AlertmanagerServer(_alertmanager(f"{url}/0", group)))
        told = [alertmanager.url.removeprefix("http://")]

        def prometheus(*, ruling: bool) -> PrometheusServer:
            server = PrometheusServer(
                targets=[target],
                interval=scrape,
                evaluation=interval,
                rule_files=[rules] if ruling else [],
                alertmanagers=told if ruling else [],
                flags=[QUEUE],
            )
            return running.enter_context(server)

        ruler = prometheus(ruling=True)
        asked = ruler if shared else prometheus(ruling=False)
        scraping = ruler if shared else prometheus(ruling=False)
        asked.wait_for("count(m)", within=timedelta(minutes=2))
        engine = running.enter_context(EngineProcess(_environment(asked, folder, interval), folder=folder))
        _declare(engine, f"{url}/1", group)
        pairs = {
            PAIRS[0]: {"its Prometheus": ruler.pid, "Alertmanager": alertmanager.pid},
            PAIRS[1]: {"Prometheus it asks": asked.pid, "Tocsin": engine.pid},
        }
        yield _Stage(hooks=hooks, pairs=pairs, scraping=scraping.pid)


def _beyond_scraping(name: str, used: Mapping[str, float]) -> float:
    return used[name] - (used["scraping"] if "Prometheus" in name else 0.0)


def _environment(prometheus: PrometheusServer, folder: Path, interval: timedelta) -> dict[str, str]:
    return {
        "TOCSIN_DATABASE_URL": f"sqlite:///{folder}/tocsin.db",
        "TOCSIN_PROMETHEUS_URL": prometheus.url,
        "TOCSIN_LOG_LEVEL": "error",
        "TOCSIN_API_KEYS": KEY,
        "TOCSIN_EVALUATION_INTERVAL": f"{interval.total_seconds():g}s",
        "TOCSIN_QUERY_TIMEOUT": "30s",
    }


def _alertmanager(url: str, group: str) -> dict[str, Any]:
    route = {
        "receiver": "hook",
        "group_by": [group],
        "group_wait": "0s",
        "group_interval": "5m",
        "repeat_interval": "24h",
    }
    return {"route": route, "receivers": [{"name": "hook", "webhook_configs": [{"url": url}]}]}


def _declare(engine: EngineProcess, url: str, group: str) -> None:
    route = {"receiver": "hook", "channels": ["hook"], "group_by": [group], "repeat_interval": "1d"}
    timings = {"group_wait": "0s", "group_interval": "5m"}
    rule = {"id": "on", "name": "on", "expr": "m > 0"}
    for path, body in (
        ("/api/v1/channels/hook", {"kind": "webhook", "url": url}),
        ("/api/v1/routes/root", {**route, **timings}),
        ("/api/v1/rules/on", rule),
    ):
        status, said = engine.put(path, body)
        if status not in (200, 201):
            raise RuntimeError(f"{path} was refused: {said}")


def firing_table(found: Sequence[Minute]) -> str:
    """The measurement as a Markdown table."""
    other = found[0].seconds
    rows = [
        f"| {one.pair} | {one.seconds:.2f} | {', '.join(f'{name} {median(used):.2f}' for name, used in one.parts.items())} "
        f"| {one.seconds / other:.3f} × |"
        for one in found
    ]
    head = ["| pair | CPU seconds of a minute | of it | to Prometheus + Alertmanager |", "|---|---:|---|---:|"]
    return "\n".join([*head, *rows])


def latency_table(found: Sequence[Delays]) -> str:
    """The measurement as a Markdown table."""
    rows = [
        f"| {one.pair} | {median(one.seconds):.2f} | {_percentile(one.seconds, 99):.2f} | {max(one.seconds):.2f} "
        f"| {len(one.seconds)} |"
        for one in found
    ]
    return "\n".join(["| pair | p50, s | p99, s | worst, s | alerts |", "|---|---:|---:|---:|---:|", *rows])


def _percentile(seconds: Sequence[float], percent: int) -> float:
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


FIRING_SECTION: Final = f"""\
## {FIRING}

One rule fires for every series, in groups of {PER_GROUP}; it is evaluated every minute, and everything was told before the
measurement begins. In each minute Prometheus tells Alertmanager all of them anew; Tocsin asks, finds them as they were, and
writes one row. Each pair has a Prometheus of its own; what a third that only scrapes uses is taken off. `group_interval` is
five minutes, so that a fifth of a round of flushes falls into a minute for both.

{{table}}

{{where}}
- Command: `{{command}}`
"""
LATENCY_SECTION: Final = f"""\
## {LATENCY}

Both pairs look at the same Prometheus, which scrapes five times a second, and evaluate one rule every {{interval:g}} s, each
at a phase of its own; `group_wait` is 0 and every alert has a group of its own. Alerts begin one after another, at moments that
are spread evenly over the interval, so that both wait equally long for their evaluation. Measured is the time from the
scrape that brought the sample to the arrival of the webhook.

{{table}}

{{where}}
- Command: `{{command}}`
"""
