"""Sockets under a total deadline: hangs, drips and refusals."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.core.messages import render
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.deliver import deliver
from engine.delivery.wire import BODY_LIMIT, Answer, TrustError, Wire, post
from engine.destinations import PrivateAddresses
from engine.resolver import Lookup, Resolver
from rules.channels import ChannelKind
from tests.core.telling import facts
from tests.delivery.certificates import server_context
from tests.delivery.posting import KEY, always, at, send
from tests.servers import Request, Response, ScriptedServer

WEBHOOK = ChannelKind.WEBHOOK
SHORT = timedelta(seconds=0.3)
CANARY = "canary-0123456789"


def asked(server: ScriptedServer, limit: timedelta = timedelta(seconds=5)) -> Answer:
    with Wire(limit) as wire:
        return post(wire, server.url, b"{}", {})


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        pytest.param({"Retry-After": "120"}, timedelta(seconds=120), id="seconds"),
        pytest.param({"Retry-After": "0"}, timedelta(0), id="at-once"),
        pytest.param({"Retry-After": "9" * 50}, timedelta(hours=1), id="never-longer-than-an-hour"),
        pytest.param({"Retry-After": "-5"}, None, id="negative"),
        pytest.param({"Retry-After": "soon"}, None, id="no-time"),
        pytest.param({}, None, id="none"),
        pytest.param(
            {"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"},
            timedelta(seconds=30),
            id="a-date-against-the-servers-own-clock",
        ),
        pytest.param(
            {"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"},
            timedelta(0),
            id="a-date-gone-by",
        ),
        pytest.param({"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}, None, id="a-date-and-no-clock"),
        pytest.param(
            {"Retry-After": "Sun, 01 Mar 2026 12:00:30 -0000", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"},
            None,
            id="a-date-without-a-zone",
        ),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], wait: timedelta | None) -> None:
    with ScriptedServer(always(503, b"", headers)) as server:
        assert asked(server).retry_after == wait


def test_a_huge_answer_is_read_no_further_than_its_first_two_kilobytes() -> None:
    sent: list[int] = []

    def endless(_: Request) -> Response:
        def parts() -> list[bytes]:
            sent.append(1)
            return [b"x" * 65536]

        return Response(body=(part for _ in range(10_000) for part in parts()))

    with ScriptedServer(endless) as server:
        assert len(asked(server).body) == BODY_LIMIT
    assert len(sent) < 1000


def test_a_body_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    with ScriptedServer(always(body=b"caf\xc3\xa9 \xff")) as server:
        assert asked(server).body == "café \ufffd"


def test_a_silent_server_is_left_at_the_deadline() -> None:
    def silent(_: Request) -> Response:
        server.stopping.wait(20)
        return Response()

    with ScriptedServer(silent) as server:
        started = time.monotonic()
        outcome = send(at(WEBHOOK, server.url), WEBHOOK, deadline=SHORT)
        assert time.monotonic() - started < 10
    assert outcome == Failed(
        reason=FailureReason.DEADLINE_EXCEEDED, retryable=True, detail="no complete answer before the deadline"
    )


def test_headers_that_drip_hold_nobody() -> None:
    with ScriptedServer(lambda _: Response(drip_headers=timedelta(seconds=0.05))) as server:
        started = time.monotonic()
        outcome = send(at(WEBHOOK, server.url), WEBHOOK, deadline=SHORT)
        assert time.monotonic() - started < 10
    assert isinstance(outcome, Failed)
    assert outcome.reason is FailureReason.DEADLINE_EXCEEDED


def test_a_status_that_has_come_counts_though_its_body_drips() -> None:
    with ScriptedServer(lambda _: Response(body=[b"x" * 500], drip=timedelta(seconds=0.05))) as server:
        started = time.monotonic()
        assert send(at(WEBHOOK, server.url), WEBHOOK, deadline=SHORT) == Delivered(detail="HTTP 200")
        assert time.monotonic() - started < 10


def test_a_server_that_never_takes_the_body_holds_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        outcome = deliver(at(WEBHOOK, f"http://127.0.0.1:{port}/"), b"x" * 50_000_000, "", SHORT)
    assert isinstance(outcome, Failed)
    assert outcome.reason is FailureReason.DEADLINE_EXCEEDED


def test_a_handshake_that_never_comes_holds_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        started = time.monotonic()
        outcome = send(at(WEBHOOK, f"https://127.0.0.1:{deaf.getsockname()[1]}/"), WEBHOOK, deadline=SHORT)
        assert time.monotonic() - started < 10
    assert isinstance(outcome, Failed)
    assert outcome.reason is FailureReason.DEADLINE_EXCEEDED


class Created(BaseHTTPRequestHandler):
    """Answers 201 to every POST."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Nothing."""


