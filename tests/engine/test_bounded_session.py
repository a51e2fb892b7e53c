"""Whatever a peer does, an exchange ends within its deadline and within its bytes."""

from __future__ import annotations

import gc
import gzip
import os
import socket
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from engine.bounded_session import BodyTooLarge, BoundedSession, DeadlineExceeded
from engine.resolver import Lookup, Resolver
from tests.delivery.certificates import self_signed, server_context
from tests.servers import Request, Response, ScriptedServer

DEADLINE = timedelta(seconds=0.3)
AMPLE = timedelta(seconds=20)
SLACK = 8.0
DRIP = timedelta(seconds=0.1)
MEBIBYTE = 1 << 20
CHUNK = b"x" * 65536


def session(*, deadline: timedelta = AMPLE, lookup: Lookup = socket.getaddrinfo, workers: int = 8) -> BoundedSession:
    return BoundedSession(deadline=deadline, max_bytes=MEBIBYTE, resolver=Resolver(lookup=lookup), workers=workers)


def answering(**response: Any) -> Callable[[Request], Response]:
    return lambda request: Response(**response)


def resolving(*addresses: str) -> Lookup:
    """A resolver that knows every name by these addresses."""

    def known(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 (the standard library's name)
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in addresses]

    return known


@contextmanager
def over_in_time() -> Iterator[None]:
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match=r"no complete answer within 0\.3 s"):
        yield
    assert time.monotonic() - began < DEADLINE.total_seconds() + SLACK


@contextmanager
def silent_port(*, accepts: bool, address: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[int]:
    """A port that never says a word; without `accepts` its queue is full, and a connection is never even made."""
    with socket.create_server(address, backlog=8 if accepts else 0) as server, ExitStack() as crowd:
        for _ in range(0 if accepts else 4):
            waiting = crowd.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Response(body=b"x" * 1000, drip=DRIP), id="body-byte-by-byte"),
        pytest.param(Response(body=b"x" * 1000, drip_headers=DRIP), id="headers-byte-by-byte"),
        pytest.param(Response(body=b"x", headers={"Content-Length": "1000"}, drip=AMPLE), id="body-never-begins"),
        pytest.param(
            Response(body=gzip.compress(b"x" * 9999), headers={"Content-Encoding": "gzip"}, drip=DRIP), id="gzip"
        ),
        pytest.param(Response(status=302, body=b"x" * 1000, headers={"Location": "/"}, drip=DRIP), id="redirect"),
    ],
)
def test_a_dripping_answer_is_given_up_at_the_total_deadline(response: Response) -> None:
    with ScriptedServer(lambda request: response) as server, session(deadline=DEADLINE) as bounded, over_in_time():
        bounded.get(server.url)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("accepts", [True, False], ids=["accepted", "never-connected"])
def test_a_silent_peer_is_given_up_at_the_deadline(scheme: str, accepts: bool) -> None:
    with silent_port(accepts=accepts) as port, session(deadline=DEADLINE) as bounded, over_in_time():
        bounded.get(f"{scheme}://127.0.0.1:{port}/")


def test_a_body_that_nobody_reads_is_given_up_at_the_deadline() -> None:
    with silent_port(accepts=True) as port, session(deadline=DEADLINE) as bounded, over_in_time():
        bounded.post(f"http://127.0.0.1:{port}/", data=b"x" * 50_000_000)


