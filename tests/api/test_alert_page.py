"""The page that links in messages lead to: open, the same for every alert, and unable to run anybody else's script."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from engine.store.database import Database
from tests.api.stand_in import StandIn, StandInSettings

NAME = "8d2f1c0a9b3e4f56"


@pytest.fixture
def locked(database: Database) -> TestClient:
    """A client without a key, where one is needed."""
    settings = StandInSettings(api_keys=(SecretStr("0123456789abcdef"),))
    return TestClient(create_app(StandIn(database=database, settings=settings)))


def test_the_page_is_open_and_holds_no_data(locked: TestClient) -> None:
    answer = locked.get(f"/alerts/{NAME}")
    assert answer.status_code == 200
    assert NAME not in answer.text
    assert locked.get(f"/alerts/{NAME}").text == locked.get("/alerts/0123456789abcdef").text


@pytest.mark.parametrize("path", ["/alerts/", f"/alerts/{NAME}/", f"/alerts/{NAME}/explain", f"/alerts//{NAME}"])
def test_nothing_else_is_open(locked: TestClient, path: str) -> None:
    assert locked.get(path).status_code == 401


def test_only_its_own_script_may_run(locked: TestClient) -> None:
    answer = locked.get(f"/alerts/{NAME}")
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "innerHTML" not in script
