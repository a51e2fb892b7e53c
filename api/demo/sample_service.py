"""The service that is watched in the demo: a real HTTP server with /metrics, healthy until it is told to misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

REQUESTS_PER_SECOND: Final = 40.0
HEALTHY_PERCENT: Final = 0.8


class SampleService:
    """The service `checkout` on a free port of 127.0.0.1; `error_percent` may be set at any time.

    Its counters grow as if it were asked 40 times a second and failed that share of the requests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        service = self

        class Handler(_MetricsHandler):
            watched = service

        self._clock = clock
        self._lock = threading.Lock()
        self._counted_at = clock()
        self._served, self._failed = 0.0, 0.0
        self._error_percent = HEALTHY_PERCENT
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def target(self) -> str:
        """What a scrape configuration names."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def error_percent(self) -> float:
        """The share of requests failing now, 0 to 100."""
        return self._error_percent

    @error_percent.setter
    def error_percent(self, percent: float) -> None:
        with self._lock:
            self._count()
            self._error_percent = percent

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def metrics(self) -> str:
        """The exposition format; the instance is for the scraping side to add."""
        with self._lock:
            self._count()
            return (
                "# HELP error_rate Share of requests answered with an error, in percent.\n"
                "# TYPE error_rate gauge\n"
                f'error_rate{{service="checkout"}} {self._error_percent}\n'
                "# HELP http_requests_total Requests answered, by status.\n"
                "# TYPE http_requests_total counter\n"
                f'http_requests_total{{service="checkout",status="200"}} {int(self._served)}\n'
                f'http_requests_total{{service="checkout",status="500"}} {int(self._failed)}\n'
            )

    def _count(self) -> None:
        now = self._clock()
        requests = (now - self._counted_at) * REQUESTS_PER_SECOND
        self._failed += requests * self._error_percent / 100
        self._served += requests * (1 - self._error_percent / 100)
        self._counted_at = now


class _MetricsHandler(BaseHTTPRequestHandler):
    watched: SampleService
    timeout = 30

    def do_GET(self) -> None:
        found = self.path == "/metrics"
        body = self.watched.metrics().encode() if found else b"the metrics are at /metrics\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name for it
        """Nothing: the story speaks for the service."""
