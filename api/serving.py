"""What `tocsin serve` does around the engine and its API: take the address, hear signals, serve, and end in time."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, Final, Protocol, TypeVar

import structlog
import uvicorn

from api.commands import output
from api.commands.failures import FAILED, give_up, one_line_for_what_can_happen
from api.patient_server import PatientServer, heard
from engine import fallback, garbage
from engine.setting_texts import Listen
from engine.settings import Settings, load
from engine.telemetry import version

STOP_WITHIN: Final = timedelta(seconds=25)
"""From the signal's end of serving to the end of the process; less than the 30 s after which Kubernetes kills."""
ANSWER_WITHIN: Final = timedelta(seconds=5)
"""How long requests being answered may take when the process is asked to stop."""


class Runnable(Protocol):
    """What `run` needs of the engine; `failed` is set when it cannot go on."""

    @property
    def failed(self) -> threading.Event: ...
    def start(self) -> None: ...
    def drain(self) -> None: ...
    def stop(self) -> None: ...
    def reload_soon(self) -> None: ...


E = TypeVar("E", bound=Runnable)


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
    with _listening(settings.listen) as door, _signals() as asked, one_line_for_what_can_happen():
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
    drained = threading.Event()
    draining: list[threading.Thread] = []

    def drain() -> None:
        try:
            engine.drain()
        finally:
            drained.set()
            server.stir()

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
        give_up(f"TOCSIN_LISTEN: cannot listen on {listen}: {why}; stop what listens there, or set another", FAILED)
    with door:
        yield door


def _address(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listening_at(settings: Settings, door: socket.socket) -> Settings:
    """The settings with the port that the system chose, when it was asked to; addresses in messages hang on it."""
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
        heard(number, asked)

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_by_force_after(span: timedelta) -> None:
    """Let nothing keep the process longer: what is not done is a row, and the next process does it."""

    def leave() -> None:
        output.note(f"tocsin: did not stop within {span.total_seconds():g} s; ending now")
        os._exit(FAILED)

    timer = threading.Timer(span.total_seconds(), leave)
    timer.daemon = True
    timer.start()
