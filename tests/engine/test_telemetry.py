"""Logs that are JSON and hold no secret, and metrics under the names that dashboards rely on."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from engine.telemetry import NOTIFICATIONS, LogFormat, LogLevel, Metrics, configure_logging, redact, version

SECRET = "canary-77aa"


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Logging belongs to the whole process; the next test shall find what this one found."""
    loggers = [logging.getLogger(name) for name in ("", NOTIFICATIONS, "urllib3", "uvicorn", "alembic", "asyncio")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    structlog.reset_defaults()
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    """Where the lines of level info and above go, as JSON."""
    stream = io.StringIO()
    configure_logging(LogLevel.INFO, LogFormat.JSON, stream)
    return stream


def test_a_line_is_one_json_object_with_time_level_and_logger(stream: io.StringIO) -> None:
    structlog.get_logger("tocsin.x").info("served", rule="r\n1", took=1.5)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "served", "level": "info", "logger": "tocsin.x", "rule": "r\n1", "took": 1.5}


def test_a_library_s_line_looks_like_ours(stream: io.StringIO) -> None:
    logging.getLogger("library").warning("%s of %d", "one", 2)
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("one of 2", "warning", "library")


def test_context_is_on_every_line(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(rule_id="r1"):
        structlog.get_logger("tocsin").info("a")
        logging.getLogger("library").warning("b")
    assert [line["rule_id"] for line in lines(stream)] == ["r1", "r1"]


def test_a_traceback_is_in_the_line_and_shows_no_local_variables(stream: io.StringIO) -> None:
    password = SECRET
    try:
        raise ValueError(f"postgresql://u:{password}@h")
    except ValueError:
        structlog.get_logger("tocsin").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: postgresql://***@h" in line["exception"]
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"a": {1}}, {"t": object}, None])
def test_whatever_is_logged_is_json(stream: io.StringIO, value: object) -> None:
    structlog.get_logger("tocsin").info("odd", value=value)
    (line,) = [json.loads(line, parse_constant=pytest.fail) for line in stream.getvalue().splitlines()]
    assert "value" in line


@pytest.mark.parametrize(
    ("level", "told"),
    [
        pytest.param(LogLevel.DEBUG, ["d", "i", "e"], id="debug"),
        pytest.param(LogLevel.INFO, ["i", "e"], id="info"),
        pytest.param(LogLevel.CRITICAL, [], id="critical"),
    ],
)
def test_a_line_below_the_level_is_not_written(level: LogLevel, told: list[str]) -> None:
    stream = io.StringIO()
    configure_logging(level, LogFormat.JSON, stream)
    log = structlog.get_logger("tocsin.x")
    log.debug("d")
    log.info("i")
    log.error("e")
    assert [line["event"] for line in lines(stream)] == told


def test_no_level_silences_the_log_channel() -> None:
    stream = io.StringIO()
    configure_logging(LogLevel.CRITICAL, LogFormat.JSON, stream)
    structlog.get_logger(NOTIFICATIONS).warning("notification")
    structlog.get_logger(NOTIFICATIONS).info("notification")
    assert [line["level"] for line in lines(stream)] == ["warning", "info"]


def test_a_library_that_would_show_addresses_is_not_heard_at_debug() -> None:
    stream = io.StringIO()
    configure_logging(LogLevel.DEBUG, LogFormat.JSON, stream)
    logging.getLogger("urllib3.connectionpool").debug("POST /services/T0/B0/%s", SECRET)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("stream", "format_", "is_json"),
    [
        pytest.param(Terminal(), LogFormat.AUTO, False, id="auto-on-a-terminal"),
        pytest.param(io.StringIO(), LogFormat.AUTO, True, id="auto-elsewhere"),
        pytest.param(Terminal(), LogFormat.JSON, True, id="json-on-a-terminal"),
        pytest.param(io.StringIO(), LogFormat.CONSOLE, False, id="console-elsewhere"),
    ],
)
def test_the_format_follows_the_setting_and_then_the_stream(
    stream: io.StringIO, format_: LogFormat, is_json: bool
) -> None:
    configure_logging(LogLevel.INFO, format_, stream)
    structlog.get_logger("tocsin").info("served", password=SECRET)
    assert stream.getvalue().startswith("{") is is_json
    assert "served" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_configuring_again_replaces_what_was_set(stream: io.StringIO) -> None:
    again = io.StringIO()
    configure_logging(LogLevel.INFO, LogFormat.JSON, again)
    structlog.get_logger("tocsin").info("once")
    assert stream.getvalue() == ""
    assert len(lines(again)) == 1


