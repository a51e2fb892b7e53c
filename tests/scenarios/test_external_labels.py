"""External labels: everything that decides about an alert and everybody who is told sees them, its identity does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engine.store.tables import alert_rules, inhibit_rules, routes, silences
from tests.scenarios.conftest import Begin
from tests.scenarios.test_firing import BREACH, HOST, rule, states
from tests.scenarios.world import START, World

LABELS = "cluster=eu-1,host=nobody"


@pytest.fixture
def world(begin: Begin) -> World:
    """The usual world, of a system with external labels; one of them is the name of a label that series have."""
    made = begin(TOCSIN_EVALUATION_INTERVAL="10s", TOCSIN_EXTERNAL_LABELS=LABELS)
    made.sql("INSERT INTO channels (name, kind, url) VALUES ('hook', 'webhook', 'http://127.0.0.1:1/hook')")
    made.sql("UPDATE routes SET channels = '[\"hook\"]', group_wait_seconds = 5, group_interval_seconds = 30")
    rule(made)
    made.returns(BREACH, (HOST, 12))
    return made


def told(world: World) -> list[Mapping[str, Any]]:
    return [one.body for one in world.deliveries if one.kind == "WebhookUrl"]


def test_a_message_has_them_and_the_alert_s_own_labels_win(world: World) -> None:
    world.until(40)
    (message,) = told(world)
    assert message["alerts"][0]["labels"] == {"alertname": "Errors", "cluster": "eu-1", "host": "a"}
    assert message["commonLabels"]["cluster"] == "eu-1"


def test_routes_and_groups_see_them(world: World) -> None:
    with world.service.database.write() as connection:
        child = {"id": "eu", "parent_id": "root", "matchers": ['cluster="eu-1"'], "group_by": ["cluster", "alertname"]}
        connection.execute(routes.insert().values(child))
    world.until(40)
    assert told(world)[0]["groupLabels"] == {"alertname": "Errors", "cluster": "eu-1"}


def test_a_silence_on_them_keeps_quiet(world: World) -> None:
    with world.service.database.write() as connection:
        wish = {"matchers": ['cluster="eu-1"'], "starts_at": START, "ends_at": START.replace(year=2027)}
        connection.execute(silences.insert().values(id="s", created_by="me", comment="", **wish))
    world.until(60)
    assert states(world) == ["firing"]
    assert told(world) == []


def test_inhibition_sees_them_on_both_sides(world: World) -> None:
    with world.service.database.write() as connection:
        connection.execute(alert_rules.insert().values(id="down", name="Down", expr="down", severity="critical"))
        sides = {"source_matchers": ['alertname="Down"', 'cluster="eu-1"'], "target_matchers": ['alertname="Errors"']}
        connection.execute(inhibit_rules.insert().values(id="i", equal=["cluster"], **sides))
    world.returns("down", ({}, 1.0))
    world.until(60)
    assert {alert["labels"]["alertname"] for message in told(world) for alert in message["alerts"]} == {"Down"}


def test_templates_have_them(world: World) -> None:
    with world.service.database.write() as connection:
        texts = {"where": "{{ $externalLabels.cluster }} {{ .ExternalLabels.host }} {{ $labels.host }}"}
        connection.execute(alert_rules.update().values(annotations=texts))
    world.until(40)
    assert told(world)[0]["alerts"][0]["annotations"] == {"where": "eu-1 nobody a"}


def test_changing_them_is_no_new_alert(begin: Begin, world: World) -> None:
    world.until(40)
    world.environment = {**world.environment, "TOCSIN_EXTERNAL_LABELS": "cluster=us-1"}
    world.restart()
    world.until(100)
    assert world.rows("SELECT episode, state FROM alerts") == [(1, "firing")]
    assert len(told(world)) == 1
    world.returns(BREACH)
    world.until(160)
    assert told(world)[-1]["status"] == "resolved"
    assert told(world)[-1]["alerts"][0]["labels"]["cluster"] == "us-1"
