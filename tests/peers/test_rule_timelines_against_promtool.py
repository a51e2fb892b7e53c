"""Random series under random rules: Prometheus' rule manager and Tocsin agree about every alert at every evaluation.

An example is a hundred rules with up to three series each, side by side in one run of both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rules.rule import Rule
from tests.peers.rule_scenarios import Declared, Scenario, rule, scenario
from tests.peers.test_rules_against_promtool import run
from tests.peers.virtual_prometheus import Moment, disagreement, together

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("promtool")]

Choices = tuple[str, str, str, dict[str, str], list[str]]
WORDS: Final = ("_", "0", "5", "5", "2", "NaN", "Inf", "5")
"""What a series can be at a step; mostly above the threshold, or nothing would ever fire."""
STEPS: Final = 12
RULES: Final = 100
EXAMPLES: Final = 60 if settings().max_examples >= 1000 else 3
"""`make fuzz` tries six thousand rules."""
HOLDS: Final = ("0s", "10m", "20m", "15m", "30m", "25m")
KEPT: Final = ("0s", "0s", "10m", "20m", "15m", "1s")
EXPRS: Final = (
    "METRIC > 1",
    "METRIC > 2",
    "METRIC",
    "METRIC > bool 2",
    "METRIC <= 2",
    "METRIC > 1 and METRIC < 4",
    "METRIC != 5",
    'absent(METRIC{host="a"})',
    "sum by (host) (METRIC) > 2",
    "count(METRIC) > 1",
    "METRIC offset 10m > 1",
    "max_over_time(METRIC[25m]) > 2",
    'METRIC{host="a"} > on() group_left() METRIC{host="b"}',
)
LABELS: Final[tuple[dict[str, str], ...]] = (
    {},
    {"severity": "page"},
    {"value": "{{ $value }}"},
    {"of": "{{ $labels.host }}", "none": "{{ $labels.nothing }}"},
)


def words(number: int) -> str:
    """A series' words, one base-8 digit each: a single choice for Hypothesis instead of twelve."""
    return " ".join(WORDS[number // 8**at % 8] for at in range(STEPS))


SERIES: Final = st.lists(st.integers(0, 8**STEPS - 1).map(words), min_size=1, max_size=3)
CHOICES: Final = st.tuples(
    st.sampled_from(EXPRS), st.sampled_from(HOLDS), st.sampled_from(KEPT), st.sampled_from(LABELS), SERIES
)


@pytest.mark.timeout(1200)
@given(st.lists(CHOICES, min_size=RULES, max_size=RULES))
@settings(
    max_examples=EXAMPLES,
    # A rule that goes astray is found among the hundred below; shrinking all of them would take for ever.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_series_under_any_rule_go_the_same_way(
    chosen: Sequence[Choices],
) -> None:
    scenarios = [made(f"rule {at}", choices) for at, choices in enumerate(chosen)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = together([each.script for each in scenarios])
        rules, moments = run(script, folder)
        if disagreement(script, moments, rules, folder):
            first = next(each for each in scenarios if alone(each, rules, moments, folder))
            raise AssertionError(f"{first}\n{alone(first, rules, moments, folder)[:5000]}")


def made(name: str, choices: Choices) -> Scenario:
    expr, hold, kept, labels, series = choices
    declared: Declared = rule(expr, hold, kept, labels=labels)
    return scenario(name, "", declared, **dict(zip("abc", series, strict=False)))


def alone(each: Scenario, rules: Mapping[str, Rule], moments: Sequence[Moment], folder: Path) -> str:
    """What this rule alone disagrees about."""
    own = {rule_id: one for rule_id, one in rules.items() if one.group == each.name}
    return disagreement(each.script, [moment.of(own) for moment in moments], own, folder)
