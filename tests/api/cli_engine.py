"""A process that `run`s a stand-in engine: `python -m tests.api.cli_engine HOW`, which says on stdout what it is asked to do."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

from api.serving import run
from engine.settings import Settings, load
from engine.telemetry import LogFormat, LogLevel, configure_logging

Message = MutableMapping[str, Any]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Engine:
    """`how` is what goes otherwise than it should: early, broken, failing, slow, stuck; anything else goes well."""

    def __init__(self, how: str, settings: Settings) -> None:
        self.how = how
        self.failed = threading.Event()
        say(f"port {settings.listen_port} {settings.external_url}")

    def start(self) -> None:
        say("start")
        if self.how == "early":
            os.kill(os.getpid(), signal.SIGTERM)
        if self.how == "broken":
            raise RuntimeError("no fault of the environment")
        if self.how == "failing":
            threading.Timer(0.2, self.failed.set).start()

    def reload_soon(self) -> None:
        say("reload")

    def drain(self) -> None:
        say("drain")
        if self.how == "slow":
            threading.Event().wait(2)

    def stop(self) -> None:
        say("stop")
        if self.how == "stuck":
            threading.Event().wait()


def application(_: Engine) -> Callable[..., Awaitable[None]]:
    """An application that answers everything with 204."""
    say("application")

    async def answer(scope: Message, receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return answer


if __name__ == "__main__":
    configure_logging(LogLevel.INFO, LogFormat.JSON)
    given = load({"TOCSIN_LISTEN": sys.argv[2]})
    how = sys.argv[1]
    within = timedelta(seconds=float(sys.argv[3]))
    sys.exit(run(given, lambda settings: Engine(how, settings), application, stop_within=within))
