"""Rule files on both databases: what an import adds, changes, keeps and removes, and what it never touches."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from engine import importing
from engine.core.alert import Alert, Change, State, TransitionReason
from engine.core.importing import Plan, Why
from engine.importing import ImportRefusedError, Wish
from engine.store import alerts, rule_imports
from engine.store.database import Database
from rules.labels import Labels
from rules.rule import Rule

ORIGIN = "import:prometheus:shop"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def declared(*names: str, expr: str = "up > 1") -> list[Rule]:
    return [Rule(id="", name=name, group="g", expr=expr) for name in names]


def bring_in(database: Database, wanted: list[Rule], **wish: bool) -> Plan:
    return importing.bring_in(database, wanted, Wish(origin=ORIGIN, author="cli:ann", **wish))


def standing(database: Database, origin: str | None = ORIGIN) -> dict[str, Rule]:
    with database.read() as connection:
        return {rule.name: rule for rule in rule_imports.every(connection, origin)}


def fire(database: Database, rule: Rule) -> None:
    labels = Labels({"alertname": rule.name})
    alert = Alert(source=rule.id, labels=labels, sample_labels=Labels(), state=State.FIRING, active_at=NOON, value=1.0)
    with database.write() as connection:
        alerts.save(connection, [Change(before=None, alert=alert, reason=TransitionReason.HELD)])


def test_an_edit_keeps_the_rule_its_id_and_says_who_made_it(database: Database) -> None:
    bring_in(database, declared("a", "b"))
    before = standing(database)
    plan = bring_in(database, [*declared("a"), *declared("b", expr="up > 2")])
    after = standing(database)
    assert [change.after.name for change in plan.changed] == ["b"]
    assert (after["b"].id, after["b"].expr, after["b"].version) == (before["b"].id, "up > 2", 2)
    assert after["a"] == before["a"]
    with database.read() as connection:
        authors = connection.execute(text("SELECT DISTINCT author FROM definition_changes WHERE author = 'cli:ann'"))
        assert authors.scalars().all() == ["cli:ann"]


def test_an_import_of_the_same_again_writes_nothing(database: Database) -> None:
    heard: list[int] = []
    bring_in(database, declared("a", "b"))
    plan = importing.bring_in(
        database, declared("a", "b"), Wish(origin=ORIGIN, author="", prune=True), lambda done, _: heard.append(done)
    )
    assert (plan, heard) == (Plan(unchanged=2), [])


def test_a_dry_run_changes_nothing(database: Database) -> None:
    plan = bring_in(database, declared("a"), dry_run=True)
    assert [rule.name for rule in plan.added] == ["a"]
    assert standing(database) == {}


def test_what_is_gone_from_the_files_goes_only_with_prune(database: Database) -> None:
    bring_in(database, declared(*map(str, range(20))))
    left = declared(*map(str, range(19)))
    assert [rule.name for rule in bring_in(database, left).removed] == ["19"]
    assert "19" in standing(database)
    bring_in(database, left, prune=True)
    assert "19" not in standing(database)


def test_rules_of_another_origin_are_not_touched_even_where_they_have_the_id(database: Database) -> None:
    bring_in(database, declared("a"))
    with database.write() as connection:
        connection.execute(text("UPDATE alert_rules SET origin = 'sql', team = 'db'"))
    bring_in(database, declared("a", expr="up > 2"), prune=True, force=True)
    with database.read() as connection:
        found = sorted((rule.origin, rule.team, rule.expr) for rule in rule_imports.every(connection))
    assert found == [(ORIGIN, "", "up > 2"), ("sql", "db", "up > 1")]


def test_firing_rules_are_removed_only_by_force(database: Database) -> None:
    bring_in(database, declared(*map(str, range(20))))
    fire(database, standing(database)["19"])
    left = declared(*map(str, range(19)))
    with pytest.raises(ImportRefusedError) as refused:
        bring_in(database, left, prune=True)
    assert [reason.why for reason in refused.value.reasons] == [Why.FIRING]
    assert "1 firing alert" in "".join(refused.value.lines())
    assert len(standing(database)) == 20
    bring_in(database, left, prune=True, force=True)
    assert len(standing(database)) == 19


def test_a_dry_run_says_that_an_import_would_be_refused(database: Database) -> None:
    bring_in(database, declared("a", "b"))
    with pytest.raises(ImportRefusedError) as refused:
        bring_in(database, declared("a"), prune=True, dry_run=True)
    assert [reason.why for reason in refused.value.reasons] == [Why.MANY]


def test_more_rules_than_one_statement_takes_come_in_and_go_and_the_progress_is_told(database: Database) -> None:
    heard: list[tuple[int, int]] = []
    wanted = declared(*map(str, range(1100)))
    wish = Wish(origin=ORIGIN, author="", prune=True, force=True)
    importing.bring_in(database, wanted, wish, lambda done, total: heard.append((done, total)))
    assert heard == [(0, 1100), (500, 1100), (1000, 1100), (1100, 1100)]
    assert len(standing(database)) == 1100
    importing.bring_in(database, wanted[:3], wish)
    assert len(standing(database)) == 3


def test_a_rule_that_is_changed_meanwhile_is_compared_again(database: Database) -> None:
    bring_in(database, declared("a"))
    edits = iter(["up > 7"])

    def edit(done: int, _: int) -> None:
        for expr in edits if done == 0 else ():
            with database.write() as connection:
                connection.execute(text("UPDATE alert_rules SET expr = :expr"), {"expr": expr})

    plan = importing.bring_in(database, declared("a", expr="up > 2"), Wish(origin=ORIGIN, author=""), edit)
    assert [change.before.expr for change in plan.changed] == ["up > 7"]
    assert standing(database)["a"].expr == "up > 2"


def test_an_import_gives_up_when_its_rules_never_stay_as_they_are(sqlite: Database) -> None:
    bring_in(sqlite, declared("a"))

    def edit(done: int, _: int) -> None:
        with sqlite.write() as connection:
            connection.execute(text("UPDATE alert_rules SET expr = expr || ' + 0'"))

    with pytest.raises(ImportRefusedError, match="somebody keeps changing the rules"):
        importing.bring_in(sqlite, declared("a", expr="up > 2"), Wish(origin=ORIGIN, author=""), edit)


def test_files_are_read_in_their_order_and_their_mistakes_told_together(tmp_path: Path) -> None:
    good, bad, odd = (tmp_path / name for name in ("good.yml", "bad.yml", "odd.yml"))
    good.write_text("groups: [{name: g, rules: [{alert: a, expr: up > 1}, {record: b, expr: up}]}]")
    bad.write_text("groups: [{name: g, rules: [{alert: a}]}]")
    odd.write_bytes(b"\xff")
    found, warnings = importing.read([good])
    assert ([rule.name for rule in found], len(warnings)) == (["a"], 1)
    with pytest.raises(ImportRefusedError) as refused:
        importing.read([good, bad, odd, tmp_path / "nowhere.yml"])
    lines = list(refused.value.lines())
    assert [line.split("/")[-1].split(" ", 1)[0] for line in lines] == [
        "good.yml:1:54:",
        "bad.yml:1:28:",
        "odd.yml:1:1:",
        "nowhere.yml:1:1:",
    ]
    assert "no UTF-8 at byte 0" in lines[2]
    assert "no such file" in lines[3]
