"""Which firing alerts inhibit: every live source counts, and the index answers as the plain version does."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.inhibiting import Inhibitor, Sources, inhibitors
from rules.inhibition import InhibitRule, inhibits
from rules.labels import Labels
from rules.matchers import parse_matchers

DOWN = Labels({"alertname": "Down", "severity": "critical", "cluster": "a"})
DOWN_TOO = Labels({"alertname": "DownToo", "severity": "critical", "cluster": "a"})
SLOW = Labels({"alertname": "Slow", "severity": "warning", "cluster": "a"})


def rule(name: str, source: str, target: str, *equal: str) -> InhibitRule:
    return InhibitRule(
        id=name, source_matchers=parse_matchers(source), target_matchers=parse_matchers(target), equal=equal
    )


CRITICAL = rule("critical", "severity=critical", "severity=~warning|info", "cluster")
BY_NAME = rule("by name", "alertname=Down", "alertname=Slow", "cluster")


def test_every_rule_that_inhibits_names_one_source_in_the_rules_order() -> None:
    found = inhibitors([CRITICAL, BY_NAME], {7: SLOW, 8: DOWN, 9: DOWN_TOO}, SLOW)
    assert found == (Inhibitor(rule_id="critical", alert_id=8), Inhibitor(rule_id="by name", alert_id=8))


def test_what_does_not_fire_inhibits_nothing() -> None:
    sources = Sources([CRITICAL])
    assert sources.inhibitors(7, SLOW) == inhibitors([CRITICAL], {}, SLOW) == ()


def test_while_one_source_lives_the_end_of_another_changes_nothing() -> None:
    sources = Sources([CRITICAL])
    sources.add(8, DOWN)
    sources.add(9, DOWN_TOO)
    sources.remove(8)
    assert sources.inhibitors(7, SLOW) == (Inhibitor(rule_id="critical", alert_id=9),)
    sources.remove(9)
    assert sources.inhibitors(7, SLOW) == ()


def test_an_alert_may_be_source_and_target_but_not_its_own() -> None:
    both = rule("both", "cluster=a", "cluster=a", "cluster")
    sources = Sources([both])
    sources.add(1, DOWN)
    sources.add(2, SLOW)
    assert sources.inhibitors(1, DOWN) == sources.inhibitors(2, SLOW) == ()
    assert sources.numbers == {1, 2}


def test_a_target_known_to_the_index_is_forgotten_with_its_end() -> None:
    sources = Sources([CRITICAL])
    sources.add(7, SLOW)
    assert sources.targeting(7, SLOW) == sources.targeting(7, SLOW) == [0]
    sources.remove(7)
    assert sources.targeting(7, DOWN) == []


LABELS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(["x", "y"]) for name in ("a", "b", "c")}
).map(Labels)  # fmt: skip
MATCHERS = st.lists(
    st.sampled_from(["a=x", "a=y", "b=x", "b!=x", 'c=""', "c=~x|y", "b!~y", "a=~.*"]), min_size=1, max_size=2
).map(lambda texts: parse_matchers(",".join(texts)))
RULES = st.lists(
    st.builds(
        InhibitRule,
        id=st.sampled_from(["1", "2", "3"]),
        source_matchers=MATCHERS,
        target_matchers=MATCHERS,
        equal=st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=2).map(tuple),
    ),
    max_size=3,
    unique_by=lambda one: one.id,
)
WORLDS = st.lists(st.dictionaries(st.integers(1, 5), LABELS), min_size=1, max_size=4)


@settings(max_examples=150)
@given(RULES, WORLDS)
def test_the_index_answers_as_the_plain_version_whatever_comes_and_goes(
    rules: list[InhibitRule], worlds: list[dict[int, Labels]]
) -> None:
    sources = Sources(rules)
    known: dict[int, Labels] = {}
    by_id = {one.id: one for one in rules}
    for world in worlds:
        # The labels of a row never change: what was seen once is the same when it fires again.
        known = {**world, **known}
        for number in sources.numbers - world.keys():
            sources.remove(number)
        for number in world.keys() - sources.numbers:
            sources.add(number, known[number])
        firing = {number: known[number] for number in world}
        for number, labels in known.items():
            found = sources.inhibitors(number, labels)
            assert [one.rule_id for one in found] == [one.rule_id for one in inhibitors(rules, firing, labels)]
            assert all(inhibits(by_id[one.rule_id], firing[one.alert_id], labels) for one in found)
