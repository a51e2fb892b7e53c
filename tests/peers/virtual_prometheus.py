"""Prometheus in virtual time: `promtool test rules` runs its real rule manager over scripted series, and a real server
answers queries about the same series, which lie in its storage as blocks.

Nothing waits, and nothing races: both know only the moments of the script.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from api.schemas.prometheus import labels_of
from engine.core.alert import Alert, State
from rules.rule import Rule
from tests.peers.require import find_binary
from tests.peers.rule_engine import RuleEngine

STEP: Final = timedelta(minutes=10)
"""From one sample and evaluation to the next: more than the five minutes for which a sample stands, so that one that is left
out is a series that is gone."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When promtool's time begins."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """A rule file, and its series as promtool writes them: `5 _ NaN stale`, a word for each scrape, usually one a step."""

    rules: str
    series: Mapping[str, str]
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    scrape: timedelta = STEP

    @property
    def steps(self) -> int:
        words = max((len(words.split()) for words in self.series.values()), default=1)
        return (words - 1) * self.scrape // STEP + 1


def together(scripts: Sequence[Script]) -> Script:
    """One script of several that are told apart by their names, and agree about all else."""
    files = [json.loads(script.rules) for script in scripts]
    return Script(
        rules=json.dumps({"groups": [group for file in files for group in file["groups"]]}, ensure_ascii=False),
        series={series: words for script in scripts for series, words in script.series.items()},
        external_labels=scripts[0].external_labels,
        external_url=scripts[0].external_url,
    )


def blocks(script: Script, folder: Path) -> None:
    """Write the series into the folder, as a Prometheus' storage."""
    lines = [
        f"{series} {word} {at * script.scrape.total_seconds():.0f}"
        for series, words in script.series.items()
        for at, word in enumerate(words.split())
        if word not in ("_", "stale")
    ]
    # All samples of a name have to stand together.
    lines.sort(key=lambda line: line.partition("{")[0].partition(" ")[0])
    text = folder.with_suffix(".om")
    text.write_text("\n".join([*lines, "# EOF\n"]), encoding="utf-8")
    _promtool("tsdb", "create-blocks-from", "openmetrics", str(text), str(folder))


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What Tocsin has at one step."""

    at: timedelta
    alerts: Sequence[Alert]

    def of(self, sources: Collection[str]) -> Moment:
        """The same for these rules alone."""
        return replace(self, alerts=[alert for alert in self.alerts if alert.source in sources])

    @property
    def letter(self) -> str:
        """The most of it: f(iring), p(ending) or nothing."""
        states = {alert.state for alert in self.alerts}
        return "f" if State.FIRING in states else "p" if State.PENDING in states else "-"


def evaluated(engine: RuleEngine, script: Script) -> list[Moment]:
    """What the engine makes of the script, step by step."""
    engine.clock.moment = EPOCH - timedelta(seconds=1)
    engine.declare(script.rules)
    engine.evaluate(engine.clock.moment)
    moments = []
    for step in range(script.steps):
        at = step * STEP
        engine.evaluate(EPOCH + at)
        moments.append(Moment(at=at, alerts=engine.alerts()))
    return moments


def disagreement(script: Script, moments: Sequence[Moment], rules: Mapping[str, Rule], folder: Path) -> str:
    """What promtool says when its rule manager does not come to the same at every step; empty when it does."""
    (folder / "rules.yml").write_text(script.rules, encoding="utf-8")
    names = sorted({rule.name for rule in rules.values()})
    test = {
        "interval": f"{script.scrape.total_seconds():.0f}s",
        "input_series": [{"series": series, "values": words} for series, words in script.series.items()],
        "external_labels": dict(script.external_labels),
        "external_url": script.external_url,
        "alert_rule_test": [_firing(moment, name) for moment in moments for name in names],
        "promql_expr_test": [part for moment in moments for part in _written(moment, rules)],
    }
    file = {"rule_files": ["rules.yml"], "evaluation_interval": _minutes(STEP), "tests": [test]}
    (folder / "test.yml").write_text(json.dumps(file, ensure_ascii=False), encoding="utf-8")
    done = subprocess.run(
        [str(find_binary("promtool")), "test", "rules", "test.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return "" if done.returncode == 0 else (done.stdout + done.stderr).replace("\n\n", "\n")


def _firing(moment: Moment, name: str) -> dict[str, Any]:
    """The alerts of this name that fire, with their labels and annotations, and no others."""
    firing = [one for one in moment.alerts if one.state is State.FIRING and one.labels["alertname"] == name]
    alerts = [{"exp_labels": dict(one.labels), "exp_annotations": dict(one.annotations)} for one in firing]
    return {"eval_time": _minutes(moment.at), "alertname": name, "exp_alerts": alerts}


def _written(moment: Moment, rules: Mapping[str, Rule]) -> list[dict[str, Any]]:
    """The series that Prometheus writes of its alerts: which are pending and firing, and since when each is active."""
    states, since = [], []
    for alert in moment.alerts:
        # It writes the text of a template that made an empty label, where the alert itself has no such label.
        labels = {**labels_of(rules[alert.source]), **alert.labels}
        states.append({"labels": _literal("ALERTS", {**labels, "alertstate": alert.state.value}), "value": 1})
        seconds = (alert.active_at - EPOCH).total_seconds()
        since.append({"labels": _literal("ALERTS_FOR_STATE", labels), "value": seconds})
    at = _minutes(moment.at)
    return [
        {"expr": "ALERTS", "eval_time": at, "exp_samples": states},
        {"expr": "ALERTS_FOR_STATE", "eval_time": at, "exp_samples": since},
    ]


def _literal(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{', '.join(f'{key}={json.dumps(value, ensure_ascii=False)}' for key, value in labels.items())}}}"


def _minutes(span: timedelta) -> str:
    return f"{span // timedelta(minutes=1)}m"


def _promtool(*arguments: str) -> None:
    done = subprocess.run(
        [str(find_binary("promtool")), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