@pytest.mark.parametrize(
    ("vouched", "outcome"),
    [
        pytest.param(True, Delivered(detail="HTTP 201"), id="trusted"),
        pytest.param(
            False,
            Failed(
                reason=FailureReason.UNREACHABLE,
                retryable=True,
                detail="TLS: the certificate is not trusted: self-signed certificate",
            ),
            id="untrusted",
        ),
    ],
)
def test_an_https_endpoint_needs_someone_who_vouches_for_it(trusted: Path, vouched: bool, outcome: Outcome) -> None:
    with HTTPServer(("127.0.0.1", 0), Created) as server:
        server.socket = server_context(trusted).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        where = at(WEBHOOK, f"https://127.0.0.1:{server.server_port}/", {"ca_file": str(trusted)} if vouched else {})
        assert send(where, WEBHOOK) == outcome
        thread.join()


def test_a_refused_connection_is_told_and_retried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    outcome = send(at(WEBHOOK, f"http://127.0.0.1:{port}/"), WEBHOOK)
    assert outcome == Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="connection refused")


def test_an_unknown_name_is_told_and_retried() -> None:
    outcome = send(at(WEBHOOK, "http://no-such-host.invalid/"), WEBHOOK)
    assert outcome == Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail="the host name was not found")


def test_a_server_that_hangs_up_is_told_and_retried() -> None:
    def hang_up() -> None:
        rude.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as rude:
        thread = threading.Thread(target=hang_up)
        thread.start()
        outcome = send(at(WEBHOOK, f"http://127.0.0.1:{rude.getsockname()[1]}/"), WEBHOOK)
        thread.join()
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.UNREACHABLE, True)


def test_a_server_that_speaks_no_http_is_told_and_retried() -> None:
    def speak() -> None:
        connection, _ = ftp.accept()
        with connection:
            connection.sendall(b"220 ftp ready\r\n")
            connection.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as ftp:
        thread = threading.Thread(target=speak)
        thread.start()
        outcome = send(at(WEBHOOK, f"http://127.0.0.1:{ftp.getsockname()[1]}/"), WEBHOOK)
        thread.join()
    assert outcome == Failed(
        reason=FailureReason.UNREACHABLE, retryable=True, detail="the connection broke (BadStatusLine)"
    )  # fmt: skip


