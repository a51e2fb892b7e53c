"""Failures of every kind, told apart, with no secret in any of them."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from engine.core.messages import render
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import PagerDutyKey, SlackBot, SlackWebhook, SmtpServer, Tls, WebhookUrl
from engine.delivery.apprise import guarded, through
from engine.delivery.deliver import Service, deliver, service
from rules.channels import ChannelKind
from tests.core.telling import facts
from tests.delivery.posting import SOON, always, at, send
from tests.servers import Request, Response, ScriptedServer

CANARY = "canary-0123456789"
WEBHOOK = ChannelKind.WEBHOOK


def smtp_server(port: int, password: str = CANARY) -> SmtpServer:
    return SmtpServer(
        host="127.0.0.1", port=port, user="u", password=password, sender="t@example.org", recipients=("o@example.org",),
        tls=Tls.NONE, hello="test",
    )  # fmt: skip


SERVICES = [
    pytest.param(SlackWebhook(url=f"http://127.0.0.1:1/services/{CANARY}"), ChannelKind.SLACK, id="slack-webhook"),
    pytest.param(
        SlackBot(token=f"xoxb-{CANARY}", channel="#a", api_url="http://127.0.0.1:1"), ChannelKind.SLACK, id="bot"
    ),
    pytest.param(PagerDutyKey(key=CANARY, url="http://127.0.0.1:1/"), ChannelKind.PAGERDUTY, id="pagerduty"),
    pytest.param(smtp_server(1), ChannelKind.EMAIL, id="email"),
    pytest.param(
        WebhookUrl(url=f"http://u:{CANARY}@127.0.0.1:1/{CANARY}", authorization=f"Bearer {CANARY}"),
        WEBHOOK,
        id="webhook",
    ),
]


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """All that reaches the root logger at the most talkative level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        pytest.param(SERVICES[0].values[0], "NotifySlack", id="slack"),
        pytest.param(SERVICES[1].values[0], "NotifySlack", id="bot"),
        pytest.param(SERVICES[2].values[0], "NotifyPagerDuty", id="pagerduty"),
        pytest.param(SERVICES[3].values[0], "NotifyEmail", id="email"),
        pytest.param(SERVICES[4].values[0], "NotifyJSON", id="webhook"),
    ],
)
def test_every_service_is_apprises_and_hears_no_secret(address: Service, base: str) -> None:
    found = service(address, Delivered)
    assert base in {each.__name__ for each in type(found).__mro__}
    assert CANARY not in repr(vars(found))
    assert found.request_rate_per_sec == 0
    assert not found.redirects


