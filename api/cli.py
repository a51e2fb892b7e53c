"""The `tocsin` command: serve, migrate, demo, keys, secrets. The environment is read here, and exit codes are decided here.

Commands import what they need when they run, so that `tocsin --help` does not wait for a web server and a database
toolkit. Exit codes: 0 done or asked to stop, 1 failed, 2 told something wrong (settings, options).
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, Protocol, TypeVar

import typer

from api.commands import checking, comparing, explain, groups, importing, keys, plan, secrets, testing
from api.commands.options import EXIT_CODES

if TYPE_CHECKING:
    from engine.setting_texts import Listen
    from engine.settings import Settings
    from engine.store.database import Database

STOP_WITHIN: Final = timedelta(seconds=25)
"""From the signal's end of serving to the end of the process; less than the 30 s after which Kubernetes kills."""
COLLECT_AFTER: Final = 20_000
"""So many new objects, more than were given up, before the collector looks for cycles among them."""
ANSWER_WITHIN: Final = timedelta(seconds=5)
"""How long requests being answered may take when the process is asked to stop."""
FAILED: Final = 1
WRONG: Final = 2

# Typer's own tracebacks would show local variables, and with them secrets.
app = typer.Typer(
    name="tocsin", no_args_is_help=True, pretty_exceptions_enable=False, epilog=f"{EXIT_CODES} See docs/cli.md."
)
groups.mount(app)
app.command()(explain.explain)
app.command()(plan.plan)
app.command()(checking.check)
app.command("test")(testing.run_tests)


class Runnable(Protocol):
    """What `run` needs of the engine; `failed` is set when it cannot go on."""

    @property
    def failed(self) -> threading.Event: ...
    def start(self) -> None: ...
    def drain(self) -> None: ...
    def stop(self) -> None: ...
    def reload_soon(self) -> None: ...


E = TypeVar("E", bound=Runnable)


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
    with _one_line_for_what_can_happen():
        before, head = schema.current(database.engine), schema.head()
        if before == head:
            typer.echo(f"The database is at revision {head}, the newest.")
        elif check:
            _give_up(f"the database is at revision {before or 'none'}, not {head}: run tocsin migrate", FAILED)
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
            _give_up(f"TOCSIN_DATABASE_URL: there is no {database.file} yet: start tocsin serve", FAILED)
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


def run(
    settings: Settings,
    build: Callable[[Settings], E],
    create_app: Callable[[E], Any],
    stop_within: timedelta = STOP_WITHIN,
) -> int:
    """Run engine and API until a signal, or until the engine has failed; the exit code.

    The address is taken first, before anything is started that would have to be stopped again when it is in use. A signal
    first ends the work, while the API still answers and says that it is not ready, then the API, then the rest. What does not
    stop in time takes the process down with it, even after this has returned.
    """
    from engine import garbage

    with _listening(settings.listen) as door, _signals() as asked, _one_line_for_what_can_happen():
        engine = build(_listening_at(settings, door))
        before = signal.signal(signal.SIGHUP, lambda *_: engine.reload_soon())
        try:
            engine.start()
            if not asked.is_set():
                application = create_app(engine)
                garbage.settle_down()
                _answer(application, door, settings, engine=engine, asked=asked, stop_within=stop_within)
        finally:
            _leave_by_force_after(stop_within)
            engine.stop()
            signal.signal(signal.SIGHUP, before)
    return FAILED if engine.failed.is_set() else 0


def _answer(
    application: Any,
    door: socket.socket,
    settings: Settings,
    *,
    engine: Runnable,
    asked: threading.Event,
    stop_within: timedelta,
) -> None:
    """Serve HTTP until the engine has failed, or a signal has come and the engine has ended its work."""
    import structlog
    import uvicorn

    from api.patient_server import PatientServer
    from engine import fallback
    from engine.telemetry import version

    drained = threading.Event()
    draining: list[threading.Thread] = []

    def drain() -> None:
        try:
            engine.drain()
        finally:
            drained.set()

    async def look() -> None:
        if asked.is_set() and not draining:
            log.info("stopping", because="asked to")
            _leave_by_force_after(stop_within)
            draining.append(threading.Thread(target=drain, name="drain", daemon=True))
            draining[0].start()
        server.should_exit = server.should_exit or engine.failed.is_set() or drained.is_set()

    configuration = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(ANSWER_WITHIN.total_seconds()),
        callback_notify=look,
        timeout_notify=0,
    )
    server = PatientServer(configuration, asked)
    log = structlog.get_logger("tocsin")
    log.info("serving", address=_address(door), version=version(), node=settings.node)
    wrong = fallback.problem(settings.fallback_channel, settings.environment)
    if wrong is not None:
        log.warning("fallback channel is not usable", setting="TOCSIN_FALLBACK_CHANNEL", problem=wrong)
    # Python's usual 700 would look through young objects dozens of times for each large answer, and find nothing to free.
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    server.run(sockets=[door])
    if engine.failed.is_set():
        log.info("stopping", because="the engine failed")


