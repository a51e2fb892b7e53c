"""Alerts as series at /metrics/alerts: off unless wanted, capped, and readable whatever their labels hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from engine.core.alert import Alert, State
from engine.core.engine_alerts import SOURCE
from tests.api.stand_in import NOON, StandIn, StandInSettings, alert, store_alerts

PATH = "/metrics/alerts"
Found = dict[str, list[tuple[dict[str, str], float]]]


def series(engine: StandIn, most: int) -> Found:
    answered = TestClient(create_app(replace(engine, settings=StandInSettings(metrics_alerts=most)))).get(PATH)
    assert answered.status_code == 200
    families = text_string_to_metric_families(answered.text)
    found = [sample for family in families for sample in family.samples]
    return {
        name: [(dict(one.labels), one.value) for one in found if one.name == name]
        for name in {one.name for one in found}
    }


def stored(engine: StandIn, *found: Alert) -> None:
    store_alerts(engine.database, *(replace(one, active_at=NOON) for one in found))


def test_the_page_is_away_until_a_setting_wants_it(api: TestClient) -> None:
    answered = api.get(PATH)
    assert answered.status_code == 404
    assert "set TOCSIN_METRICS_ALERTS to the number of alerts it may show" in answered.json()["detail"]


def test_every_pending_and_firing_alert_of_a_rule_is_two_series(engine: StandIn) -> None:
    gone = alert("r", State.INACTIVE, host="c")
    stored(engine, alert("r", host="a"), alert("r", State.PENDING, host="b"), gone, alert(SOURCE, host="d"))
    found = series(engine, 10)
    assert [(labels["host"], labels["alertstate"], value) for labels, value in found["ALERTS"]] == [
        ("a", "firing", 1),
        ("d", "firing", 1),
        ("b", "pending", 1),
    ]
    assert {value for _, value in found["ALERTS_FOR_STATE"]} == {NOON.timestamp()}
    assert all("alertstate" not in labels for labels, _ in found["ALERTS_FOR_STATE"])
    assert (found["tocsin_alerts_shown"], found["tocsin_alerts_left_out"]) == ([({}, 3)], [({}, 0)])


def test_no_more_than_the_cap_are_shown_firing_ones_first_and_the_rest_is_counted(engine: StandIn) -> None:
    stored(engine, *(alert("r", State.PENDING, host=str(number)) for number in range(3)), alert("r", host="fire"))
    found = series(engine, 2)
    assert [labels["host"] for labels, _ in found["ALERTS"]] == ["fire", "0"]
    assert found["tocsin_alerts_left_out"] == [({}, 2)]


def test_posted_alerts_are_no_series_and_equal_labels_are_one(engine: StandIn) -> None:
    stored(engine, alert("external", host="p"), alert("r1", State.PENDING, host="a"), alert("r2", host="a"))
    ((labels, _),) = series(engine, 10)["ALERTS"]
    assert (labels["host"], labels["alertstate"]) == ("a", "firing")


def test_a_text_of_any_kind_can_be_read_back(engine: StandIn) -> None:
    hostile = 'a "quote", a \\ and\na line – ü 🔥 {x="y"}'
    stored(engine, alert("r", path=hostile))
    ((labels, _),) = series(engine, 10)["ALERTS"]
    assert labels["path"] == hostile


@pytest.mark.parametrize(
    ("accept", "line"),
    [
        pytest.param("text/plain;version=0.0.4", 'ALERTS{alertname="', id="an older server"),
        pytest.param("text/plain;version=1.0.0;escaping=allow-utf-8", '"service.name"="shop"', id="a newer one"),
        pytest.param("application/openmetrics-text;version=1.0.0,text/plain", "# EOF", id="OpenMetrics"),
    ],
)
def test_it_is_written_as_the_server_that_scrapes_can_read_it(engine: StandIn, accept: str, line: str) -> None:
    stored(engine, alert("r", State.FIRING, 91.5, **{"service.name": "shop"}))
    api = TestClient(create_app(replace(engine, settings=StandInSettings(metrics_alerts=10))))
    answered = api.get(PATH, headers={"Accept": accept})
    assert line in answered.text
    assert "service.name" in answered.text or "service_name" in answered.text
    assert api.head(PATH).status_code == 200