@pytest.mark.parametrize(
    "key",
    ["password", "SMTP_PASSWORD", "passwd", "token", "access_token", "api_key", "api_keys", "routing_key", "Authorization",
     "client_secret", "Cookie", "dsn", "SENTRY_DSN"],
)  # fmt: skip
def test_a_key_that_names_a_secret_hides_its_value(key: str) -> None:
    shown = redact(None, "info", {key: SECRET, "inner": [{key: (SECRET,)}]})
    assert shown == {key: "***", "inner": [{key: "***"}]}


@pytest.mark.parametrize("key", ["dedup_key", "group_key", "key", "compass", "user"])
def test_a_key_that_only_sounds_like_one_hides_nothing(key: str) -> None:
    assert redact(None, "info", {key: "x"}) == {key: "x"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(f"at postgresql://u:{SECRET}@h/n?x=1 now", "at postgresql://***@h/n?x=1 now", id="password"),
        pytest.param(f"https://{SECRET}@h/v2/enqueue", "https://***@h/v2/enqueue", id="pagerduty-key"),
        pytest.param(f"https://hooks.slack.com/services/T/B/{SECRET}!", "https://hooks.slack.com/***!", id="slack"),
        pytest.param(f"token xoxb-1-{SECRET}.", "token ***.", id="slack-bot"),
        pytest.param(f"Authorization: Bearer {SECRET}", "Authorization: Bearer ***", id="bearer"),
        pytest.param("http://h:9090/a@b, me@example.org", "http://h:9090/a@b, me@example.org", id="nothing-secret"),
    ],
)
def test_credentials_inside_of_any_text_are_blotted_out(text: str, shown: str) -> None:
    assert redact(None, "info", {"event": text, "inner": {"a": [text]}}) == {"event": shown, "inner": {"a": [shown]}}


def test_an_unset_secret_is_shown_as_unset() -> None:
    assert redact(None, "info", {"password": None, "token": ""}) == {"password": None, "token": ""}


EXPECTED = {
    "tocsin_rule_evaluations_total": ("result",),
    "tocsin_evaluation_missed_slots_total": (),
    "tocsin_evaluation_lateness_seconds_bucket": ("le",),
    "tocsin_query_seconds_bucket": ("datasource", "le"),
    "tocsin_query_failures_total": ("kind",),
    "tocsin_rules": ("health",),
    "tocsin_alerts": ("state",),
    "tocsin_notifications_total": ("channel_kind",),
    "tocsin_notification_failures_total": ("channel_kind", "reason"),
    "tocsin_notifications_dead_total": (),
    "tocsin_outbox_pending": (),
    "tocsin_flushes_total": (),
    "tocsin_loop_failures_total": ("loop",),
    "tocsin_loop_last_tick_timestamp_seconds": ("loop",),
    "tocsin_definition_problems": (),
    "tocsin_definition_version": (),
    "tocsin_http_requests_total": ("method", "route", "status"),
    "tocsin_http_request_seconds_bucket": ("le", "method", "route"),
    "tocsin_http_requests_in_progress": ("method",),
    "tocsin_build_info": ("version",),
    "tocsin_alerts_received_total": ("status",),
    "tocsin_alerts_invalid_total": (),
    "tocsin_audit_findings": ("flaw",),
    "tocsin_audit_repairs_total": ("flaw",),
    "tocsin_heartbeats_total": ("result",),
    "tocsin_rows_pruned_total": ("table",),
    "tocsin_stored_rows": ("table",),
    "tocsin_database_bytes": (),
}


def touched() -> Metrics:
    """Metrics each of which has a value, by labels named x."""
    metrics = Metrics()
    for metric in list(vars(metrics).values()):
        labels = getattr(metric, "_labelnames", ())
        child = metric.labels(*["x"] * len(labels)) if labels else metric
        if hasattr(child, "observe"):
            child.observe(1)
        elif hasattr(child, "inc"):
            child.inc()
    return metrics


def test_the_names_and_labels_on_the_wire_are_the_documented_ones() -> None:
    text = touched().render().decode()
    found = {
        sample.name: tuple(sorted(sample.labels))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("tocsin_") and not sample.name.endswith(("_sum", "_count"))
    }
    assert found == EXPECTED


def test_two_engines_in_one_process_share_no_count() -> None:
    one, other = Metrics(), Metrics()
    one.flushes.inc(3)
    assert b"tocsin_flushes_total 3.0" in one.render()
    assert b"tocsin_flushes_total 0.0" in other.render()


def test_the_page_tells_version_and_process_and_says_what_it_is() -> None:
    metrics = Metrics()
    page = metrics.render()
    assert f'tocsin_build_info{{version="{version()}"}} 1.0'.encode() in page
    assert b"process_resident_memory_bytes" in page
    assert metrics.content_type.startswith("text/plain")
