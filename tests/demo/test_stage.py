"""What stands on the stage, and that it is gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from smtplib import SMTP

import pytest
import requests

from api.demo.stage import Stage, neutral


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(Path("/bin/true")) as stage:
        yield stage


def slack(stage: Stage, status: str) -> None:
    requests.post(stage.slack.webhook_url, json={"text": f"[{status}] a"}, timeout=5).raise_for_status()


def pagerduty(stage: Stage, action: str) -> None:
    payload = {"summary": "a", "source": "b", "severity": "critical"}
    event = {"routing_key": stage.pagerduty.key, "event_action": action, "dedup_key": "k", "payload": payload}
    requests.post(f"{stage.pagerduty.url}/v2/enqueue", json=event, timeout=5).raise_for_status()


def email(stage: Stage, status: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = f"[{status}] a", "a@example.org", "b@example.org"
    with SMTP("127.0.0.1", stage.mail.port, timeout=5) as server:
        server.send_message(message)


def test_all_that_happens_on_the_stage_is_in_one_folder_that_goes_with_it() -> None:
    with Stage(Path("/bin/true")) as stage:
        home = stage.database.parent
        stage.start_prometheus()
        assert (home / "prometheus.yml").exists()
    assert not home.exists()


def test_leaving_the_stage_ends_its_children(tmp_path: Path) -> None:
    program = tmp_path / "prometheus"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with Stage(program) as stage:
        stage.start_prometheus()
        assert [child.ended for child in stage.children] == [None]
    assert [child.ended for child in stage.children] != [None]


def test_without_messages_no_channel_knows(stage: Stage) -> None:
    assert (stage.told("FIRING"), stage.told("RESOLVED")) == (frozenset(), frozenset())


def test_each_channel_knows_what_it_was_told(stage: Stage) -> None:
    slack(stage, "FIRING:1")
    assert stage.told("FIRING") == {"slack"}
    pagerduty(stage, "trigger")
    email(stage, "FIRING:1")
    assert stage.told("FIRING") == {"slack", "pagerduty", "email"}
    assert stage.told("RESOLVED") == frozenset()


def test_an_incident_that_is_closed_knows_of_the_end(stage: Stage) -> None:
    pagerduty(stage, "trigger")
    pagerduty(stage, "resolve")
    assert stage.told("RESOLVED") == {"pagerduty"}


def test_a_resolve_that_closes_no_incident_tells_nothing(stage: Stage) -> None:
    pagerduty(stage, "resolve")
    assert stage.told("RESOLVED") == frozenset()


def test_what_the_stand_ins_took_is_heard_in_its_order(stage: Stage) -> None:
    slack(stage, "FIRING:1")
    email(stage, "RESOLVED")
    assert [line.split()[0] for line in stage.heard] == ["slack", "email"]


def test_prometheus_that_is_not_there_has_scraped_nothing(stage: Stage) -> None:
    assert not stage.scraped()


def test_the_demos_engine_inherits_no_address_credential_or_proxy() -> None:
    own = {"PATH": "/bin", "HOME": "/root", "LANG": "C"}
    foreign = {
        "TOCSIN_API_KEYS": "k",
        "SLACK_ALERT_CHANNEL": "#ops",
        "SMTP_USER": "me",
        "sentry_dsn": "https://example.org",
        "PAGERDUTY_SERVICE_KEY": "k",
        "https_proxy": "http://example.org",
        "ALERT_EVALUATION_INTERVAL": "60",
    }
    assert neutral(own | foreign) == own
