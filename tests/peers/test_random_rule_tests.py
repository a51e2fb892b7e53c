"""Made-up rules over made-up series: at every step `promtool test rules` and `tocsin test` see the very same alerts fire.

Each file expects nothing, so that all that fires is told as a failure, with labels and annotations.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from engine import rule_tests
from rules import durations
from rules.formats import series_notation
from rules.labels import Labels
from tests.peers.require import find_binary, require_peer

pytestmark = [pytest.mark.peer("promtool"), pytest.mark.peer("prometheus")]

SEEDS = range(24)
STEPS = 16
EXPRESSIONS = (
    *(
        "a > 2",
        "a == 0",
        "a",
        "sum(a) > 5",
        "sum by (l) (a) > 2",
        "avg_over_time(a[3m]) > 1",
        "a unless b",
        "b > 1 or a > 2",
    ),
    *(
        "a > on (l) b",
        "a * on (l) group_left (m) b > 2",
        "absent(b)",
        "absent(a{l='1'})",
        "count(a) < 2",
        "rate(b[2m]) > 0.01",
    ),
    *(
        "r > 1",
        "r:late > 1",
        "max_over_time(r[3m]) > 2",
        'ALERTS{alertname="R0"}',
        "count(ALERTS) > 3",
        "a offset 2m > 2",
    ),
    *(
        'ALERTS{alertname="R1",alertstate="pending"} == 1',
        "time() - ALERTS_FOR_STATE > 120",
        "a > bool 2",
        "changes(a[4m]) > 1",
    ),
)
VALUES = ("0", "1", "2", "3", "_", "_x2", "stale", "2x3", "0+1x4", "3-1x3", "NaN", "1x2")
FAILED = re.compile(r"alertname: (\w+), time: (\w+),.*?got:\[(.*?)\n? *\](?=\n)", re.DOTALL)
FIRED = re.compile(r"Labels:(\{.*?\})\s+Annotations:(\{.*?\}),?\n")

Fired = Counter[tuple[str, timedelta, Labels, Labels]]
"""What fires: the alert, the time, its labels and annotations."""


def made(seed: int, folder: Path) -> Path:
    """A file of one test, and the rules it is about."""
    chance = random.Random(seed)
    rules: list[dict[str, object]] = [{"record": "r", "expr": "sum by (l) (a)", "labels": {"by": "rule"}}]
    rules += [
        {
            "alert": f"R{at}",
            "expr": chance.choice(EXPRESSIONS),
            "for": chance.choice(["0s", "0s", "1m", "2m", "3m"]),
            "keep_firing_for": chance.choice(["0s", "0s", "2m"]),
            "labels": {"n": str(at), "w": chance.choice(["{{ $labels.l }}", "x{{ $value }}", "{{ $labels.none }}"])},
            "annotations": {"v": "{{ $value }} of {{ $labels.l }}{{ $labels.m }}"},
        }
        for at in range(8)
    ]
    rules.append({"record": "r:late", "expr": "max(a)"})
    series = ['a{l="1"}', 'a{l="2"}', 'a{l="3",m="z"}', 'b{l="1",m="y"}']
    test = {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": " ".join(chance.choice(VALUES) for _ in range(10))} for name in series
        ],
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": f"R{at}"} for minute in range(STEPS) for at in range(8)
        ],
    }
    (folder / f"{seed}-rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    file = folder / f"{seed}.yml"
    interval = chance.choice(["30s", "1m", "2m"])
    document = {"rule_files": [f"{seed}-rules.yml"], "evaluation_interval": interval, "tests": [test]}
    file.write_text(yaml.safe_dump(document))
    return file


def promtool(file: Path) -> tuple[Fired, str]:
    """What fires by promtool, and its own words when a rule could not be evaluated."""
    command = [str(find_binary("promtool")), "test", "rules", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
    told = done.stdout.decode()
    found: Fired = Counter()
    for name, at, alerts in FAILED.findall(told):
        for labels, words in FIRED.findall(f"{alerts}\n"):
            found[name, durations.parse(at), series_notation.labels(labels), series_notation.labels(words)] += 1
    return found, next((line for line in told.splitlines() if line.strip().startswith("rule: ")), "")


def tocsin(file: Path) -> tuple[Fired, str]:
    """The same by Tocsin."""
    suite = rule_tests.load(file)
    assert not suite.flawed, suite.flaws
    program = find_binary("prometheus")
    assert program is not None
    (test,) = suite.declared.tests
    found: Fired = Counter()
    failed = ""
    for failure in rule_tests.run(suite, test, program).failures:
        failed = failed or failure.error
        for alert in failure.got:
            labels, *words = alert.split("\n")
            annotations = Labels(tuple(line.removeprefix("  ").split(": ", 1)) for line in words)  # type: ignore[misc]
            found[failure.subject.removeprefix("alert "), failure.at, series_notation.labels(labels), annotations] += 1
    return found, failed


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[tuple[Fired, str], tuple[Fired, str]]]:
    require_peer("promtool")
    require_peer("prometheus")
    folder = tmp_path_factory.mktemp("random")
    files = [made(seed, folder) for seed in SEEDS]
    with ThreadPoolExecutor(4) as pool:
        ours = pool.map(tocsin, files)
        theirs = pool.map(promtool, files)
        return dict(zip(SEEDS, zip(theirs, ours, strict=True), strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_alerts_fire_at_the_same_times(
    seed: int, verdicts: dict[int, tuple[tuple[Fired, str], tuple[Fired, str]]]
) -> None:
    (theirs, their_error), (ours, our_error) = verdicts[seed]
    assert bool(our_error) == bool(their_error), (our_error, their_error)
    assert ours == theirs


def test_much_fires_and_much_does_not(verdicts: dict[int, tuple[tuple[Fired, str], tuple[Fired, str]]]) -> None:
    fired = sum(theirs.total() for (theirs, _), _ in verdicts.values())
    assert 500 < fired < len(SEEDS) * STEPS * 8 * 3
    assert sum(bool(error) for (_, error), _ in verdicts.values()) < len(SEEDS) / 2
