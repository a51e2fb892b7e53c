"""The channel that always works."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from engine.core.messages import plain, render
from engine.core.outcome import Delivered
from engine.delivery.addresses import LogAddress
from engine.delivery.log import send
from rules.channels import ChannelKind
from tests.core.telling import alert, facts, many

LOG = ChannelKind.LOG


def test_a_firing_group_is_a_warning_with_fields() -> None:
    with capture_logs() as logs:
        assert send(LogAddress(name="fallback"), render(LOG, facts(*many(2)), {})) == Delivered(detail="logged")
    (entry,) = logs
    assert entry["text"].startswith("HighErrorRate (critical) | Too many errors, instance=web-1")
    del entry["text"]
    assert entry == {
        "event": "notification",
        "log_level": "warning",
        "channel": "fallback",
        "status": "firing",
        "firing": 2,
    }


def test_a_resolved_group_is_information() -> None:
    with capture_logs() as logs:
        send(LogAddress(), render(LOG, facts(alert(status="resolved")), {}))
    assert (logs[0]["log_level"], logs[0]["status"], logs[0]["firing"]) == ("info", "resolved", 0)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(
            plain(LOG, facts(), "boom"), '{alertname="HighErrorRate"} | This is a plain', id="a-plain-message"
        ),
        pytest.param(b"anything", "anything", id="a-line-without-a-tag"),
        pytest.param(b"caf\xff", "caf\ufffd", id="no-text"),
    ],
)
def test_a_line_of_any_form_is_written_and_loud(body: bytes, text: str) -> None:
    with capture_logs() as logs:
        send(LogAddress(), body)
    assert logs[0]["log_level"] == "warning"
    assert logs[0]["text"].startswith(text)
