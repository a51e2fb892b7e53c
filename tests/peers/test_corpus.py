"""A thousand rules of the kind people collect: they import, come back as they were, and say what Prometheus says of them.

The series lie in a real Prometheus' storage. Every rule is evaluated there by Tocsin, at the beginning and ten minutes later,
and by Prometheus' own rule manager; which alerts are pending and firing, with all labels and annotations, has to be the same.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.alert import State
from engine.store import rule_status
from engine.store.rule_status import Health
from rules.formats.prometheus_export import export
from rules.formats.prometheus_yaml import RuleFile, parse
from rules.rule import Rule
from tests import corpus
from tests.peers.prometheus_server import PrometheusServer
from tests.peers.require import find_binary, require_peer
from tests.peers.rule_engine import RuleEngine
from tests.peers.virtual_prometheus import STEP, Script, blocks, disagreement, evaluated

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("promtool")]


@pytest.fixture(scope="module")
def read() -> RuleFile:
    return parse(corpus.rule_file(), "corpus.yml")


def bare(rules: tuple[Rule, ...]) -> list[Rule]:
    return sorted(rules, key=lambda rule: (rule.group, rule.name))


def test_a_thousand_rules_are_read_without_an_error(read: RuleFile) -> None:
    assert read.errors == ()
    assert len(read.rules) > 1000
    assert len({rule.expr for rule in read.rules}) > 1000


def test_what_is_exported_of_them_reads_back_the_same_and_promtool_takes_it(read: RuleFile, tmp_path: Path) -> None:
    require_peer("promtool")
    written = "".join(export([replace(rule, id=str(at)) for at, rule in enumerate(read.rules)]))
    assert bare(parse(written).rules) == bare(read.rules)
    for name, text in (("given.yml", corpus.rule_file()), ("written.yml", written)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    checked = subprocess.run(
        [str(find_binary("promtool")), "check", "rules", "given.yml", "written.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.stdout.count(f"SUCCESS: {len(read.rules)} rules found") == 2, checked.stdout + checked.stderr


def test_their_alerts_are_those_of_prometheus_own_rule_manager(tmp_path: Path) -> None:
    require_peer("prometheus", "promtool")
    script = Script(rules=corpus.rule_file(), series=corpus.series(), scrape=corpus.SCRAPE)
    blocks(script, tmp_path / "series")
    with (
        PrometheusServer(data=tmp_path / "series", flags=("--storage.tsdb.retention.time=100y",)) as prometheus,
        RuleEngine(url=prometheus.url, database_url=f"sqlite:///{tmp_path}/tocsin.db", interval=STEP) as engine,
    ):
        moments = evaluated(engine, script)
        rules: Mapping[str, Rule] = engine.rules()
        with engine.database.read() as connection:
            health = Counter(status.health for status in rule_status.all_of(connection, list(rules)).values())
    assert disagreement(script, moments, rules, tmp_path) == ""
    assert health[Health.ERR] == health[Health.QUARANTINED] == 0
    # Agreement would be cheap if nothing fired: a good part of the rules must, and a good part must not.
    active = {alert.source for alert in moments[-1].alerts}
    assert 200 < len(active) < 0.8 * len(rules)
    states = Counter(alert.state for moment in moments for alert in moment.alerts)
    assert min(states[State.PENDING], states[State.FIRING]) > 100
