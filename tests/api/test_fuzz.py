"""The whole OpenAPI document against the real engine: every request it allows, and many it does not, get a documented answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from engine.core.alert import Sample
from engine.core.outcome import Delivered, Outcome
from engine.prometheus import Answer, QueryError, QueryErrorKind
from engine.service import Doors, Service, build
from engine.settings import load
from engine.store import schema
from rules.datasource import Datasource
from rules.labels import Labels
from tests.api.stand_in import alert, store_alerts

# Many requests one after the other: this is no test that hangs, and a slow machine may take its time.
pytestmark = pytest.mark.timeout(3600)

KEY: Final = "0123456789abcdef"
HELD: Final = {"Authorization": f"Bearer {KEY}"}
LONG: Final = "fuzz"
"""The profile of `make fuzz`: other examples each time, and many."""
SHARE: Final = 10
"""Of the examples a property gets elsewhere, one in so many: there are many operations."""
CHECKS: Final = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
FIRING: Final = alert("one", team="db")
KNOWN: Final[Mapping[str, Any]] = {
    "rule_id": "one",
    "threshold_id": "one",
    "name": "one",
    "route_id": "one",
    "inhibit_rule_id": "one",
    "silence_id": "one",
    "fingerprint": FIRING.labels.fingerprint(),
}
"""By each parameter of a path, what it finds something by."""
STANDING: Final[Mapping[str, Mapping[str, Any]]] = {
    "/api/v1/datasources/one": {"urls": ["http://prometheus.example:9090"]},
    "/api/v1/channels/one": {"kind": "log"},
    "/api/v1/time_intervals/one": {"time_intervals": [{"weekdays": ["monday:friday"]}]},
    "/api/v1/rules/one": {"name": "Down", "expr": "up < 1", "notification_channels": ["one"]},
    "/api/v1/rules/one/thresholds/one": {"matchers": [{"name": "team", "value": "db"}], "threshold": 2},
    "/api/v1/routes/one": {"channels": ["one"], "matchers": 'team="db"', "mute_time_intervals": ["one"]},
    "/api/v1/inhibit_rules/one": {"source_matchers": 'a="1"', "target_matchers": 'b="1"', "equal": ["team"]},
    "/api/v1/silences/one": {"matchers": 'team="x"', "duration": "1h", "comment": "work"},
}
"""What the requests can find, replace and delete."""


class Answering:
    """A Prometheus that has one series of everything, and refuses what does not mention a word of it."""

    def query(self, expr: str, at: object) -> Answer:
        if "up" not in expr:
            raise QueryError(QueryErrorKind.UNAVAILABLE, "connection refused")
        return Answer(samples=(Sample(labels=Labels({"team": "db"}), value=float("inf")),), warnings=("slow",))

    def check(self) -> None:
        """It is always there."""

    def close(self) -> None:
        """It holds nothing."""


def _connect(_datasource: Datasource) -> tuple[Answering, ...]:
    return (Answering(),)


def _deliver(*_given: object, **_named: object) -> Outcome:
    """Nothing leaves this machine, whatever address a request makes up."""
    return Delivered()


@dataclass(frozen=True, kw_only=True)
class Target:
    """The application that is asked, and its document."""

    app: FastAPI
    service: Service

    def client(self) -> TestClient:
        return TestClient(self.app, headers=HELD, raise_server_exceptions=False)

    def operations(self) -> Iterator[APIOperation[Any, Any, Any, Any]]:
        document = schemathesis.openapi.from_asgi("/openapi.json", self.app, headers=HELD)
        for found in document.get_all_operations():
            assert isinstance(found, Ok), found.err()
            yield found.ok()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    environment = {"TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.db'}", "TOCSIN_API_KEYS": KEY}
    service = build(load(environment), Doors(deliver=_deliver, connect=_connect))
    schema.upgrade(service.database.engine)
    store_alerts(service.database, FIRING)
    yield Target(app=create_app(service), service=service)
    service.stop()


def lay_out(client: TestClient) -> None:
    """Make everything stand that KNOWN names."""
    for path, body in STANDING.items():
        answered = client.put(path, json=body)
        assert answered.status_code < 300, (path, answered.text)


def bounded(*, share: int) -> settings:
    """So many examples of an operation; always the same ones, but in the long run."""
    long = settings.get_current_profile_name() == LONG
    return settings(
        max_examples=max(1, settings().max_examples // share),
        derandomize=not long,
        database=None,
        deadline=None,
        # The application's state differs from one example to the next, so a smaller one need not fail as the first did.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


JUNK: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**400, 0, -1])
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(
        ["\x00", "\ud800", "\u202e", "a" * 5000, "1h", "env:HOME", "{{ .Labels }}", '{a="b"}', "[" * 200]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MATCHES: Final = (
    st.none() | st.sampled_from(['"1"', "*", 'W/"1"', '"0"', "", ",", '"' * 99]) | st.text('"1,*W/é', max_size=9)
)


@st.composite
def bodies(draw: st.DrawFn, right: list[Mapping[str, Any]], made: object) -> bytes:
    """A body that is right but for a few fields: some from the one that was made up for this operation, some are junk."""
    body = dict(draw(st.sampled_from(right)))
    if isinstance(made, dict) and made:
        body |= {name: made[name] for name in draw(st.sets(st.sampled_from(sorted(made)), max_size=3))}
    for name in draw(st.sets(st.sampled_from(sorted(body)), max_size=2)):
        body[name] = draw(JUNK)
    return json.dumps(body, default=str).encode()


def ask(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, *, share: int) -> Counter[int]:
    """Send the operation what it allows, or what it does not, and compare each answer with the document."""
    at = operation.path.format_map(KNOWN)
    right = [body for path, body in STANDING.items() if at in (path, path.rpartition("/")[0])]
    told: Counter[int] = Counter()

    @bounded(share=share)
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data(), known=st.booleans(), match=MATCHES)
    def compare(case: schemathesis.Case[Any], data: st.DataObject, known: bool, match: str | None) -> None:
        if known:
            case.path_parameters = {name: KNOWN.get(name, value) for name, value in case.path_parameters.items()}
        nearly_right = data.draw(st.booleans())
        if nearly_right and right and operation.body:
            body: st.SearchStrategy[Any] = bodies(right, case.body)
            case.body = data.draw(body)
            case.media_type = "application/json"
        case.headers.update(HELD if match is None else {**HELD, "If-Match": match})
        answered = case.call()
        told[answered.status_code] += 1
        case.validate_response(answered, checks=list(CHECKS))

    compare()
    return told


def test_everything_that_is_to_be_found_can_be_laid_out(target: Target) -> None:
    client = target.client()
    lay_out(client)
    assert [path for path in STANDING if client.get(path).status_code != 200] == []


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
def test_every_answer_is_as_documented(target: Target, mode: GenerationMode) -> None:
    client = target.client()
    for operation in target.operations():
        if mode is GenerationMode.POSITIVE or operation.path.startswith("/api/"):  # The others take nothing.
            lay_out(client)
            assert ask(operation, mode, share=SHARE), operation.label
