"""What the engine says about itself: structured logs on stderr, and metrics in Prometheus' text format.

Every line, ours or a library's, leaves by one handler, and no line leaves without passing `redact`. Metrics belong to a
registry of their own, so two services in one process (as in tests) never share a count.
"""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from typing import Final, TextIO

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from structlog.typing import EventDict, Processor

from engine import tracebacks

REDACTED: Final = "***"

_SECRET_KEY: Final = re.compile(
    r"passw(or)?d|secret|token|credential|authorization|cookie|(api|routing|service|integration)_?keys?$|(^|_)dsn$",
    re.IGNORECASE,
)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")
"""What stands between `://` and `@` in a URL: a user, a password, a PagerDuty key."""
_SLACK_PATH: Final = re.compile(r"(hooks\.slack(?:-gov)?\.com/)[\w/-]+", re.IGNORECASE)
_BARE: Final = re.compile(r"\bxox[a-z]-[\w-]+|(?<=Bearer )[\w.~+/=-]+", re.IGNORECASE)

NOTIFICATIONS: Final = "tocsin.notification"
"""The logger that is the log channel. A level that silences the others does not silence alerts."""
_CHATTY: Final = ("alembic", "asyncio", "urllib3", "uvicorn")
"""Libraries whose INFO is noise, and whose DEBUG would repeat addresses that are secrets (urllib3)."""


class LogLevel(StrEnum):
    """From which level on a line is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def number(self) -> int:
        """The level as `logging` counts it."""
        return logging.getLevelNamesMapping()[self.name]


class LogFormat(StrEnum):
    """How a line looks. AUTO is console on a terminal and json everywhere else."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


def configure_logging(level: LogLevel, format: LogFormat, stream: TextIO | None = None) -> None:  # noqa: A002 - the setting's word
    """Send every log line of the process to `stream` (default: stderr); calling it again replaces what was set before."""
    stream = stream or sys.stderr
    console = format is LogFormat.CONSOLE or (format is LogFormat.AUTO and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(_console(stream) if console else structlog.processors.JSONRenderer()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.number)
    logging.getLogger(NOTIFICATIONS).setLevel(min(level.number, logging.INFO))
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level.number, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _shared() -> list[Processor]:
    """What is added to our own lines and to those of libraries alike."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(renderer: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            tracebacks.put_into,
            redact,
            renderer,
        ],
    )


def _console(stream: TextIO) -> Processor:
    # The default formatter of exceptions shows local variables, and with them secrets.
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The line without secrets: values under keys that name one, and credentials inside of any text."""
    return {key: _shown(str(key), value) for key, value in event.items()}


def _shown(key: str, value: object) -> object:
    """The value as it may be shown under this key."""
    if _SECRET_KEY.search(key) and value not in (None, "", True, False):
        return REDACTED
    match value:
        case Mapping():
            return {str(name): _shown(str(name), item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_shown("", item) for item in value]
        case _:
            return _plain(value)


def _plain(value: object) -> object:
    """Whatever JSON can write, and text without credentials for all else."""
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return without_credentials(str(value))


def without_credentials(text: str) -> str:
    """The text with what lets one in blotted out: users and passwords in URLs, Slack's webhook paths, bearer tokens."""
    text = _SLACK_PATH.sub(rf"\1{REDACTED}", _CREDENTIALS.sub(REDACTED, text))
    return _BARE.sub(REDACTED, text)


def version() -> str:
    """The installed version of Tocsin; `0+checkout` when it runs from a checkout that was never installed."""
    try:
        return distribution_version("tocsin")
    except PackageNotFoundError:
        return "0+checkout"


_LATENESS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_LATENCY: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class _WithoutBirthdays(Collector):
    """A registry's metrics without the time each was made, which the client adds as a `_created` series to every count."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Metrics:
    """Everything the engine counts about itself, one attribute each; the names on the wire begin with `tocsin_`."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._info()
        self._evaluation()
        self._notification()
        self._http()

    def render(self) -> bytes:
        """All metrics, as Prometheus scrapes them; `content_type` is their content type."""
        return generate_latest(_WithoutBirthdays(self.registry))

    def _info(self) -> None:
        self.build_info = self._gauge("build_info", "Always 1; the version is a label.", "version")
        self.build_info.labels(version()).set(1)
        self.definition_problems = self._gauge(
            "definition_problems", "Problems in rules, channels, routes and silences."
        )
        self.definition_version = self._gauge(
            "definition_version", "The newest recorded change of a definition that is in force in this process."
        )
        self.loop_failures = self._counter("loop_failures", "Ticks of a loop that raised.", "loop")
        self.loop_last_tick = self._gauge(
            "loop_last_tick_timestamp_seconds", "When the loop last finished a tick, in Unix time.", "loop"
        )

    def _evaluation(self) -> None:
        self.rule_evaluations = self._counter("rule_evaluations", "Evaluations of rules, by result.", "result")
        self.evaluation_missed_slots = self._counter("evaluation_missed_slots", "Slots that nobody evaluated.")
        self.evaluation_lateness = self._histogram(
            "evaluation_lateness_seconds", "From a slot's time to the commit of its evaluation.", _LATENESS
        )
        self.query_seconds = self._histogram("query_seconds", "Time of a query.", _LATENCY, "datasource")
        self.query_failures = self._counter("query_failures", "Queries without an answer, by kind of failure.", "kind")
        self.rules = self._gauge("rules", "Rules, by health.", "health")
        self.alerts = self._gauge("alerts", "Alerts, by state.", "state")
        self.alerts_received = self._counter("alerts_received", "Alerts posted by others, by what they say.", "status")
        self.alerts_invalid = self._counter("alerts_invalid", "Alerts posted by others that were refused.")

    def _notification(self) -> None:
        self.notifications = self._counter("notifications", "Notifications delivered.", "channel_kind")
        self.notification_failures = self._counter(
            "notification_failures", "Attempts to deliver that failed.", "channel_kind", "reason"
        )
        self.notifications_dead = self._counter("notifications_dead", "Notifications given up.")
        self.outbox_pending = self._gauge("outbox_pending", "Notifications waiting for delivery or for a retry.")
        self.flushes = self._counter("flushes", "Flushes of alert groups.")
        self.audit_findings = self._gauge(
            "audit_findings", "What the auditor found overdue at its last look, by kind of flaw.", "flaw"
        )
        self.audit_repairs = self._counter(
            "audit_repairs", "What the auditor mended because it had no next step, by kind of flaw.", "flaw"
        )
        self.rows_pruned = self._counter("rows_pruned", "Old rows that were dropped, by table.", "table")
        self.stored_rows = self._gauge("stored_rows", "About how many rows a table that grows has.", "table")
        self.database_bytes = self._gauge("database_bytes", "What the database takes on disk.")
        self.heartbeats = self._counter("heartbeats", "Signs of life to TOCSIN_HEARTBEAT_URL, by result.", "result")

    def _http(self) -> None:
        self.http_requests = self._counter("http_requests", "Requests answered.", "method", "route", "status")
        self.http_request_seconds = self._histogram(
            "http_request_seconds", "Time to answer a request.", _LATENCY, "method", "route"
        )
        self.http_requests_in_progress = self._gauge("http_requests_in_progress", "Requests being answered.", "method")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"tocsin_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"tocsin_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"tocsin_{name}", meaning, labels, buckets=buckets, registry=self.registry)
