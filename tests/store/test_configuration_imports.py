"""Alertmanager's file brought into both databases: all of it in one transaction and one configuration, or nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from engine import alertmanager_file
from engine.alertmanager_file import Brought, Wish, bring_in
from engine.core.importing_configuration import Plan, Standing
from engine.delivery.references import Sources
from engine.delivery.sealing import Keys, fresh_key, is_sealed
from engine.importing import ImportRefusedError
from engine.publishing import Publishing
from engine.store import channels, configuration_imports, routes
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed
from engine.store.tables import definition_changes
from rules.channels import Channel, ChannelKind
from rules.routing import ROOT, Route

FILES = Path(__file__).parents[1] / "alertmanager_files" / "good"
WISH = Wish(origin="import:alertmanager:shop", author="me")


def standing(database: Database) -> Standing:
    with database.read() as connection:
        return configuration_imports.standing(connection)


def brought(database: Database, file: Path, wish: Wish = WISH, environment: Sources | None = None) -> Brought:
    return bring_in(database, file, wish, Sources({}) if environment is None else environment)


def in_force(database: Database) -> int:
    feed = DefinitionFeed()
    return Publishing(database=database, feed=feed).publish().configuration.version


def names(database: Database) -> set[str]:
    return {channel.name for channel in standing(database).channels if channel.origin == WISH.origin}


def test_a_file_is_in_force_as_one_configuration_and_the_next_one_replaces_it(database: Database) -> None:
    before = in_force(database)
    brought(database, FILES / "nested_teams.yml")
    assert in_force(database) == before + 1
    assert len([route for route in standing(database).routes if route.origin == WISH.origin]) == 10
    done = brought(database, FILES / "business_hours.yml")
    assert in_force(database) == before + 2
    assert (len(done.plan.removed) > 10, names(database)) == (True, {"chat", "pager"})
    assert [one.name for one in standing(database).time_intervals if one.origin == WISH.origin] == [
        *("holidays", "nights", "office-hours", "saturdays", "weekends"),
    ]


def test_the_same_file_again_writes_nothing(database: Database) -> None:
    brought(database, FILES / "platform.yml")
    with database.read() as connection:
        before = connection.execute(select(func.count()).select_from(definition_changes)).scalar_one()
    assert brought(database, FILES / "platform.yml").plan.is_empty
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(definition_changes)).scalar_one() == before
        authors = connection.execute(text("SELECT DISTINCT author FROM definition_changes WHERE table_name = 'routes'"))
        assert "me" in set(authors.scalars())


def test_a_dry_run_tells_the_same_and_writes_nothing(database: Database) -> None:
    before = standing(database)
    tried = brought(database, FILES / "platform.yml", replace(WISH, dry_run=True))
    assert standing(database) == before
    assert brought(database, FILES / "platform.yml").plan == tried.plan


def test_what_cannot_be_read_or_has_mistakes_changes_nothing(database: Database, tmp_path: Path) -> None:
    before = standing(database)
    with pytest.raises(ImportRefusedError, match="cannot be read"):
        brought(database, tmp_path / "nowhere.yml")
    file = tmp_path / "bad.yml"
    file.write_text("route: {receiver: a}\n")
    with pytest.raises(ImportRefusedError) as refused:
        brought(database, file)
    assert list(refused.value.lines()) == [f"{file}:1:19: route: receiver 'a' is not defined; there is none"]
    assert standing(database) == before


def test_a_root_of_somebody_elses_is_replaced_only_by_force(database: Database) -> None:
    with database.write() as connection:
        root = routes.get(connection, ROOT)
        assert root is not None
        routes.put(connection, replace(root, origin="api"))
    with pytest.raises(ImportRefusedError, match="not its own") as refused:
        brought(database, FILES / "minimal.yml")
    assert "the root route is of 'api'" in str(refused.value.reasons[0])
    assert len(brought(database, FILES / "minimal.yml", replace(WISH, force=True)).plan.changed) == 1


def test_a_route_of_somebody_elses_is_not_left_without_its_parent(database: Database) -> None:
    brought(database, FILES / "nested_teams.yml")
    mine = next(route for route in standing(database).routes if route.parent_id == ROOT)
    with database.write() as connection:
        routes.put(connection, Route(id="theirs", parent_id=mine.id, origin="api"))
    with pytest.raises(ImportRefusedError, match=r"move what hangs below it first.*'theirs'"):
        brought(database, FILES / "minimal.yml", replace(WISH, force=True))


def test_secrets_are_sealed_where_there_is_a_key_and_stay_as_they_are(database: Database) -> None:
    sources = Sources({}, secret_keys=Keys([fresh_key()]))
    done = brought(database, FILES / "minimal.yml", environment=sources)
    assert done.plan.notes == ()
    (ops,) = [channel for channel in standing(database).channels if channel.name == "ops"]
    assert is_sealed(ops.url)
    assert "http://127.0.0.1:9/hook\n" in alertmanager_file.written(database, sources)
    assert brought(database, FILES / "minimal.yml", environment=sources).plan.is_empty


def test_secrets_that_stand_in_clear_are_told(database: Database) -> None:
    (note,) = brought(database, FILES / "minimal.yml").plan.notes
    assert note.startswith("secrets of ops: stands in the database in clear: ")


def test_template_files_beside_the_file_are_put_into_the_texts(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "am.yml"
    shutil.copy(FILES / "civic_site.yml", file)
    wanted = file.read_text().replace("title: 'Alert:", 'title: \'{{ template "who" . }}:')
    file.write_text(wanted + "templates: ['tmpl/*.tmpl']\n")
    (told,) = [flaw for flaw in brought(database, file).warnings if "template" in flaw.problem.message]
    assert "calls the template 'who'" in str(told)
    (tmp_path / "tmpl").mkdir()
    (tmp_path / "tmpl" / "a.tmpl").write_text('{{ define "who" }}Civic{{ end }}')
    brought(database, file)
    with database.read() as connection:
        team = channels.get(connection, "team")
    assert team is not None
    assert team.templates["title"].startswith('{{ define "who" }}Civic{{ end }}{{ template "who" . }}')
    (tmp_path / "tmpl" / "b.tmpl").write_bytes(b"\xff")
    with pytest.raises(ImportRefusedError, match="mistakes"):
        brought(database, file)


def test_a_rule_keeps_its_channel_and_the_export_says_that_it_has_one(database: Database) -> None:
    brought(database, FILES / "business_hours.yml")
    with database.write() as connection:
        connection.execute(
            text(
                "INSERT INTO alert_rules (id, name, expr, notification_channels) VALUES "
                "('r', 'Own', 'up == 0', '[\"pager\"]'), ('s', 'None', 'up == 0', '[]')"
            )
        )
    done = brought(database, FILES / "minimal.yml")
    assert "channel 'pager' stays, because a rule names it" in done.plan.notes
    written = alertmanager_file.written(database, None)
    assert "# rules that name their channels themselves have no route here: Own\n" in written
    assert "http://127.0.0.1:9/\n" in written
    assert "http://127.0.0.1:9/hook\n" in alertmanager_file.written(database, {})


def test_a_sealed_secret_is_written_in_clear_only_for_who_has_the_key(database: Database) -> None:
    with database.write() as connection:
        channels.put(connection, Channel(name="x", kind=ChannelKind.PAGERDUTY, url="enc:nobody", origin="api"))
    assert "routing_key: <secret>" in alertmanager_file.written(database, Sources({}))


def test_an_edit_meanwhile_has_it_worked_out_again_three_times(database: Database) -> None:
    edits: list[int] = []

    def edit(_: Plan) -> None:
        edits.append(len(edits))
        with database.write() as connection:
            channels.put(connection, Channel(name="c", kind=ChannelKind.LOG, team=f"{len(edits)}", origin="api"))

    with pytest.raises(ImportRefusedError, match="keeps changing"):
        bring_in(database, FILES / "minimal.yml", WISH, Sources({}), edit)
    assert (edits, names(database)) == ([0, 1, 2], set())
