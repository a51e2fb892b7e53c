"""Against the real API: every noun can be declared, read, declared again as it was written, and deleted."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from tests.api.commands.asking import Told, tocsin
from tests.api.stand_in import StandIn, alert, store_alerts
from tests.api.test_wire import Announcing

RULE = {"id": "cpu", "name": "HighCpu", "expr": "up == 0", "for": "5m", "labels": {"on": "off"}}
NOUNS = {
    "rules": RULE,
    "channels": {"name": "oncall", "kind": "log"},
    "routes": {"id": "db", "parent_id": "root", "receiver": "dba", "matchers": '{team="db"}', "group_wait": "10s"},
    "inhibit-rules": {"id": "i", "source_matchers": "{a=b}", "target_matchers": "{c=d}", "equal": ["e"]},
    "time-intervals": {"name": "t", "time_intervals": [{"times": [{"start_time": "09:00", "end_time": "17:00"}]}]},
    "datasources": {"name": "other", "urls": ["http://127.0.0.1:9090"]},
}


@pytest.fixture
def url(engine: StandIn) -> Iterator[str]:
    """The address of the real API over a fresh database."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Announcing(uvicorn.Config(create_app(engine), log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        assert server.listening.wait(30)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def done(*arguments: str, url: str, stdin: object = None) -> Told:
    """The command, which must go well."""
    told = tocsin(*arguments, url=url, stdin=stdin if isinstance(stdin, str) else json.dumps(stdin))
    assert told.status == 0, told.err
    return told


@pytest.mark.parametrize(("command", "wanted"), NOUNS.items(), ids=NOUNS)
def test_a_noun_is_declared_and_read(url: str, command: str, wanted: dict[str, Any]) -> None:
    key = str(wanted.get("id") or wanted["name"])
    assert f"{key} would be created" in done(command, "apply", "-f", "-", "--dry-run", url=url, stdin=wanted).out
    assert f"{key} created" in done(command, "apply", "-f", "-", url=url, stdin=wanted).out
    assert key in done(command, "list", url=url).out
    written = done(command, "get", key, "-o", "yaml", url=url).out
    again = done(command, "apply", "-f", "-", "--dry-run", url=url, stdin=written)
    assert f"{key} is like that already" in again.out


@pytest.mark.parametrize(("command", "wanted"), NOUNS.items(), ids=NOUNS)
def test_a_noun_is_deleted(url: str, command: str, wanted: dict[str, Any]) -> None:
    key = str(wanted.get("id") or wanted["name"])
    done(command, "apply", "-f", "-", url=url, stdin=wanted)
    assert f"{key} would be deleted" in done(command, "delete", key, "--dry-run", url=url).out
    assert f"{key} deleted" in done(command, "delete", key, url=url).out
    assert tocsin(command, "get", key, url=url).status == 1


def test_a_misspelt_field_is_told_with_the_right_one(url: str) -> None:
    told = tocsin("rules", "apply", "-f", "-", url=url, stdin=json.dumps({**RULE, "serverity": "x"}))
    assert (told.status, told.out) == (1, "")
    assert "serverity: unknown field; did you mean 'severity'?" in told.err


def test_a_rule_is_changed_and_taken_back(url: str) -> None:
    done("rules", "apply", "-f", "-", url=url, stdin=RULE)
    assert "  for: 5m → 1m" in done("rules", "patch", "cpu", "for=1m", "--dry-run", url=url).out
    done("rules", "patch", "cpu", "for=1m", url=url)
    assert "for: 5m → 1m" in done("rules", "versions", "cpu", url=url).out
    done("rules", "restore", "cpu", "--version", "1", url=url)
    assert done("rules", "get", "cpu", "-o", "json", url=url).json["for"] == "5m"
    assert "returns 0 samples now" in done("rules", "evaluate", "cpu", url=url).out
    assert "cpu" in done("rules", "list", "--name", "high", url=url).out


def test_a_threshold_hangs_on_its_rule(url: str) -> None:
    rule = {"id": "cpu", "name": "HighCpu", "metric_name": "cpu", "condition": ">", "threshold": 90}
    done("rules", "apply", "-f", "-", url=url, stdin=rule)
    row = {"id": "db", "matchers": "{team=db}", "threshold": 95, "severity": "critical"}
    assert "db created" in done("thresholds", "apply", "cpu", "-f", "-", url=url, stdin=row).out
    assert 'team="db"' in done("thresholds", "list", "cpu", url=url).out
    assert done("thresholds", "get", "cpu", "db", "-o", "json", url=url).json["threshold"] == 95
    done("thresholds", "effective", "cpu", url=url)
    assert "db deleted" in done("thresholds", "delete", "cpu", "db", url=url).out


def test_the_tree_is_put_drawn_and_tried(url: str) -> None:
    tree = [{"id": "root", "receiver": "default", "channels": ["log"]}, NOUNS["routes"]]
    assert "route db created" in done("routes", "apply", "--tree", "-f", "-", url=url, stdin=tree).out
    assert '    └── {team="db"}  receiver: dba  id: db\n' in done("routes", "show", url=url).out
    assert "db" in done("routes", "test", "team=db", url=url).out.split("TAKEN BY")[1]


def test_alerts_are_found_and_silenced(url: str, engine: StandIn) -> None:
    store_alerts(engine.database, alert("cpu", team="db"), alert("cpu", team="web"))
    (found,) = done("alerts", "list", "team=db", "-o", "json", url=url).json
    assert found["fingerprint"] in done("alerts", "get", found["fingerprint"], url=url).out
    assert "covers 1 alert now" in done("silences", "preview", "HighCpu", "team=db", url=url).out
    assert " covers 1 alert now" in done("alerts", "silence", found["fingerprint"], "-d", "30m", url=url).out
    assert "silence" in done("alerts", "list", "team=db", url=url).out


def test_a_silence_is_asked_for_tried_and_ended(url: str) -> None:
    assert "silence would cover 0 alerts now" in done("silences", "add", "team=db", "--dry-run", url=url).out
    made = done("silences", "add", "team=~d.*", "-d", "2h", "-c", "move", "-o", "json", url=url).json
    assert done("silences", "list", "-o", "json", url=url).json == [made]
    assert f"{made['id']} expired" in done("silences", "expire", made["id"], url=url).out
    assert "no silences that are pending or active" in done("silences", "list", url=url).err
    assert done("silences", "list", "--state", "expired", "-o", "json", url=url).json[0]["id"] == made["id"]


def test_a_message_is_tried_and_notifications_are_listed(url: str) -> None:
    assert done("channels", "test", "log", url=url).out.startswith("channel log: delivered")
    assert done("notifications", "list", "-o", "json", url=url).json == []


def test_lists_are_read_over_many_pages(url: str) -> None:
    rules = [{**RULE, "id": f"rule-{number:03}"} for number in range(12)]
    done("rules", "apply", "-f", "-", url=url, stdin=rules)
    assert [one["id"] for one in done("rules", "list", "-o", "json", "--limit", "11", url=url).json] == [
        f"rule-{number:03}" for number in range(11)
    ]