@contextmanager
def _listening(listen: Listen) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        both = listen.host == "::" and socket.has_dualstack_ipv6()
        door = socket.create_server((listen.host, listen.port), family=family, dualstack_ipv6=both)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        _give_up(f"TOCSIN_LISTEN: cannot listen on {listen}: {why}; stop what listens there, or set another", FAILED)
    with door:
        yield door


def _address(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listening_at(settings: Settings, door: socket.socket) -> Settings:
    """The settings with the port that the system chose, when it was asked to; addresses in messages hang on it."""
    from engine.settings import load

    if settings.listen_port:
        return settings
    chosen = f"{str(settings.listen).rpartition(':')[0]}:{door.getsockname()[1]}"
    return load({**settings.environment, "TOCSIN_LISTEN": chosen})


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; the second of them ends the process at once.

    The web server has handlers of its own while it runs, and passes on what it took when it is done.
    """
    asked = threading.Event()

    def hear(number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        asked.set()

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_by_force_after(span: timedelta) -> None:
    """Let nothing keep the process longer: what is not done is a row, and the next process does it."""

    def leave() -> None:
        typer.echo(f"tocsin: did not stop within {span.total_seconds():g} s; ending now", err=True)
        os._exit(FAILED)

    timer = threading.Timer(span.total_seconds(), leave)
    timer.daemon = True
    timer.start()


def _settings(also: Mapping[str, str] | None = None) -> Settings:
    from engine.settings import SettingsError, load

    try:
        return load({**os.environ, **(also or {})})
    except SettingsError as error:
        _give_up(str(error), WRONG)


def _database(settings: Settings) -> Database:
    from engine.clock import SystemClock
    from engine.store.database import connect

    with _one_line_for_what_can_happen():
        return connect(settings.database_url, SystemClock())


def _others_need_a_key(settings: Settings) -> None:
    """End here when others can reach the address and nothing would ask them for a key."""
    if settings.listen.is_loopback or settings.api_keys:
        return
    from engine.store import api_keys, schema

    database = _database(settings)
    with _one_line_for_what_can_happen(), closing(database):
        # A look must not leave an empty file behind.
        exists = database.file is None or database.file.exists()
        if exists and schema.current(database.engine) is not None:
            with database.read() as connection:
                if api_keys.any_alive(connection, database.now(connection)):
                    return
    _give_up(
        f"TOCSIN_LISTEN: others can reach {settings.listen}, and there is no API key to ask them for: make one with "
        "tocsin keys create, or set TOCSIN_API_KEYS, or listen on 127.0.0.1",
        WRONG,
    )


@contextmanager
def _migrated() -> Iterator[Database]:
    """The database of the environment at the newest schema. A new one is brought there; an older one is left as it is."""
    from engine.store import schema

    database = _database(_settings())
    with _one_line_for_what_can_happen(), closing(database):
        before, head = schema.current(database.engine), schema.head()
        if before is None:
            schema.upgrade(database.engine)
        elif before != head:
            _give_up(f"the database is at revision {before}, not {head}: run tocsin migrate", FAILED)
        yield database


app.add_typer(keys.commands(_migrated), name="keys")
app.add_typer(importing.import_commands(_migrated, lambda: _settings().environment), name="import")
app.add_typer(importing.export_commands(_migrated, lambda: _settings().environment), name="export")
comparing.add(app, _migrated, _settings)
app.add_typer(secrets.commands(_migrated, lambda: _settings().environment.secret_keys), name="secrets")


@contextmanager
def _one_line_for_what_can_happen() -> Iterator[None]:
    """End with one line, and no traceback, for what is no fault of the program: a wrong address, a database that is away."""
    from engine.single import AlreadyRunningError
    from engine.store.database import DatabaseAddressError
    from engine.store.door import OUT_OF_REACH
    from engine.store.schema import SchemaError
    from engine.telemetry import without_credentials
    from engine.tracebacks import words

    try:
        yield
    except DatabaseAddressError as error:
        _give_up(f"TOCSIN_DATABASE_URL: {error}", WRONG)
    except (AlreadyRunningError, SchemaError) as error:
        _give_up(str(error), FAILED)
    except OUT_OF_REACH as error:
        # The driver's own words, without the statement that the library adds and the row that PostgreSQL would repeat.
        why = " ".join(without_credentials(words(getattr(error, "orig", None) or error)).split())
        _give_up(f"TOCSIN_DATABASE_URL: the database cannot be used: {why}", FAILED)
    except OSError as error:
        if error.filename is None:
            raise
        _give_up(f"TOCSIN_DATABASE_URL: {error.filename}: {(error.strerror or str(error)).lower()}", FAILED)


def _give_up(why: str, status: int) -> NoReturn:
    typer.echo(f"tocsin: {why}", err=True)
    raise typer.Exit(status)
