"""`tocsin secrets`: make a key for the secrets in the database, and encrypt them all with the newest one.

They work on the database itself, not over the API: the API never tells a secret, and whoever has database and keys has them
all anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import typer

from api.commands import output
from api.commands.failures import CommandError, UsageError
from api.commands.options import group

if TYPE_CHECKING:
    from engine.delivery.sealing import Keys
    from engine.store.database import Database
    from engine.store.door import Connection

AUTHOR: Final = "tocsin secrets"
"""Who the record of changes names."""
PAGE: Final = 500


def commands(opened: Callable[[], AbstractContextManager[Database]], keys: Callable[[], Keys]) -> typer.Typer:
    """The commands on the database that `opened` opens, with the keys of the environment."""
    secrets = group("Make keys for the secrets in the database, and encrypt them all anew.")

    @secrets.command()
    def generate() -> None:
        """Make a key for TOCSIN_SECRET_KEY. It is shown this once, alone on stdout, and kept nowhere."""
        from engine.delivery.sealing import fresh_key

        output.say(fresh_key())

    @secrets.command()
    def rotate() -> None:
        """Encrypt every secret in the database with the first key of TOCSIN_SECRET_KEY, also those in clear.

        Afterwards the other keys are needed no more. Running it again changes nothing; engines may run meanwhile.
        """
        known = keys()
        if not known:
            raise UsageError(
                "TOCSIN_SECRET_KEY is not set, so there is nothing to encrypt with: tocsin secrets generate"
            )
        with opened() as database:
            _rotate(database, known)

    return secrets


@dataclass(slots=True)
class _Tally:
    """What was done so far; `unopened` names the secrets no key opens."""

    keys: Keys
    sealed: int = 0
    rotated: int = 0
    unopened: list[str] = field(default_factory=list)

    def keeping(self, owner: str) -> Callable[[str, str], str]:
        """How a secret of this definition is kept from now on."""
        from engine.delivery.sealing import is_sealed
        from rules.errors import ChannelError

        def keep(name: str, text: str) -> str:
            if not is_sealed(text):
                self.sealed += 1
                return self.keys.seal(text)
            if self.keys.is_newest(text):
                return text
            try:
                clear = self.keys.opened(text)
            except ChannelError as error:
                self.unopened.append(f"{owner}, {name}: {error.message}")
                return text
            self.rotated += 1
            return self.keys.seal(clear)

        return keep


class _Noun(NamedTuple):
    """One kind of definition that may hold secrets: its word, its store, and how its secrets are put through something."""

    word: str
    store: Any
    with_texts: Callable[[Any, Callable[[str, str], str]], Any]


def _nouns() -> tuple[_Noun, ...]:
    from engine.delivery import custody
    from engine.store import channels, datasources

    return (
        _Noun("channel", channels, custody.with_channel_texts),
        _Noun("datasource", datasources, custody.with_datasource_texts),
    )


def _rotate(database: Database, keys: Keys) -> None:
    from engine.store.scrubbing import scrub

    tally = _Tally(keys)
    with database.write(author=AUTHOR) as connection:
        for noun in _nouns():
            for before in _all(noun, connection):
                _keep(connection, noun, before, tally)
    output.say(
        f"Encrypted with the first key: {tally.sealed} secrets that stood in clear, {tally.rotated} of older keys."
    )
    if not scrub(database) and (tally.sealed or database.is_sqlite):
        output.note(
            "The old texts may still be in the database's files, its log and its backups: change those secrets where they "
            "come from if others could read them."
        )
    if tally.unopened:
        raise CommandError("some secrets stay as they are, for no key opens them", *tally.unopened)


def _keep(connection: Connection, noun: _Noun, before: Any, tally: _Tally) -> None:
    """Store the definition with its secrets encrypted anew. A writer in between undoes all, rather than lose his change."""
    after = noun.with_texts(before, tally.keeping(f"{noun.word} {before.name!r}"))
    if after != before and noun.store.put(connection, after).version > before.version + 1:
        raise CommandError(f"{noun.word} {before.name!r} was changed meanwhile, so nothing was: run it again")


def _all(noun: _Noun, connection: Connection) -> Iterator[Any]:
    """Every definition of this kind that can be read, by name."""
    after: str | None = None
    while page := noun.store.page(connection, after=after, limit=PAGE):
        yield from page
        after = page[-1].name
