"""A payload as a person reads it."""

from __future__ import annotations

import json

import pytest

from engine.core.messages import render
from engine.core.messages_readable import readable
from rules.channels import ChannelKind
from tests.core.telling import RUNBOOK, alert, facts


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        pytest.param(ChannelKind.SLACK, "▌ [FIRING:1] HighErrorRate (critical) [danger]", id="slack"),
        pytest.param(ChannelKind.PAGERDUTY, f"Runbook: {RUNBOOK}", id="pagerduty"),
        pytest.param(ChannelKind.EMAIL, "Subject: [FIRING:1] HighErrorRate (web-1 critical)", id="email"),
        pytest.param(ChannelKind.WEBHOOK, '  "version": "4",', id="webhook"),
        pytest.param(ChannelKind.APPRISE, "[FIRING:1] HighErrorRate (critical)", id="apprise"),
    ],
)
def test_every_kind_reads_line_by_line(kind: ChannelKind, line: str) -> None:
    told = facts(alert(annotations={"summary": "Too many errors", "runbook_url": RUNBOOK}))
    assert line in readable(kind, json.loads(render(kind, told, {}))).splitlines()


def test_the_log_is_its_line() -> None:
    assert readable(ChannelKind.LOG, "a line") == "a line"


def test_a_slack_message_without_a_reply_reads_too() -> None:
    assert readable(ChannelKind.SLACK, {"text": "a &lt;b&gt; &amp;", "attachments": [{}]}) == "a <b> &\n\n▌  []"
