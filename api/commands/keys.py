"""`tocsin keys`: make, list and revoke API keys.

They work on the database itself, not over the API: the first key could not be asked of an API that wants one, and whoever has
the database's address may do everything anyway. A new key's text is all that goes to stdout, for `KEY=$(tocsin keys create …)`.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from api.commands import output, words
from api.commands.failures import CommandError, UsageError
from api.commands.nouns import Column, Fields, Fit, column
from api.commands.options import Output, group

if TYPE_CHECKING:
    from engine.store.api_keys import ApiKey
    from engine.store.database import Database

ScopeName = Literal["read", "silence", "write", "admin"]
Opened = Callable[[], AbstractContextManager["Database"]]
"""Opens the migrated database that the environment names."""


def _when(title: str, field: str) -> Column:
    return Column(title=title, read=lambda key, now: words.relative(key[field], now), fit=Fit.WHOLE)


_COLUMNS: Final = (
    column("ID", "id", Fit.WHOLE),
    column("NAME", "name"),
    column("SCOPE", "scope", Fit.WHOLE),
    column("STATE", "state", Fit.WHOLE),
    _when("CREATED", "created_at"),
    column("BY", "created_by"),
    _when("EXPIRES", "expires_at"),
    _when("LAST USED", "last_used_at"),
)

_Name = Annotated[str, typer.Argument(help="Who or what it is for; changes made with it are signed key:NAME.")]
_Scope = Annotated[ScopeName, typer.Option(help="How far it reaches, each containing the ones before.")]
_Expires = Annotated[
    str | None, typer.Option(metavar="DURATION", help="How long it opens, such as 30d; else for ever.")
]
_Id = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `tocsin keys list` shows it.")]


def commands(opened: Opened) -> typer.Typer:
    """The commands on the database that `opened` opens."""
    keys = group("Make, list and revoke API keys, in the database itself.")

    @keys.command()
    def create(name: _Name, scope: _Scope, expires: _Expires = None) -> None:
        """Make a key. It is shown this once, alone on stdout; the database keeps only its hash."""
        lasting = _span(expires)
        with opened() as database:
            _create(database, name, scope, lasting)

    @keys.command("list")
    def list_keys(output_format: Output = output.Format.TABLE) -> None:
        """All keys, oldest first, those that are over too."""
        with opened() as database:
            found = _documents(database)
        output.show_list(found, _COLUMNS, output_format, nothing="There are no keys yet: tocsin keys create makes one.")

    @keys.command()
    def revoke(key_id: _Id) -> None:
        """Let the key open nothing from this moment. That cannot be taken back; another key can be made."""
        with opened() as database:
            _revoke(database, key_id)

    return keys


def _create(database: Database, name: str, scope: ScopeName, lasting: timedelta | None) -> None:
    from engine.store import api_keys

    try:
        with database.write() as connection:
            key, text = api_keys.create(
                connection,
                name=name,
                scope=api_keys.Scope(scope),
                created_by=_who(),
                lasting=lasting,
                now=database.now(connection),
            )
    except api_keys.ApiKeyError as error:
        raise UsageError(str(error)) from error
    until = "never expires" if key.expires_at is None else f"expires at {key.expires_at:%Y-%m-%d %H:%M} UTC"
    output.note(f"Made the key {key.name!r} (id {key.id}, scope {key.scope}, {until}). It is shown only now:")
    output.say(text)


def _documents(database: Database) -> list[Fields]:
    from engine.store import api_keys

    with database.read() as connection:
        now = database.now(connection)
        return [_document(key, now) for key in api_keys.every(connection)]


def _revoke(database: Database, key_id: str) -> None:
    from engine.store import api_keys

    with database.write() as connection:
        before = api_keys.get(connection, key_id)
        key = api_keys.revoke(connection, key_id, by=_who(), now=database.now(connection))
    if before is None or key is None:
        raise CommandError(f"there is no key with the id {key_id[:80]!r}: tocsin keys list shows them all")
    what = "was revoked already" if before.revoked_at is not None else "opens nothing any more"
    output.note(f"The key {key.name!r} (id {key.id}) {what}.")


def _span(text: str | None) -> timedelta | None:
    from rules import durations
    from rules.errors import DurationError

    if text is None:
        return None
    try:
        span = durations.parse(text)
    except DurationError as error:
        raise UsageError(f"--expires: {error.message}") from error
    if not span:
        raise UsageError("--expires: a key that opens for 0s opens nothing; write 30d, or leave it out")
    return span


def _who() -> str:
    """The account that runs the command; its number where the system knows no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _document(key: ApiKey, now: datetime) -> dict[str, str | None]:
    return {
        "id": key.id,
        "name": key.name,
        "scope": key.scope.value,
        "state": key.state(now).value,
        "created_at": key.created_at.isoformat(),
        "created_by": key.created_by,
        "expires_at": _instant(key.expires_at),
        "revoked_at": _instant(key.revoked_at),
        "last_used_at": _instant(key.last_used_at),
    }


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
