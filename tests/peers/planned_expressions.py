"""Rules at random over series with awkward labels, for comparing how they are asked together and one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from rules import promql
from rules.rule import Condition, MissingSeries, Rule

SERVICES: Final = ["a", "b", "a.b", "a|b", "x(y", "ü", 'quo"te', "back\\slash"]
ZONES: Final = ["z1", "z2", "z3"]
INSTANCES: Final = ["i1", "i2", "i3"]
AWKWARD: Final = ["NaN", "+Inf", "-Inf", "-0", "0", "1e-320", "0.1", "0.30000000000000004", "5e300"]
BUCKETS: Final = ["0.1", "1", "+Inf"]

SELECTORS: Final = [
    '{metric}{{service="{service}"}}',
    '{metric}{{service="{service}", zone="{zone}"}}',
    '{metric}{{zone="{zone}",service="{service}",instance!="i2"}}',
    '{{__name__="{metric}", service="{service}"}}',
    '{metric}{{service="{service}",service=~".+"}}',
    '{metric}{{zone="{zone}"}}',
    '{metric}{{service="nowhere"}}',
    '{metric}{{service=""}}',
    '{metric}{{service="{service}",service="{service}"}}',
    "{metric}",
]
VECTORS: Final = [
    "{0}",
    "{0} offset 1s",
    "-{0}",
    "({0}\n# why\n)",
    "abs({0})",
    "clamp_min({0}, 2)",
    "rate({0}[2s])",
    "avg_over_time({0}[2s]) * 2",
    "quantile_over_time(0.5, {0}[2s])",
    "max_over_time(sum by (zone) ({0})[2s:500ms])",
    "sum({0})",
    "sum by (service) (rate({0}[2s]))",
    "sum by (instance) ({0})",
    "avg({0}) by (instance,)",
    "stddev by () ({0})",
    "count without (zone) ({0})",
    "count without (service) ({0})",
    "max by (zone) (min without (instance) ({0}))",
    "quantile(0.4, {0})",
    "topk(1, {0})",
    "sum by (zone) ({0}) == 3",
    "absent({0})",
    'label_replace({0}, "service", "all", "zone", ".*")',
    "histogram_quantile(0.9, sum by (le) (rate({histogram}[2s])))",
    "histogram_quantile(0.9, rate({histogram}[2s]))",
    "scalar({0}) + vector(1)",
    "{0} > bool 1",
    "{0} / 3 ^ 2",
]
PAIRS: Final = [
    "{0} / {1}",
    "{0} - {1}",
    "{0} / ignoring(instance) {1}",
    "{0} / on(instance, zone) {1}",
    "{0} + on(instance, zone, service) {1}",
    "sum by (zone) ({0}) / sum by (zone) ({1})",
    "1 - sum({0}) / sum({1})",
    "{0} / on(zone) group_left sum by (zone) ({1})",
    "sum({0}) * on() group_right() {1}",
    "{0} / on(zone) group_left(service) sum by (zone) ({1})",
    "{0} and {1}",
    "{0} and on(zone) {1}",
    "{0} unless ignoring(zone) {1}",
    "{0} or {1}",
    "{0} or on(zone) {1}",
    "{0} or sum({1})",
    "{0} > {1}",
    "sum by (service) ({0}) / {1}",
    "{0} / on(service, instance) {1}",
    "sum({0}) / on(service) sum by (service) ({1})",
]
OUTER: Final = [*["{0}"] * 6, "sum({0})", "avg by (instance) ({0})", "max without (zone) ({0})", "round({0}, 0.5)"]
BOUNDS: Final = [-1.0, 0.0, 0.1, 0.30000000000000004, 1.0, 3.0, 50.0, float("inf")]


@dataclass
class Exposition:
    """What the exporter says: a counter, a gauge and a histogram, other values with each scrape."""

    chance: random.Random
    scrapes: int = 0

    def text(self) -> str:
        """The next scrape's answer."""
        self.scrapes += 1
        return "\n".join([*self._simple(), *self._histogram()])

    def _simple(self) -> Iterator[str]:
        for number, (service, zone, instance) in enumerate(_series()):
            labels = f'service="{_escaped(service)}",zone="{zone}",instance="{instance}"'
            yield f"c{{{labels}}} {self.scrapes * (number % 7 + 0.1)}"
            awkward = self.chance.random() < 0.3
            yield f"g{{{labels}}} {self.chance.choice(AWKWARD) if awkward else self.chance.gauss(0, 10)}"
        yield 'g{instance="i1"} 7'
        yield 'c{zone="z1"} 2'

    def _histogram(self) -> Iterator[str]:
        for service, zone, instance in _series():
            for at, bound in enumerate(BUCKETS):
                labels = f'service="{_escaped(service)}",zone="{zone}",instance="{instance}",le="{bound}"'
                yield f"h{{{labels}}} {self.scrapes * (at + 1)}"


def _series() -> Iterator[tuple[str, str, str]]:
    return ((service, zone, instance) for service in SERVICES for zone in ZONES for instance in INSTANCES)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


@st.composite
def rule_sets(draw: DrawFn) -> Mapping[str, Rule]:
    """Up to forty rules, few forms among them, so that many can be asked together."""
    forms = draw(st.lists(_forms(), min_size=1, max_size=4))
    rules = [draw(_rules(number, forms)) for number in range(draw(st.integers(2, 40)))]
    return {rule.id: rule for rule in rules}


@st.composite
def _forms(draw: DrawFn) -> str:
    """An expression with places for metrics, services and zones."""
    first, second = (draw(st.sampled_from(SELECTORS)).replace("{metric}", metric) for metric in draw(_metrics()))
    if draw(st.booleans()):
        form = draw(st.sampled_from(PAIRS)).replace("{0}", first).replace("{1}", second)
    else:
        form = draw(st.sampled_from(VECTORS)).replace("{0}", first).replace("{histogram}", 'h{{service="{service}"}}')
    outer = draw(st.sampled_from(OUTER))
    return outer.replace("{0}", f"({form})")


def _metrics() -> st.SearchStrategy[tuple[str, str]]:
    return st.sampled_from([("g", "g"), ("g", "c"), ("c", "g"), ("c", "c")])


@st.composite
def _rules(draw: DrawFn, number: int, forms: list[str]) -> Rule:
    form = draw(st.sampled_from(forms))
    service = draw(st.sampled_from(SERVICES)).replace("\\", "\\\\").replace('"', '\\"')
    left = form.format(service=service, zone=draw(st.sampled_from(ZONES)))
    condition, bound = draw(st.sampled_from(list(Condition))), draw(st.sampled_from(BOUNDS))
    kept = draw(st.sampled_from([*[MissingSeries.RESOLVE] * 5, MissingSeries.KEEP]))
    if draw(st.booleans()):
        return Rule(id=f"r{number}", name="r", expr=left, condition=condition, threshold=bound, missing_series=kept)
    return Rule(id=f"r{number}", name="r", expr=f"({left}\n) {condition} {promql.number(bound)}", missing_series=kept)
