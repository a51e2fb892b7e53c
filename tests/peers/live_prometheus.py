"""A real Prometheus that scrapes, evaluates and is reloaded while it runs, and what its API told of every evaluation.

A rule asks about a moment that is long scraped (`METRIC` stands for the series of a second ago), so that whoever asks later gets
the same answer. What was told counts for an evaluation only when it surely came after it and before the next one.
"""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.peers.prometheus_server import Exporter, PrometheusServer
from tests.peers.rule_engine import RuleEngine

INTERVAL: Final = timedelta(milliseconds=500)
ACT: Final = timedelta(seconds=2.5)
"""How long a word of a series stands: five evaluations."""
WARMING: Final = timedelta(seconds=3)
"""In its first evaluations Prometheus looks for what it knew before a restart, and shows nothing meanwhile."""
POLL: Final = timedelta(milliseconds=100)
GENERATIONS: Final = (0, 0, 0, 1, 1, 1)
"""Which generation of the rule file is in force at each act."""
LAST: Final = timedelta(seconds=2)
"""Until the last word is asked about."""
SLOT: Final = "tocsin_slot"

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Live:
    """A rule in each generation (`None`: it is not there), and the words of its series, one an act.

    `path` is what it is from act to act, evaluations that are like the one before left out: f, p, - and e for an error.
    """

    name: str
    path: str
    rules: tuple[Document | None, Document | None]
    series: Mapping[str, str]
    limit: int = 0

    @property
    def slug(self) -> str:
        return self.name.replace(" ", "_")

    @property
    def alerts(self) -> frozenset[str]:
        """The names of its rules."""
        return frozenset(json.loads(self.own(rule))["alert"] for rule in self.rules if rule is not None)

    def own(self, rule: Document) -> str:
        """The rule as JSON, with its own names."""
        text = json.dumps(rule, ensure_ascii=False)
        asked = re.sub(r"METRIC(\{[^}]*\})?", rf"{self.slug}\1 offset 1s", text)
        return asked.replace("ALERT", f"Alert_{self.slug}")

    def exposed(self, act: int) -> list[str]:
        """What the exporter shows of its series."""
        words = {labels: words.split()[act] for labels, words in self.series.items()}
        return [f"{self.slug}{labels} {word}" for labels, word in words.items() if word != "_"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One rule after one evaluation, as one side has it: health, error, and its alerts by their labels as text."""

    health: str
    error: str
    alerts: Mapping[str, Document]

    @property
    def letter(self) -> str:
        if self.health == "err":
            return "e"
        states = {alert["state"] for alert in self.alerts.values()}
        return "f" if "firing" in states else "p" if "pending" in states else "-"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One evaluation of one group: when, and of which generation of the file."""

    at: datetime
    group: str
    generation: int


@dataclass(frozen=True, kw_only=True)
class Run:
    """The evaluations in their order, and what the API told of each rule: when it was told, by the rule's name."""

    url: str
    evaluations: Sequence[Evaluation]
    told: Mapping[str, Sequence[tuple[datetime, Document]]]

    def seen(self, evaluation: Evaluation, name: str) -> Seen | None:
        """The rule after this evaluation and surely before the next; `None` when nobody asked then, or it was not there."""
        for at, document in reversed(self.told.get(name, ())):
            within = evaluation.at <= at < evaluation.at + INTERVAL
            if within and moment(document["lastEvaluation"]) >= evaluation.at:
                return seen(document)
        return None

    @property
    def is_whole(self) -> bool:
        """Whether no evaluation was left out and every reload came between two of them, as it does on an idle machine."""
        by_group: dict[str, list[Evaluation]] = {}
        for each in self.evaluations:
            by_group.setdefault(each.group, []).append(each)
        steady = all(
            later.at - earlier.at == INTERVAL for found in by_group.values() for earlier, later in pairwise(found)
        )
        return steady and all(earlier.generation <= later.generation for earlier, later in pairwise(self.evaluations))


def seen(document: Document) -> Seen:
    """A rule as Prometheus' API tells it."""
    alerts = {json.dumps(alert["labels"], sort_keys=True): _comparable(alert) for alert in document["alerts"]}
    return Seen(health=document["health"], error=document.get("lastError", ""), alerts=alerts)


def _comparable(alert: Document) -> Document:
    """The alert with its moments to the millisecond, which is as fine as samples are."""
    moments = {name: alert[name] for name in ("activeAt", "keepFiringSince") if name in alert}
    return {**alert, **{name: moment(text).isoformat(timespec="milliseconds") for name, text in moments.items()}}


def moment(text: str) -> datetime:
    """A time as Go prints it, to the microsecond."""
    whole, _, rest = text.rstrip("Z").partition(".")
    zone = "" if text.endswith("Z") else rest[-6:] if rest[-6:-5] in ("+", "-") else ""
    digits = rest.removesuffix(zone)[:6]
    return datetime.fromisoformat(f"{whole}.{digits:0<6}{zone or '+00:00'}").astimezone(UTC)


@dataclass
class Watch:
    """Asks for all rules again and again, until it is stopped."""

    url: str
    told: dict[str, list[tuple[datetime, Document]]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(POLL.total_seconds()):
            with urllib.request.urlopen(f"{self.url}/api/v1/rules?type=alert", timeout=10) as answer:
                groups = json.load(answer)["data"]["groups"]
            now = datetime.now(UTC)
            for rule in (rule for group in groups for rule in group["rules"]):
                self.told.setdefault(rule["name"], []).append((now, rule))


def file_of(scenarios: Sequence[Live], generation: int) -> str:
    """The rule file in this generation. Each group records when it is evaluated and in which generation."""
    groups: dict[str, dict[str, Any]] = {}
    for each in scenarios:
        name = each.name if each.limit else "all"
        recorded = {"record": SLOT, "expr": f"vector({generation})", "labels": {"group": name}}
        group = groups.setdefault(name, {"name": name, "limit": each.limit, "rules": [recorded]})
        rule = each.rules[generation]
        if rule is not None:
            group["rules"].append(json.loads(each.own(rule)))
    return json.dumps({"groups": list(groups.values())}, ensure_ascii=False)


def play(scenarios: Sequence[Live], exporter: Exporter, prometheus: PrometheusServer, file: Path) -> Run:
    """All acts of all scenarios side by side, in real time."""
    with Watch(prometheus.url) as watch:
        time.sleep(WARMING.total_seconds())
        for act, generation in enumerate(GENERATIONS):
            exporter.set("\n".join(line for each in scenarios for line in each.exposed(act)))
            if act and generation != GENERATIONS[act - 1]:
                file.write_text(file_of(scenarios, generation), encoding="utf-8")
                prometheus.reload()
            time.sleep(ACT.total_seconds())
        time.sleep(LAST.total_seconds())
    return Run(url=prometheus.url, evaluations=_evaluations(prometheus), told=watch.told)


def _evaluations(prometheus: PrometheusServer) -> list[Evaluation]:
    found = [
        Evaluation(
            at=datetime.fromtimestamp(at, UTC).replace(microsecond=round(at * 1000) % 1000 * 1000),
            group=series["metric"]["group"],
            generation=int(value),
        )
        for series in prometheus.result(f"{SLOT}[5m]")
        for at, value in series["values"]
    ]
    return sorted(found, key=lambda each: each.at)


def replayed(scenarios: Sequence[Live], run: Run, engine: RuleEngine) -> dict[tuple[datetime, str], Mapping[str, Seen]]:
    """What Tocsin has of each rule, by its name, after each evaluation of its group, at the moments of Prometheus' own."""
    engine.clock.moment = run.evaluations[0].at - timedelta(milliseconds=1)
    generation = -1
    found: dict[tuple[datetime, str], Mapping[str, Seen]] = {}
    for each in run.evaluations:
        if each.generation != generation:
            generation = each.generation
            engine.declare(file_of(scenarios, generation))
            engine.evaluate(engine.clock.moment)
        engine.evaluate(each.at)
        found[each.at, each.group] = {document["name"]: seen(document) for document in engine.documents()}
    return found