def test_a_name_that_does_not_resolve_in_time_is_given_up_at_the_deadline() -> None:
    released = threading.Event()

    def hanging(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 (the standard library's name)
        released.wait(60)
        return []

    with session(deadline=DEADLINE, lookup=hanging) as bounded, over_in_time():
        bounded.get("http://prometheus.test:9090/")
    released.set()


def test_the_deadline_of_a_call_replaces_that_of_the_session() -> None:
    response = Response(body=b"x" * 1000, drip=DRIP)
    with ScriptedServer(lambda request: response) as server, session() as bounded, over_in_time():
        bounded.get(server.url, timeout=DEADLINE.total_seconds())


def test_a_kept_connection_gets_the_full_deadline_again() -> None:
    slow = Response(body=b"xxxx", drip=timedelta(seconds=0.1))
    with ScriptedServer(lambda request: slow) as server, session(deadline=timedelta(seconds=1)) as bounded:
        assert [bounded.get(server.url).content for _ in range(4)] == [b"xxxx"] * 4
        assert server.connections == 1


@pytest.mark.parametrize(
    ("addresses", "arrives"),
    [
        pytest.param(["127.0.0.1"], True, id="one"),
        pytest.param(["127.0.0.2", "127.0.0.1"], True, id="the-first-refuses"),
        pytest.param([], False, id="none"),
    ],
)
def test_the_first_address_that_answers_is_used(addresses: list[str], arrives: bool) -> None:
    with ScriptedServer(answering(body=b"ok")) as server, session(lookup=resolving(*addresses)) as bounded:
        url = f"http://prometheus.test:{server.port}/"
        if arrives:
            assert bounded.get(url).content == b"ok"
        else:
            with pytest.raises(requests.ConnectionError, match="no address"):
                bounded.get(url)


def test_an_address_that_never_answers_leaves_time_for_the_next() -> None:
    with (
        ScriptedServer(answering(body=b"ok")) as server,
        silent_port(accepts=False, address=("127.0.0.2", server.port)),
        session(deadline=timedelta(seconds=1), lookup=resolving("127.0.0.2", "127.0.0.1")) as bounded,
    ):
        assert bounded.get(f"http://prometheus.test:{server.port}/").content == b"ok"


@pytest.mark.parametrize(
    "error", [socket.gaierror(-2, "Name or service not known"), OSError("no resolver"), UnicodeError()]
)
def test_a_name_that_cannot_be_looked_up_is_a_connection_error(error: Exception) -> None:
    def failing(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        raise error

    with session(lookup=failing) as bounded, pytest.raises(requests.ConnectionError):
        bounded.get("http://prometheus.test:9090/")


def endless(sent: list[int]) -> Iterator[bytes]:
    for _ in range(200 * MEBIBYTE // len(CHUNK)):
        sent.append(len(CHUNK))
        yield CHUNK


@pytest.mark.parametrize("status", [200, 302, 500])
def test_an_answer_over_the_limit_is_dropped_early_whatever_its_status(status: int) -> None:
    sent: list[int] = []
    stream = answering(status=status, body=endless(sent), headers={"Location": "/elsewhere"})
    with ScriptedServer(stream) as server, session() as bounded:
        tracemalloc.start()
        with pytest.raises(BodyTooLarge, match="larger than 1048576 bytes"):
            bounded.get(server.url)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * MEBIBYTE
    assert sum(sent) < 32 * MEBIBYTE


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Response(headers={"Content-Length": str(200 * MEBIBYTE)}), id="announced-and-never-sent"),
        pytest.param(
            Response(body=gzip.compress(bytes(64 * MEBIBYTE)), headers={"Content-Encoding": "gzip"}),
            id="measured-by-what-it-unpacks-to",
        ),
    ],
)
def test_an_answer_over_the_limit_need_not_be_read_to_be_dropped(response: Response) -> None:
    with ScriptedServer(lambda request: response) as server, session() as bounded, pytest.raises(BodyTooLarge):
        bounded.get(server.url)


def test_an_answer_of_exactly_the_limit_is_accepted() -> None:
    body = os.urandom(MEBIBYTE)
    with ScriptedServer(answering(body=body)) as server, session() as bounded:
        assert bounded.get(server.url).content == body


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        pytest.param(Response(body=b"[1, 2", headers={"Content-Length": "6"}), "1 more expected", id="short"),
        pytest.param(
            Response(body=b"5\r\n[1, 2\r\n", headers={"Content-Length": "0", "Transfer-Encoding": "chunked"}),
            "IncompleteRead",
            id="chunks-without-an-end",
        ),
        pytest.param(Response(body=b"no", headers={"Content-Encoding": "gzip"}), "failed to decode", id="garbled"),
        pytest.param(Response(status=0), "BadStatusLine", id="no-http"),
    ],
)
def test_an_answer_cut_short_or_garbled_is_a_connection_error(response: Response, reason: str) -> None:
    answers = iter([Response(body=b"whole"), response])
    with ScriptedServer(lambda request: next(answers)) as server, session() as bounded:
        bounded.get(server.url)
        with pytest.raises(requests.ConnectionError, match=reason):
            bounded.get(server.url)
        assert bounded.last is None


