"""`tocsin secrets`: fresh keys, and every secret in the database under the newest of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from api.commands import secrets
from engine.delivery.sealing import Keys, fresh_key, is_key, is_sealed
from engine.store import channels, datasources
from engine.store.database import Database
from engine.store.scrubbing import scrub
from rules.channels import Channel, ChannelKind
from rules.datasource import Datasource

CANARY = "canary-0123456789"
OLD, NEW = fresh_key(), fresh_key()
HOOK = f"https://hooks.example.org/{CANARY}"


def run(database: Database, *arguments: str, keys: tuple[str, ...] = (NEW, OLD)) -> Result:
    @contextmanager
    def opened() -> Iterator[Database]:
        yield database

    return CliRunner().invoke(secrets.commands(opened, lambda: Keys(keys)), arguments)


@pytest.fixture
def filled(database: Database) -> Database:
    """One secret typed by SQL, one under the old key, one that is a reference, and a datasource's two."""
    with database.write() as connection:
        settings = f'{{"authorization": "Bearer {CANARY}", "ca_file": "/etc/ca.pem"}}'
        typed = "INSERT INTO channels (name, kind, url, settings) VALUES ('typed', 'webhook', :url, :settings)"
        connection.execute(text(typed), {"url": HOOK, "settings": settings})
        channels.put(connection, Channel(name="old", kind=ChannelKind.SLACK, url=Keys([OLD]).seal(HOOK)))
        urls, auth = (f"http://u:{CANARY}@p:9090", "http://q:9090"), {"username": "u", "password": CANARY}
        datasources.put(connection, Datasource(name="d", urls=urls, auth=auth))
    return database


def channel(database: Database, name: str) -> Channel:
    with database.read() as connection:
        found = channels.get(connection, name)
    assert found is not None
    return found


def test_a_fresh_key_stands_alone_on_stdout(database: Database) -> None:
    first, second = run(database, "generate"), run(database, "generate")
    assert (first.exit_code, first.stderr) == (0, "")
    assert is_key(first.stdout.strip())
    assert first.stdout != second.stdout


def test_every_secret_is_encrypted_with_the_first_key(filled: Database) -> None:
    ended = run(filled, "rotate")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == "Encrypted with the first key: 4 secrets that stood in clear, 1 of older keys.\n"
    newest = Keys([NEW])
    typed = channel(filled, "typed")
    assert (newest.opened(typed.url), newest.opened(typed.settings["authorization"])) == (HOOK, f"Bearer {CANARY}")
    assert typed.settings["ca_file"] == "/etc/ca.pem"
    assert newest.opened(channel(filled, "old").url) == HOOK
    assert channel(filled, "slack").url == "env:SLACK_WEBHOOK_URL"
    with filled.read() as connection:
        source = datasources.get(connection, "d")
    assert source is not None
    assert (newest.opened(source.urls[0]), source.urls[1]) == (f"http://u:{CANARY}@p:9090", "http://q:9090")
    assert (source.auth["username"], newest.opened(source.auth["password"])) == ("u", CANARY)


def test_who_did_it_is_recorded_and_the_secrets_are_not(filled: Database) -> None:
    run(filled, "rotate")
    with filled.read() as connection:
        asked = text("SELECT author, before, after FROM definition_changes WHERE row_id = 'typed' ORDER BY id DESC")
        author, before, after = connection.execute(asked).first() or ("", "", "")
    assert author == "tocsin secrets"
    assert "enc:" not in f"{before} {after}"


def test_once_more_changes_nothing(filled: Database) -> None:
    run(filled, "rotate")
    before = channel(filled, "typed")
    assert (
        run(filled, "rotate").stdout
        == "Encrypted with the first key: 0 secrets that stood in clear, 0 of older keys.\n"
    )
    assert channel(filled, "typed") == before


def test_nothing_in_clear_is_left_in_the_file(filled: Database, tmp_path: Path) -> None:
    assert CANARY.encode() in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    run(filled, "rotate")
    assert CANARY.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_a_file_that_somebody_reads_is_not_called_clean(filled: Database) -> None:
    with filled.read() as reader:
        reader.execute(text("SELECT 1 FROM channels")).all()
        assert not scrub(filled)
    assert scrub(filled)


def test_a_secret_that_no_key_opens_stays_and_is_named(filled: Database) -> None:
    ended = run(filled, "rotate", keys=(NEW,))
    assert ended.exit_code == 1
    assert "channel 'old', url: is encrypted, and no key of TOCSIN_SECRET_KEY opens it" in ended.stderr
    assert Keys([OLD]).opened(channel(filled, "old").url) == HOOK
    assert is_sealed(channel(filled, "typed").url)


def test_without_a_key_nothing_is_done(filled: Database) -> None:
    ended = run(filled, "rotate", keys=())
    assert ended.exit_code == 2
    assert "TOCSIN_SECRET_KEY is not set" in ended.stderr
    assert channel(filled, "typed").url == HOOK