def test_tls_to_a_server_without_it_is_told_and_retried() -> None:
    with ScriptedServer(always()) as server:
        outcome = send(at(WEBHOOK, server.url.replace("http:", "https:")), WEBHOOK)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.UNREACHABLE, True)
    assert outcome.detail.startswith("TLS: ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(None, "settings.ca_file cannot be used: No such file or directory", id="missing"),
        pytest.param("no certificate", "settings.ca_file cannot be used: no certificate in PEM form", id="no-pem"),
    ],
)
def test_a_ca_file_that_cannot_be_used_is_told(tmp_path: Path, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    where = at(WEBHOOK, "https://127.0.0.1:1/", {"ca_file": str(tmp_path / "ca.pem")})
    outcome = send(where, WEBHOOK)
    assert isinstance(outcome, Failed)
    assert outcome.detail == problem


def test_a_wire_past_its_deadline_connects_nowhere() -> None:
    with Wire(timedelta(0)) as wire, pytest.raises(TimeoutError):
        wire.connect("127.0.0.1", 9)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(always()) as proxy, ScriptedServer(always()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert send(at(WEBHOOK, server.url), WEBHOOK) == Delivered(detail="HTTP 200")
    assert proxy.requests == []


def test_the_context_of_a_ca_file_is_made_once(trusted: Path) -> None:
    with Wire(SHORT, str(trusted)) as first, Wire(SHORT, str(trusted)) as second:
        assert first.tls() is second.tls()
        assert first.tls().verify_mode is ssl.CERT_REQUIRED


def test_the_trust_error_of_a_broken_file_is_an_oserror(tmp_path: Path) -> None:
    with Wire(SHORT, str(tmp_path / "absent.pem")) as wire, pytest.raises(TrustError):
        wire.tls()


def looking_up(name: str, *answers: str) -> Lookup:
    """A name server for one host, whose answer is another each time it is asked: the last one from then on."""
    left = list(answers)

    def look_up(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 (the standard library's name)
        assert host == name
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, type, 6, "", (found, port))]

    return look_up


@pytest.mark.parametrize("kind", [WEBHOOK, ChannelKind.SLACK, ChannelKind.PAGERDUTY, ChannelKind.EMAIL])
def test_a_forbidden_address_is_named_and_not_tried_again(kind: ChannelKind) -> None:
    urls = {
        ChannelKind.PAGERDUTY: f"http://{CANARY}@meta.test/v2/enqueue",
        ChannelKind.EMAIL: f"smtp://u:{CANARY}@meta.test",
    }
    where = at(kind, urls.get(kind, f"http://u:{CANARY}@meta.test/{CANARY}"), {"to": "a@example.org"})
    resolver = Resolver(lookup=looking_up("meta.test", "169.254.169.254"))
    recipient = "a@example.org" if kind is ChannelKind.EMAIL else ""
    assert deliver(where, render(kind, facts(), {}), recipient, SHORT, resolver) == Failed(
        reason=FailureReason.FORBIDDEN,
        retryable=False,
        detail="meta.test is 169.254.169.254, a cloud's metadata service: Tocsin does not connect there",
    )


def test_a_name_that_leads_elsewhere_when_asked_again_gains_nothing() -> None:
    with ScriptedServer(always()) as server:
        resolver = Resolver(lookup=looking_up("rebound.test", "127.0.0.1", "169.254.169.254"))
        where = at(WEBHOOK, f"http://rebound.test:{server.port}/")
        body = render(WEBHOOK, facts(), {})
        assert deliver(where, body, "", timedelta(seconds=5), resolver) == Delivered(detail="HTTP 200")
        assert server.requests[0].headers["host"] == f"rebound.test:{server.port}"
        second = deliver(where, body, "", timedelta(seconds=5), resolver)
    assert isinstance(second, Failed)
    assert second.reason is FailureReason.FORBIDDEN


def test_nothing_is_sent_to_this_machine_where_private_addresses_are_refused() -> None:
    with ScriptedServer(always()) as server:
        resolver = Resolver(private=PrivateAddresses.REFUSE)
        outcome = deliver(at(WEBHOOK, server.url), render(WEBHOOK, facts(), {}), "", SHORT, resolver)
    assert isinstance(outcome, Failed)
    assert outcome.detail.endswith("and TOCSIN_PRIVATE_ADDRESSES=refuse: Tocsin does not connect there")
    assert server.requests == []


def test_a_name_that_does_not_resolve_in_time_holds_nobody() -> None:
    released = threading.Event()

    def hanging(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        released.wait(60)
        return []

    where = at(WEBHOOK, "http://slow.test/")
    outcome = deliver(where, render(WEBHOOK, facts(), {}), "", SHORT, Resolver(lookup=hanging))
    released.set()
    assert outcome == Failed(
        reason=FailureReason.DEADLINE_EXCEEDED, retryable=True, detail="no complete answer before the deadline"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", [WEBHOOK, ChannelKind.SLACK, ChannelKind.PAGERDUTY])
def test_a_message_follows_no_redirect(kind: ChannelKind, status: int) -> None:
    with ScriptedServer(always()) as elsewhere:
        with ScriptedServer(always(status, b"", {"Location": elsewhere.url})) as server:
            url = server.url.replace("//", f"//{KEY}@") if kind is ChannelKind.PAGERDUTY else server.url
            outcome = send(at(kind, url), kind)
        assert elsewhere.requests == []
    assert isinstance(outcome, Failed)
    assert not outcome.retryable
    assert "redirects are not followed" in outcome.detail


def test_an_address_that_swallows_everything_leaves_time_for_the_next() -> None:
    """As where IPv6 is announced and leads nowhere: the name's other address has to hear of the alert."""

    def both(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    with ScriptedServer(always()) as server, socket.socket() as deaf:
        port = server.port
        deaf.bind(("127.0.0.2", port))
        deaf.listen(0)
        with ExitStack() as filling:
            for _ in range(4):  # A full backlog: the system answers no further connection.
                one = filling.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(("127.0.0.2", port))
            resolver = Resolver(lookup=both)
            where = at(WEBHOOK, f"http://two.test:{port}/")
            limit = timedelta(seconds=6)
            assert deliver(where, render(WEBHOOK, facts(), {}), "", limit, resolver) == Delivered(detail="HTTP 200")
