"""What an import makes of the rules that stand: ids that stay, changes, removals, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.importing import Change, Plan, Why, differences, guard, plan
from rules.labels import LabelTexts
from rules.rule import Condition, NoData, Rule

ORIGIN = "import:prometheus:shop"


def declared(name: str = "a", group: str = "g", expr: str = "up > 1", **labels: str) -> Rule:
    severity = labels.pop("severity", "")
    return Rule(id="", name=name, group=group, expr=expr, labels=LabelTexts(labels), severity=severity)


def standing(id_: str, rule: Rule) -> Rule:
    return replace(rule, id=id_, origin=ORIGIN, version=3)


def planned(wanted: list[Rule], known: list[Rule]) -> Plan:
    return plan(wanted, known, origin=ORIGIN)


def test_a_new_rule_gets_the_same_id_wherever_it_is_imported() -> None:
    first, second = (planned([declared(team="db", severity="info")], []).added for _ in range(2))
    assert first == second
    assert (first[0].origin, len(first[0].id)) == (ORIGIN, 16)


def test_ids_differ_by_group_name_labels_severity_and_origin() -> None:
    wanted = [declared(), declared(name="b"), declared(group="h"), declared(x="y"), declared(severity="y")]
    ids = [rule.id for rule in planned(wanted, []).added]
    ids += [rule.id for rule in plan([declared()], [], origin="import:prometheus:other").added]
    assert len(set(ids)) == 6


def test_equal_rules_get_ids_of_their_own_and_no_id_that_is_taken() -> None:
    first, second = planned([declared(), declared()], []).added
    (third,) = plan([declared()], [], origin=ORIGIN, taken=[first.id, second.id]).added
    assert len({first.id, second.id, third.id}) == 3


EDITS = {
    "expr": replace(declared(), expr="up > 2"),
    "for": replace(declared(), hold=timedelta(minutes=5)),
    "annotations": replace(declared(), annotations={"summary": "x"}),
    "limit": replace(declared(), limit=5),
    "interval": replace(declared(), interval=timedelta(minutes=5)),
    "labels": declared(team="db"),
    "severity": declared(severity="critical"),
    "group": declared(group="other"),
}


@pytest.mark.parametrize(("field", "wanted"), EDITS.items(), ids=EDITS)
def test_an_edited_rule_keeps_its_id(field: str, wanted: Rule) -> None:
    found = planned([wanted], [standing("one", declared())])
    (change,) = found.changed
    assert (change.after.id, change.after.version, differences(change)) == ("one", 3, (field,))
    assert (found.added, found.removed, found.unchanged) == ((), (), 0)


def test_a_rule_that_stands_as_declared_is_left_alone() -> None:
    assert planned([declared(x="y")], [standing("one", declared(x="y"))]) == Plan(unchanged=1)
    assert planned([], []).is_empty


def test_what_a_file_cannot_say_stays() -> None:
    before = replace(standing("one", declared()), notification_channels=("slack",), no_data=NoData.ALERT, team="db")
    (change,) = planned([declared(expr="up > 2")], [before]).changed
    assert change == Change(before=before, after=replace(before, expr="up > 2"))


def test_a_metric_and_its_threshold_give_way_to_the_declared_expr() -> None:
    before = replace(standing("one", declared()), expr=None, metric_name="up", condition=Condition.ABOVE, threshold=1.0)
    (change,) = planned([declared()], [before]).changed
    assert differences(change) == ("expr", "metric_name", "condition", "threshold")


def test_a_rule_of_the_same_labels_goes_before_one_that_only_has_the_name() -> None:
    known = [standing("one", declared(site="x")), standing("two", declared(site="y"))]
    found = planned([declared(site="y"), declared(site="z")], known)
    assert [(change.before.id, dict(change.after.labels)) for change in found.changed] == [("one", {"site": "z"})]


def test_a_rule_that_is_declared_no_more_is_removed() -> None:
    known = [standing("one", declared()), standing("two", declared(name="b"))]
    found = planned([declared()], known)
    assert (found.removed, found.unchanged, found.is_empty) == ((known[1],), 1, False)


NAMES = st.sampled_from("ab")
RULES = st.lists(st.builds(declared, name=NAMES, group=NAMES, expr=st.sampled_from(["x > 1", "y > 1"]), team=NAMES))


@given(RULES, RULES)
def test_after_an_import_there_is_what_was_declared_and_nothing_is_left_to_do(
    first: list[Rule], second: list[Rule]
) -> None:
    known = list(planned(first, []).added)
    found = planned(second, known)
    gone = {rule.id for rule in found.removed}
    after = {rule.id: rule for rule in known if rule.id not in gone}
    after |= {change.after.id: change.after for change in found.changed} | {rule.id: rule for rule in found.added}
    bare = sorted((replace(rule, id="", origin="sql") for rule in after.values()), key=repr)
    assert bare == sorted(second, key=repr)
    assert planned(second, list(after.values())) == Plan(unchanged=len(second))


def named(count: int) -> list[Rule]:
    return [standing(f"id-{at}", declared(name=f"rule-{at}")) for at in range(count)]


def test_a_tenth_of_all_rules_may_go() -> None:
    assert guard(named(2), rules=20, firing={"other": 1, "id-0": 0}) == ()
    assert guard([], rules=0, firing={}) == ()


def test_more_than_a_tenth_of_all_rules_may_not_go() -> None:
    (reason,) = guard(named(7), rules=60, firing={})
    assert reason.why is Why.MANY
    assert str(reason) == (
        "7 of all 60 rules would be removed, which is more than a tenth: rule-0, rule-1, rule-2, rule-3, rule-4 and 2 more"
    )


@pytest.mark.parametrize(
    ("firing", "sentence"),
    [
        ({"id-1": 1}, "1 rule to be removed has 1 firing alert, which would be told as resolved: rule-1"),
        (
            {"id-0": 2, "id-1": 1},
            "2 rules to be removed have 3 firing alerts, which would be told as resolved: rule-0, rule-1",
        ),
    ],
    ids=["one", "several"],
)
def test_firing_rules_may_not_go(firing: dict[str, int], sentence: str) -> None:
    assert [(reason.why, str(reason)) for reason in guard(named(2), rules=100, firing=firing)] == [
        (Why.FIRING, sentence)
    ]
