"""`tocsin keys`: the text of a new key goes to stdout alone, and what the database keeps is listed and revoked by its id."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import requests
from typer.testing import CliRunner, Result

from api.commands import keys
from engine.store import api_keys
from engine.store.api_keys import ApiKey, Scope
from engine.store.database import Database, connect
from tests.api.stand_in import NoonClock
from tests.api.test_cli import COMMAND, FREE, address, started, tocsin

UNREACHABLE = "192.0.2.1:9"
"""An address for documentation (RFC 5737), which no machine has: others could reach it, and nobody can listen there."""


@dataclass(frozen=True)
class Console:
    """The commands on one database, in this process."""

    database: Database

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(keys.commands(self._opened), arguments)

    def made(self, *arguments: str) -> ApiKey:
        """The key these arguments to `create` make."""
        (text,) = self.run("create", *arguments).stdout.splitlines()
        found = api_keys.id_of(text)
        return next(key for key in self.keys() if key.id == found)

    def keys(self) -> list[ApiKey]:
        with self.database.read() as connection:
            return api_keys.every(connection)

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        yield self.database


@pytest.fixture
def console(database: Database) -> Console:
    return Console(database)


def test_a_new_keys_text_stands_alone_on_stdout(console: Console) -> None:
    ended = console.run("create", "ci", "--scope", "write", "--expires", "30d")
    assert ended.exit_code == 0
    assert re.fullmatch(r"tocsin_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\n", ended.stdout)
    (key,) = console.keys()
    assert ended.stderr == (
        f"Made the key 'ci' (id {key.id}, scope write, expires at 2026-12-21 12:00 UTC). It is shown only now:\n"
    )
    assert key.hash == api_keys.digest(ended.stdout.strip())


@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_has_the_scope_and_the_span_it_was_asked_for(console: Console, scope: Scope) -> None:
    key = console.made("ci", "--scope", scope.value, "--expires", "1h")
    assert (key.scope, key.name) == (scope, "ci")
    assert key.expires_at == key.created_at + timedelta(hours=1)
    assert key.created_by


def test_the_command_offers_every_scope_there_is() -> None:
    assert list(get_args(keys.ScopeName)) == list(Scope)


def test_without_a_span_a_key_never_expires(console: Console) -> None:
    assert console.made("ci", "--scope", "read").expires_at is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["ci"], "--scope", id="no scope"),
        pytest.param(["ci", "--scope", "root"], "root", id="no such scope"),
        pytest.param(["ci", "--scope", "read", "--expires", "soon"], "--expires: 'soon' is not a duration", id="span"),
        pytest.param(["ci", "--scope", "read", "--expires", "0s"], "--expires: a key that opens for 0s", id="nothing"),
        pytest.param(["two words", "--scope", "read"], "name 'two words': write 1 to 64", id="name"),
        pytest.param(["taken", "--scope", "read"], "name 'taken': the live key", id="taken"),
    ],
)
def test_what_cannot_be_made_ends_with_2_and_makes_nothing(console: Console, arguments: list[str], said: str) -> None:
    before = [console.made("taken", "--scope", "read")]
    ended = console.run("create", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert console.keys() == before


def test_keys_are_listed_without_anything_secret(console: Console) -> None:
    key = console.made("ci", "--scope", "write", "--expires", "30d")
    told: list[dict[str, Any]] = json.loads(console.run("list", "-o", "json").stdout)
    assert told == [
        {
            "id": key.id,
            "name": "ci",
            "scope": "write",
            "state": "live",
            "created_at": "2026-11-21T12:00:00+00:00",
            "created_by": key.created_by,
            "expires_at": "2026-12-21T12:00:00+00:00",
            "revoked_at": None,
            "last_used_at": None,
        }
    ]


def test_keys_are_listed_for_people(console: Console) -> None:
    key = console.made("ci", "--scope", "write")
    title, line = console.run("list").stdout.splitlines()
    assert title.split() == ["ID", "NAME", "SCOPE", "STATE", "CREATED", "BY", "EXPIRES", "LAST", "USED"]
    assert line.split()[:4] == [key.id, "ci", "write", "live"]
    assert key.hash not in line


def test_an_empty_list_says_how_to_make_one(console: Console) -> None:
    ended = console.run("list")
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert "tocsin keys create" in ended.stderr


def test_a_revoked_key_is_still_listed_and_revoked_once(console: Console) -> None:
    key = console.made("ci", "--scope", "write")
    first, again = console.run("revoke", key.id), console.run("revoke", key.id)
    assert (first.exit_code, first.stdout, again.exit_code) == (0, "", 0)
    assert first.stderr == f"The key 'ci' (id {key.id}) opens nothing any more.\n"
    assert again.stderr == f"The key 'ci' (id {key.id}) was revoked already.\n"
    assert json.loads(console.run("list", "-o", "json").stdout)[0]["state"] == "revoked"


def test_a_key_that_is_not_there_cannot_be_revoked(console: Console) -> None:
    ended = console.run("revoke", "00000000")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "there is no key with the id '00000000'" in ended.stderr


def test_the_first_key_can_be_made_before_anything_else_and_opens_the_engine(tmp_path: Path) -> None:
    status, text, err = tocsin(tmp_path, "keys", "create", "me", "--scope", "read")
    assert (status, len(err.splitlines())) == (0, 1)
    with started((*COMMAND, "serve"), tmp_path, TOCSIN_LISTEN=FREE):
        rules = f"http://{address(tmp_path)}/api/v1/rules"
        assert requests.get(rules, timeout=30).status_code == 401
        shown = {"Authorization": f"Bearer {text.strip()}"}
        assert requests.get(rules, headers=shown, timeout=30).status_code == 200


def served(home: Path, **environment: str) -> tuple[int, str]:
    """Exit code and last words of an engine that shall listen where others could reach it."""
    status, _, err = tocsin(home, "serve", TOCSIN_LISTEN=UNREACHABLE, **environment)
    return status, err.splitlines()[-1]


def test_an_address_that_others_can_reach_needs_a_key_in_the_settings_or_the_database(
    tmp_path: Path, migrated: Path
) -> None:
    unguarded = f"tocsin: TOCSIN_LISTEN: others can reach {UNREACHABLE}, and there is no API key"
    tried = f"tocsin: TOCSIN_LISTEN: cannot listen on {UNREACHABLE}"
    status, said = served(tmp_path)
    assert (status, said[: len(unguarded)]) == (2, unguarded)
    assert not (tmp_path / "tocsin.db").exists()
    assert served(tmp_path, TOCSIN_API_KEYS="0123456789abcdef")[1].startswith(tried)
    database = connect(str(shutil.copy(migrated, tmp_path / "tocsin.db")), NoonClock())
    over = Console(database).made("over", "--scope", "read")
    Console(database).run("revoke", over.id)
    assert served(tmp_path)[0] == 2
    Console(database).made("ci", "--scope", "read")
    database.close()
    assert served(tmp_path)[1].startswith(tried)


def test_a_database_of_another_version_is_left_as_it_is(tmp_path: Path, migrated: Path) -> None:
    database = connect(str(shutil.copy(migrated, tmp_path / "tocsin.db")), NoonClock())
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    status, out, err = tocsin(tmp_path, "keys", "create", "ci", "--scope", "read")
    assert (status, out) == (1, "")
    assert err.startswith("tocsin: the database is at revision 9999, not ")


def test_a_wrong_setting_ends_with_2(tmp_path: Path) -> None:
    status, out, err = tocsin(tmp_path, "keys", "list", TOCSIN_DATABASE_URL="mysql://u@h/n")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("tocsin: TOCSIN_DATABASE_URL: ")
