"""The same rules over the same series in Prometheus' own rule manager and in Tocsin: every alert is compared at every evaluation.

Compared are which alerts are pending and firing, with all labels, since when each is active, and the annotations of those that
fire, which tell their values. Prometheus' part is `promtool test rules`, which evaluates in virtual time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rules.rule import Rule
from tests.peers.prometheus_server import PrometheusServer
from tests.peers.require import require_peer
from tests.peers.rule_engine import RuleEngine
from tests.peers.rule_scenarios import SCENARIOS, Scenario
from tests.peers.virtual_prometheus import STEP, Moment, Script, blocks, disagreement, evaluated, together

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("promtool")]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, Rule], list[Moment]]:
    """What Tocsin makes of all scenarios, side by side: its rules, and its alerts step by step."""
    return run(together([each.script for each in SCENARIOS]), tmp_path_factory.mktemp("scenarios"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_prometheus_and_tocsin_agree_at_every_evaluation(
    scenario: Scenario, course: tuple[Mapping[str, Rule], list[Moment]], tmp_path: Path
) -> None:
    rules = {name: rule for name, rule in course[0].items() if rule.group == scenario.name}
    moments = [moment.of(rules) for moment in course[1][: scenario.script.steps]]
    difference = disagreement(scenario.script, moments, rules, tmp_path)
    assert not difference, difference
    assert "".join(moment.letter for moment in moments) == scenario.path


def run(script: Script, folder: Path) -> tuple[Mapping[str, Rule], list[Moment]]:
    """Tocsin's way through a script, its queries answered by a real Prometheus that has the series in its storage."""
    require_peer("prometheus", "promtool")
    blocks(script, folder / "series")
    with (
        PrometheusServer(data=folder / "series", flags=("--storage.tsdb.retention.time=100y",)) as prometheus,
        RuleEngine(
            url=prometheus.url,
            database_url=f"sqlite:///{folder}/tocsin.db",
            interval=STEP,
            external_url=script.external_url,
            external_labels=script.external_labels,
        ) as engine,
    ):
        moments = evaluated(engine, script)
        return engine.rules(), moments
