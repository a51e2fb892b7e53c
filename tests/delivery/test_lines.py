"""Connections stay open for the next message while that is safe, and one watch ends whatever takes too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from engine.delivery import lines as lines_module
from engine.delivery.lines import Lines, Watch
from engine.delivery.wire import Wire, post
from tests.peers.processes import wait_until
from tests.servers import Request, Response, ScriptedServer

AMPLE = timedelta(seconds=5)
SHORT = timedelta(seconds=0.3)


@pytest.fixture
def lines() -> Iterator[Lines]:
    with closing(Lines()) as shared:
        yield shared


def posted(lines: Lines, server: ScriptedServer, times: int = 1, limit: timedelta = AMPLE) -> list[int]:
    statuses = []
    for _ in range(times):
        with Wire(limit, lines=lines) as wire:
            statuses.append(post(wire, server.url, b"{}", {}).status)
    return statuses


def test_messages_one_after_the_other_share_a_connection(lines: Lines) -> None:
    with ScriptedServer(lambda _: Response(body=b"ok")) as server:
        assert posted(lines, server, 3) == [200, 200, 200]
        assert server.connections == 1


def test_without_lines_each_message_has_a_connection_of_its_own() -> None:
    with ScriptedServer(lambda _: Response(body=b"ok")) as server:
        for _ in range(2):
            with Wire(AMPLE) as wire:
                post(wire, server.url, b"{}", {})
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Response(headers={"Connection": "close"}), id="the server says that it closes"),
        pytest.param(Response(body=b"x" * 100_000), id="an answer that was not read to its end"),
    ],
)
def test_a_connection_that_cannot_carry_another_message_is_not_kept(lines: Lines, answer: Response) -> None:
    with ScriptedServer(lambda _: answer) as server:
        posted(lines, server, 2)
        assert server.connections == 2


def test_a_server_that_has_closed_in_the_meantime_costs_nothing(lines: Lines) -> None:
    with ScriptedServer(lambda _: Response(body=b"ok")) as server:
        posted(lines, server)
        server.hang_up()
        assert posted(lines, server) == [200]
        assert server.connections == 2


def test_a_connection_that_nobody_uses_is_closed_after_two_seconds(lines: Lines) -> None:
    with ScriptedServer(lambda _: Response(body=b"ok")) as server:
        posted(lines, server)
        assert lines.idle == 1
        wait_until(lambda: lines.idle == 0, what="it to be closed", within=timedelta(seconds=lines_module.IDLE + 5))


def test_the_deadline_ends_an_attempt_on_a_connection_that_was_left_open(lines: Lines) -> None:
    released = threading.Event()

    def answer(request: Request) -> Response:
        if request.body == b"slow":
            released.wait(AMPLE.total_seconds())
        return Response(body=b"ok")

    with ScriptedServer(answer) as server:
        posted(lines, server)
        began = time.monotonic()
        with Wire(SHORT, lines=lines) as wire, pytest.raises(OSError):  # noqa: PT011 - as the system words it
            post(wire, server.url, b"slow", {})
        released.set()
        assert time.monotonic() - began < AMPLE.total_seconds()
        assert server.connections == 1
        assert posted(lines, server) == [200]
        assert server.connections == 2


def test_the_watch_calls_in_order_of_the_moments_and_not_what_was_forgotten() -> None:
    watch, called = Watch(0.0), []
    now = time.monotonic()
    for name, after in (("late", 0.2), ("early", 0.05), ("forgotten", 0.1)):
        number = watch.at(now + after, lambda name=name: called.append(name))  # type: ignore[misc]
        if name == "forgotten":
            watch.forget(number)
    wait_until(lambda: len(called) == 2, what="both to be called", within=AMPLE)
    assert called == ["early", "late"]
    watch.close()