@pytest.mark.parametrize(("address", "kind"), SERVICES)
def test_a_failure_shows_no_secret_anywhere(
    address: Service, kind: ChannelKind, everything_logged: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logs:
        outcome = send(address, kind, recipient="o@example.org")
    assert isinstance(outcome, Failed)
    assert outcome.detail == "connection refused"
    printed = capsys.readouterr()
    for shown in (repr(outcome), everything_logged.getvalue(), repr(logs), printed.out, printed.err):
        assert CANARY not in shown


@pytest.mark.parametrize(("address", "kind"), [case for case in SERVICES if "email" not in str(case.id)])
def test_a_payload_that_cannot_be_sent_shows_no_secret_either(
    address: Service, kind: ChannelKind, everything_logged: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logs:
        outcome = deliver(address, b"\xff" + CANARY.encode(), "", SOON)
    assert isinstance(outcome, Failed)
    assert CANARY not in repr(outcome) + everything_logged.getvalue() + repr(logs) + "".join(capsys.readouterr())


def test_a_server_that_repeats_what_it_was_sent_gives_nothing_away() -> None:
    def parrot(request: Request) -> Response:
        said = f"no route {request.path}, {request.headers['authorization']}, {request.headers['host']}"
        return Response(status=404, body=said.encode())

    with ScriptedServer(parrot) as server:
        where = at(WEBHOOK, f"{server.url}/in/{CANARY}?token={CANARY}", {"authorization": f"Bearer {CANARY}"})
        outcome = send(where, WEBHOOK)
    assert outcome == Failed(
        reason=FailureReason.CLIENT_ERROR, retryable=False, detail="HTTP 404: no route ***, ***, ***"
    )  # fmt: skip


def test_a_detail_is_one_short_line() -> None:
    with ScriptedServer(always(500, "a\nb\r\n" + "x" * 5000)) as server:
        outcome = send(at(WEBHOOK, server.url), WEBHOOK)
    assert outcome.detail.startswith("HTTP 500: a b xxx")
    assert len(outcome.detail) == 300


def test_an_unforeseen_error_names_its_class_and_the_place_but_not_its_text() -> None:
    def broken() -> Outcome:
        raise RuntimeError(CANARY)

    with capture_logs() as logs:
        outcome = guarded(broken)
    assert outcome == Failed(
        reason=FailureReason.OTHER, retryable=True, detail="unexpected RuntimeError while sending"
    )  # fmt: skip
    (entry,) = logs
    assert (entry["event"], entry["error"]) == ("delivery_failed_unexpectedly", "RuntimeError")
    assert "broken" in entry["where"][-1]
    assert CANARY not in repr(entry)


def test_a_service_apprise_will_not_run_is_a_failure() -> None:
    disabled = service(WebhookUrl(url="http://127.0.0.1:1/"), Delivered)
    disabled.enabled = False
    assert through(disabled) == Failed(
        reason=FailureReason.OTHER, retryable=True, detail="Apprise did not run the service"
    )  # fmt: skip


def test_apprise_stays_silent_though_something_switched_its_logger_on(everything_logged: io.StringIO) -> None:
    logger = logging.getLogger("apprise")
    logger.disabled, logger.propagate = False, True
    logger.setLevel(1)
    send(WebhookUrl(url="http://127.0.0.1:1/"), WEBHOOK)
    assert everything_logged.getvalue() == ""
    assert not logger.propagate


def test_one_delivery_is_one_request() -> None:
    with ScriptedServer(always(500)) as server:
        send(at(WEBHOOK, server.url), WEBHOOK)
    assert len(server.requests) == 1


def test_a_second_delivery_does_not_wait_for_the_first_ones_throttle() -> None:
    with ScriptedServer(always(202, "{}")) as server:
        where = PagerDutyKey(key="k", url=server.url)
        started = time.monotonic()
        for _ in range(5):
            assert isinstance(send(where, ChannelKind.PAGERDUTY), Delivered)
    assert time.monotonic() - started < 10  # Apprise's own throttle would take 22 s.


def test_twelve_slow_endpoints_do_not_delay_another() -> None:
    def slow(_: Request) -> Response:
        waiting.release()
        servers[0].stopping.wait(20)
        return Response(body=b"ok")

    waiting = threading.Semaphore(0)
    servers: list[ScriptedServer] = []
    with ThreadPoolExecutor(13) as pool, ScriptedServer(always()) as fast, ScriptedServer(slow) as slower:
        servers.append(slower)
        for _ in range(12):
            pool.submit(send, at(WEBHOOK, slower.url), WEBHOOK, deadline=timedelta(seconds=20))
        assert all(waiting.acquire(timeout=15) for _ in range(12))
        started = time.monotonic()
        assert pool.submit(send, at(WEBHOOK, fast.url), WEBHOOK).result() == Delivered(detail="HTTP 200")
        assert time.monotonic() - started < 10
        slower.stopping.set()


def test_no_thread_and_no_socket_outlives_a_delivery() -> None:
    before = set(threading.enumerate())
    with ScriptedServer(always()) as server:
        send(at(WEBHOOK, server.url), WEBHOOK)
    send(WebhookUrl(url="http://127.0.0.1:1/"), WEBHOOK)
    assert set(threading.enumerate()) <= before


def test_the_log_is_delivered_to_without_a_network() -> None:
    with capture_logs() as logs:
        outcome = deliver(at(ChannelKind.LOG, ""), render(ChannelKind.LOG, facts(), {}), "", SOON)
    assert outcome == Delivered(detail="logged")
    assert logs[0]["event"] == "notification"
