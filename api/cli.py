"""The `tocsin` command: serve, migrate, demo, keys, secrets. The environment is read here, and exit codes are decided here.

Commands import what they need when they run, so that `tocsin --help` does not wait for a web server and a database
toolkit. Exit codes: 0 done or asked to stop, 1 failed, 2 told something wrong (settings, options).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands import checking, comparing, explain, groups, importing, keys, plan, secrets, testing
from api.commands.failures import FAILED, WRONG, give_up, one_line_for_what_can_happen
from api.commands.options import EXIT_CODES

if TYPE_CHECKING:
    from engine.settings import Settings
    from engine.store.database import Database

# Typer's own tracebacks would show local variables, and with them secrets.
app = typer.Typer(
    name="tocsin", no_args_is_help=True, pretty_exceptions_enable=False, epilog=f"{EXIT_CODES} See docs/cli.md."
)
groups.mount(app)
app.command()(explain.explain)
app.command()(plan.plan)
app.command()(checking.check)
app.command("test")(testing.run_tests)


def main() -> None:
    """Run the command line."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from engine.telemetry import version

        typer.echo(f"tocsin {version()}")
        raise typer.Exit


@app.callback()
def tocsin(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")] = False,
) -> None:
    """An alert rule engine: rules are SQL rows, and every decision can be explained.

    It is set up by environment variables, all of them in docs/settings.md.
    """


@app.command()
def serve(
    roles: Annotated[
        str | None,
        typer.Option(help="What to do of evaluator, dispatcher, sender and api, with commas; by default everything."),
    ] = None,
) -> None:
    """Evaluate rules, tell people, and answer the API, until SIGTERM or Ctrl-C."""
    settings = _settings({} if roles is None else {"TOCSIN_ROLES": roles})
    from api.app import create_app
    from api.serving import run
    from engine.service import build
    from engine.telemetry import configure_logging

    _others_need_a_key(settings)
    configure_logging(settings.log_level, settings.log_format)
    raise typer.Exit(run(settings, build, create_app))


@app.command()
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when there is something to do.")
    ] = False,
) -> None:
    """Bring the database to the schema of this version. `serve` does so by itself."""
    from engine.store import schema

    database = _database(_settings())
    with one_line_for_what_can_happen():
        before, head = schema.current(database.engine), schema.head()
        if before == head:
            typer.echo(f"The database is at revision {head}, the newest.")
        elif check:
            give_up(f"the database is at revision {before or 'none'}, not {head}: run tocsin migrate", FAILED)
        else:
            schema.upgrade(database.engine)
            typer.echo(f"Migrated the database from revision {before or 'none'} to {head}.")
    database.close()


@app.command()
def doctor() -> None:
    """Look at everything once, and say what is wrong; exit 1 when something keeps alerts from being told.

    It needs no running server, only the database and the settings of the environment, and changes nothing.
    """
    from engine.checkup import Verdict, examine

    settings = _settings()
    database = _database(settings)
    bad = False
    with closing(database):
        if database.file is not None and not database.file.exists():
            give_up(f"TOCSIN_DATABASE_URL: there is no {database.file} yet: start tocsin serve", FAILED)
        for line in examine(settings, database):
            typer.echo(f"{line.verdict.value:<5} {line.what}: {line.detail}")
            bad = bad or line.verdict is Verdict.BAD
    raise typer.Exit(FAILED if bad else 0)


@app.command()
def demo(
    prometheus: Annotated[
        Path | None, typer.Option(help="The Prometheus program to run; by default the one on PATH.")
    ] = None,
) -> None:
    """Watch one alert from its rule to its resolve: a real Prometheus, the real engine, on this machine only."""
    from api.demo.story import main as tell

    raise typer.Exit(tell(prometheus))


def _settings(also: Mapping[str, str] | None = None) -> Settings:
    from engine.settings import SettingsError, load

    try:
        return load({**os.environ, **(also or {})})
    except SettingsError as error:
        give_up(str(error), WRONG)


def _database(settings: Settings) -> Database:
    from engine.clock import SystemClock
    from engine.store.database import connect

    with one_line_for_what_can_happen():
        return connect(settings.database_url, SystemClock())


def _others_need_a_key(settings: Settings) -> None:
    """End here when others can reach the address and nothing would ask them for a key."""
    if settings.listen.is_loopback or settings.api_keys:
        return
    from engine.store import api_keys, schema

    database = _database(settings)
    with one_line_for_what_can_happen(), closing(database):
        # A look must not leave an empty file behind.
        exists = database.file is None or database.file.exists()
        if exists and schema.current(database.engine) is not None:
            with database.read() as connection:
                if api_keys.any_alive(connection, database.now(connection)):
                    return
    give_up(
        f"TOCSIN_LISTEN: others can reach {settings.listen}, and there is no API key to ask them for: make one with "
        "tocsin keys create, or set TOCSIN_API_KEYS, or listen on 127.0.0.1",
        WRONG,
    )


@contextmanager
def _migrated() -> Iterator[Database]:
    """The database of the environment at the newest schema. A new one is brought there; an older one is left as it is."""
    from engine.store import schema

    database = _database(_settings())
    with one_line_for_what_can_happen(), closing(database):
        before, head = schema.current(database.engine), schema.head()
        if before is None:
            schema.upgrade(database.engine)
        elif before != head:
            give_up(f"the database is at revision {before}, not {head}: run tocsin migrate", FAILED)
        yield database


app.add_typer(keys.commands(_migrated), name="keys")
app.add_typer(importing.import_commands(_migrated, lambda: _settings().environment), name="import")
app.add_typer(importing.export_commands(_migrated, lambda: _settings().environment), name="export")
comparing.add(app, _migrated, _settings)
app.add_typer(secrets.commands(_migrated, lambda: _settings().environment.secret_keys), name="secrets")
