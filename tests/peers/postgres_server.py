"""Databases to test stores on: a throw-away PostgreSQL, or the one TOCSIN_TEST_POSTGRES_URL names."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.peers.processes import await_start, end, free_port
from tests.peers.require import find_binary, require_peer

# Nothing is synced to disk, yet a commit has reached the kernel when it returns: it survives `kill`.
SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=64MB")
START = timedelta(seconds=30)


class PostgresServer:
    """One PostgreSQL cluster for the length of a `with` block, on 127.0.0.1 and trusting everyone.

    `url` is the maintenance database's address. As root it runs as the user postgres, which owns its data directory.
    With TOCSIN_TEST_POSTGRES_URL set that server is used: nothing is started, `stop`, `kill` and `restart` raise, and
    the databases created here are dropped at the end.
    """

    def __init__(self) -> None:
        self._given = os.environ.get("TOCSIN_TEST_POSTGRES_URL")
        self._created: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._home = Path()
        self._port = 0

    @property
    def url(self) -> str:
        return self._given or f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int:
        """The id of its first process; all others are its children."""
        assert self._process is not None, "it was not started here"
        return self._process.pid

    def __enter__(self) -> Self:
        if self._given is None:
            require_peer("initdb", "postgres", *_privilege_programs())
            self._home = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
            self._port = free_port()
            try:
                self._initialise()
                self.start()
            except BaseException:
                shutil.rmtree(self._home, ignore_errors=True)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._given is not None:
            self._drop_created()
            return
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def create_database(self, like: str = "/template0") -> str:
        """The URL of a fresh database of its own: an empty one, or a copy of the one with that URL, which nobody may use."""
        name = f"tocsin_{secrets.token_hex(6)}"
        template = sql.Identifier(urlsplit(like).path.removeprefix("/"))
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), template))
        self._created.append(name)
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def start(self) -> None:
        """Starts it on the same port and data as before, and returns when it answers."""
        self._must_be_ours()
        log = self._home / "log"
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        command = [_program("postgres"), "-D", str(self._home / "data"), "-p", str(self._port), "-h", "127.0.0.1"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_unprivileged(), *command, "-k", str(self._home), *options],
                stdout=output,
                stderr=output,
                cwd=self._home,
                start_new_session=True,
            )
        await_start(self._process, self._answers, log=log, within=START)

    def stop(self) -> None:
        """A fast shutdown: open connections are cut, everything committed is there at the next start."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """An immediate shutdown, as in a crash: all its processes end at once, the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        self._must_be_ours()
        if self._process is not None:
            end(self._process, how)

    def _must_be_ours(self) -> None:
        if self._given is not None:
            raise RuntimeError("the PostgreSQL of TOCSIN_TEST_POSTGRES_URL is not ours to start or stop")

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._home, "postgres", "postgres")
        options = [
            "--auth=trust",
            "--no-sync",
            "--no-instructions",
            "--encoding=UTF8",
            "--locale=C",
            "--username=postgres",
        ]
        command = [*_unprivileged(), _program("initdb"), *options, "-D", str(self._home / "data")]
        subprocess.run(command, cwd=self._home, check=True, stdout=subprocess.DEVNULL, timeout=60)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def _drop_created(self) -> None:
        for name in self._created:
            self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _program(name: str) -> str:
    path = find_binary(name)
    assert path is not None, name
    return str(path)


def _privilege_programs() -> list[str]:
    return ["setpriv"] if os.geteuid() == 0 else []


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root; `setpriv` becomes the program, so its process id is the server's."""
    if os.geteuid() != 0:
        return []
    return [_program("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]
