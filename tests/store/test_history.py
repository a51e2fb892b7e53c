"""The versions of a definition read the same on both databases, and one of them can be taken back."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.store import channels, history, rules, silences
from engine.store.changes import Operation
from engine.store.database import Database
from engine.store.history import Restorable, Version
from rules.silences import Silence


def run(database: Database, *statements: str, author: str | None = None) -> None:
    for statement in statements:
        with database.write(author) as connection:
            connection.execute(text(statement))


def listed(
    database: Database, key: str = "r", *, table: str = "alert_rules", before: int | None = None, limit: int = 100
) -> list[Version]:
    with database.read() as connection:
        return history.versions(connection, table, key, before=before, limit=limit)


def taken_back(database: Database, version: int, key: str = "r", table: str = "alert_rules") -> Restorable | None:
    with database.read() as connection:
        return history.restorable(connection, table, key, version)


INSERT = "INSERT INTO alert_rules (id, name, expr) VALUES ('r', 'Down', 'up == 0')"
PAGE = "UPDATE alert_rules SET severity = 'page' WHERE id = 'r'"
DELETE = "DELETE FROM alert_rules WHERE id = 'r'"
SILENCE = (
    "INSERT INTO silences (id, matchers, starts_at, ends_at) VALUES "
    """('r', '["a=b"]', '2026-11-21 12:00:00.000001+02:00', '2026-11-22T00:00:00Z')"""
)


def test_versions_come_newest_first_with_author_and_the_row_before_and_after(database: Database) -> None:
    run(database, INSERT, author="key:ops")
    run(database, PAGE, author="zoe")
    newest, oldest = listed(database)
    assert (newest.operation, newest.version, newest.author) == (Operation.UPDATE, 2, "zoe")
    assert (oldest.operation, oldest.version, oldest.author) == (Operation.INSERT, 1, "key:ops")
    assert newest.before == oldest.after
    assert oldest.before is None
    assert newest.after is not None
    assert newest.after["severity"] == "page"
    assert newest.change_id > oldest.change_id
    assert newest.at >= oldest.at


def test_versions_are_listed_in_pages(database: Database) -> None:
    run(database, INSERT, *[f"UPDATE alert_rules SET name = 'n{number}' WHERE id = 'r'" for number in range(4)])
    first = listed(database, limit=2)
    second = listed(database, before=first[-1].change_id, limit=2)
    third = listed(database, before=second[-1].change_id, limit=2)
    assert [[each.version for each in page] for page in (first, second, third)] == [[5, 4], [3, 2], [1]]


def test_other_rows_and_the_same_key_of_another_table_are_left_out(database: Database) -> None:
    run(database, INSERT, INSERT.replace("'r'", "'s'"), "INSERT INTO datasources (name) VALUES ('r')")
    assert len(listed(database)) == len(listed(database, table="datasources")) == 1
    assert listed(database, "t") == []


def test_a_deleted_definition_keeps_its_versions(database: Database) -> None:
    run(database, INSERT, PAGE, DELETE)
    deleted = listed(database)[0]
    assert (deleted.operation, deleted.version, deleted.after) == (Operation.DELETE, 2, None)
    assert deleted.before is not None
    assert deleted.before["severity"] == "page"
    assert len(listed(database)) == 3


def test_a_truncate_is_a_version_of_what_was_there(postgresql: Database) -> None:
    run(postgresql, INSERT, "TRUNCATE alert_rules CASCADE", INSERT.replace("'r'", "'s'"))
    assert [each.operation for each in listed(postgresql)] == [Operation.TRUNCATE, Operation.INSERT]
    assert [each.operation for each in listed(postgresql, "s")] == [Operation.INSERT]
    assert listed(postgresql, "never") == []


def test_instants_read_as_text_in_utc(database: Database) -> None:
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL timezone = 'Asia/Kolkata'"))
        connection.execute(text(SILENCE))
    (version,) = listed(database, table="silences")
    assert version.after is not None
    assert version.after["starts_at"] == "2026-11-21T10:00:00.000001Z"
    assert version.after["ends_at"] == "2026-11-22T00:00:00Z"
    assert str(version.after["created_at"]).endswith("Z")


def test_a_number_without_a_fraction_is_still_a_float(database: Database) -> None:
    columns = "id, name, metric_name, condition, threshold, for_seconds"
    run(database, f"INSERT INTO alert_rules ({columns}) VALUES ('r', 'n', 'up', '<', 1, 300)")
    (version,) = listed(database)
    assert version.after is not None
    assert [(type(value), value) for value in (version.after["threshold"], version.after["for_seconds"])] == [
        (float, 1.0),
        (float, 300.0),
    ]


def test_a_record_that_holds_no_instant_is_shown_as_it_stands(database: Database) -> None:
    run(database, SILENCE, """UPDATE definition_changes SET after = '{"ends_at": "when it is fixed"}'""")
    (version,) = listed(database, table="silences")
    assert version.after == {"ends_at": "when it is fixed"}


def test_an_older_version_reads_as_the_definition_it_was(database: Database) -> None:
    run(database, INSERT, PAGE)
    first, second = taken_back(database, 1), taken_back(database, 2)
    assert first is not None
    assert second is not None
    assert first.redacted == second.redacted == ()
    assert (rules.from_row(first.row).severity, rules.from_row(second.row).severity) == ("", "page")


def test_a_silence_of_the_record_has_moments_again(database: Database) -> None:
    run(database, SILENCE)
    with database.read() as connection:
        stored = silences.get(connection, "r")
    found = taken_back(database, 1, table="silences")
    assert found is not None
    assert isinstance(stored, Silence)
    assert silences.from_row(found.row) == stored


def test_what_was_deleted_can_be_taken_back(database: Database) -> None:
    run(database, INSERT, PAGE, DELETE)
    run(database, "DELETE FROM definition_changes WHERE operation = 'update'")
    found = taken_back(database, 2)
    assert found is not None
    assert rules.from_row(found.row).severity == "page"


def test_of_two_lives_the_later_is_taken_back(database: Database) -> None:
    run(database, INSERT, DELETE, INSERT.replace("Down", "Gone"))
    found = taken_back(database, 1)
    assert found is not None
    assert found.row["name"] == "Gone"


@pytest.mark.parametrize("version", [0, 3])
def test_a_version_that_never_was_cannot_be_taken_back(database: Database, version: int) -> None:
    run(database, INSERT, PAGE)
    assert taken_back(database, version) is None


def test_secrets_are_not_in_a_version_and_it_says_which_were(database: Database) -> None:
    secrets = """'{"bot_token": "xoxb-1", "channel": "#a", "port": "env:PORT"}'"""
    run(
        database,
        f"INSERT INTO channels (name, kind, url, settings) VALUES ('r', 'slack', 'https://hooks/T0', {secrets})",
        """INSERT INTO datasources (name, urls, auth) VALUES ('r', '["http://a", "http://u:p@b"]', """
        """'{"kind": "basic", "username": "u", "password": "p"}')""",
        "UPDATE channels SET team = '[redacted]' WHERE name = 'r'",
    )
    channel, datasource = taken_back(database, 2, table="channels"), taken_back(database, 1, table="datasources")
    assert channel is not None
    assert datasource is not None
    assert channel.redacted == ("url", "settings.bot_token")
    assert datasource.redacted == ("urls.1", "auth.password")
    assert channels.from_row(channel.row).settings["channel"] == "#a"