def test_a_refused_port_fails_at_once_without_a_second_try() -> None:
    asked: list[str] = []

    def counting(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        asked.append(host)
        return socket.getaddrinfo(host, port, type=type)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    began = time.monotonic()
    with session(lookup=counting) as bounded, pytest.raises(requests.ConnectionError, match="Connection refused"):
        bounded.get(f"http://127.0.0.1:{port}/")
    assert asked == ["127.0.0.1"]
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    redirect = answering(status=status, headers={"Location": "/elsewhere"})
    with ScriptedServer(redirect) as server, session() as bounded:
        assert bounded.post(server.url, params={"query": "up"}).status_code == status
        assert bounded.last is not None
        assert bounded.last.location == "/elsewhere"
        assert len(server.requests) == 1


def test_the_fields_of_a_post_go_into_its_body_and_those_of_a_get_into_its_url() -> None:
    with ScriptedServer(answering()) as server, session() as bounded:
        bounded.post(server.url, params={"query": 'up{a="ä&b"}'})
        bounded.get(server.url, params={"query": "up"})
    posted, fetched = server.requests
    assert (posted.path, posted.form) == ("/", {"query": 'up{a="ä&b"}'})
    assert (fetched.path, fetched.body) == ("/?query=up", b"")


def test_a_long_text_arrives_as_it_is_every_time() -> None:
    long = 'up{a="ä&b+c%d = e"}\n or ' * 30 + "up"
    with ScriptedServer(answering()) as server, session() as bounded:
        for fields in ({"query": long, "time": "1"}, {"time": "2", "query": long}, {"query": long}):
            bounded.post(server.url, params=fields)
    assert [one.form for one in server.requests] == [
        {"query": long, "time": "1"},
        {"query": long, "time": "2"},
        {"query": long},
    ]


def test_what_changes_between_two_posts_to_one_address_is_sent_with_the_second() -> None:
    with ScriptedServer(answering()) as server, session() as bounded:
        bounded.post(server.url, params={"query": "up"})
        bounded.headers["X-Scope-OrgID"] = "payments"
        bounded.auth = ("someone", "secret")
        bounded.post(server.url, params={"query": "longer than up"}, headers={"X-Asked-By": "a rule"})
    first, second = server.requests
    assert (first.form, second.form) == ({"query": "up"}, {"query": "longer than up"})
    assert first.headers.keys().isdisjoint({"x-scope-orgid", "authorization", "x-asked-by"})
    assert second.headers["authorization"] == "Basic c29tZW9uZTpzZWNyZXQ="
    assert (second.headers["x-scope-orgid"], second.headers["x-asked-by"]) == ("payments", "a rule")


def test_a_cookie_goes_back_as_it_was_last_set() -> None:
    numbers = iter("12")

    def balanced(_: Request) -> Response:
        return Response(headers={"Set-Cookie": f"backend={next(numbers, '3')}"})

    with ScriptedServer(balanced) as server, session() as bounded:
        for _ in range(3):
            bounded.post(server.url, params={"query": "up"})
    assert [request.headers.get("cookie") for request in server.requests] == [None, "backend=1", "backend=2"]


def test_proxies_and_netrc_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ScriptedServer(answering(body=b"direct")) as server, session() as bounded:
        assert bounded.get(server.url).content == b"direct"
    assert "authorization" not in server.requests[0].headers


def test_a_claimed_address_is_served_by_our_adapter_over_any_mounted_on_it() -> None:
    with session() as bounded:
        ours = bounded.get_adapter("http://other")
        bounded.mount("http://prometheus:9090/prefix", HTTPAdapter())
        bounded.claim("http://prometheus:9090/prefix")
        assert bounded.get_adapter("http://prometheus:9090/prefix/api/v1/query") is ours


def test_tls_is_verified_and_works(tmp_path: Path) -> None:
    pem = self_signed(tmp_path)
    with ScriptedServer(answering(body=b"safe"), tls=server_context(pem)) as server, session() as bounded:
        with pytest.raises(requests.exceptions.SSLError, match="self-signed"):
            bounded.get(server.url)
        bounded.verify = str(pem)
        assert [bounded.get(server.url).content for _ in range(2)] == [b"safe", b"safe"]
        assert server.connections == 2


def test_each_thread_sees_the_last_answer_to_its_own_request() -> None:
    with ScriptedServer(lambda request: Response(body=request.path.encode())) as server, session() as bounded:
        bounded.get(f"{server.url}/mine")
        other = threading.Thread(target=bounded.get, args=(f"{server.url}/theirs",))
        other.start()
        other.join()
        assert bounded.last is not None
        assert (bounded.last.status, bounded.last.head) == (200, b"/mine")


def test_an_answer_is_freed_as_soon_as_it_is_no_longer_used() -> None:
    with ScriptedServer(answering(body=b"[]")) as server, session() as bounded:
        gc.disable()
        response = bounded.get(server.url)
        assert response.json() == []
        seen = weakref.ref(response)
        del response
        gc.enable()
        assert seen() is None
