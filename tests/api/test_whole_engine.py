"""Over the real engine, without a Prometheus: the parts fit, and what is missing is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.service import build
from engine.settings import load
from engine.store import schema

KEY = "0123456789abcdef"


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[TestClient]:
    service = build(
        load(
            {
                "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.db'}",
                "TOCSIN_PROMETHEUS_URL": "http://127.0.0.1:1",
                "TOCSIN_API_KEYS": KEY,
            }
        )
    )
    schema.upgrade(service.database.engine)
    yield TestClient(create_app(service), headers={"Authorization": f"Bearer {KEY}"})
    service.stop()


def test_a_rule_is_stored_though_its_first_evaluation_fails(whole: TestClient) -> None:
    answered = whole.post("/api/v1/rules", json={"name": "Down", "expr": "up == 0", "for": "5m"})
    told = answered.json()
    assert (answered.status_code, told["first_page_after"]) == (201, "6m30s")
    assert "refused" in told["first_evaluation"]["error"]


def test_a_test_message_to_a_channel_without_an_address_is_not_sent(whole: TestClient) -> None:
    told = whole.post("/api/v1/channels/slack/test").json()
    assert (told["delivered"], told["outcome"]) == (False, "unconfigured")


def test_a_test_message_to_the_log_arrives(whole: TestClient) -> None:
    assert whole.post("/api/v1/channels/log/test").json()["delivered"]


def test_the_database_answers_for_health(whole: TestClient) -> None:
    told = whole.get("/health").json()["components"]
    assert set(told) == {"database", "prometheus", "delivery", "evaluation"}
    assert told["database"]["response_time_ms"] > 0
