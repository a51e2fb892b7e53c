"""What the REST surface needs of the engine, and nothing more: the running service has it, and so has a stand-in in tests."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram
from pydantic import SecretStr

from engine.clock import Clock
from engine.core.alert import Alert
from engine.core.levels import Effective
from engine.core.muting import Mutes
from engine.core.outcome import Outcome
from engine.delivery.addresses import Unconfigured
from engine.importing import Imported
from engine.settings import Listen
from engine.store.database import Database
from engine.store.door import Connection
from rules.channels import Channel
from rules.problems import Problem
from rules.routing import Tree
from rules.rule import Rule
from rules.silences import Silence
from rules.thresholds import Threshold


class Configuration(Protocol):
    """The settings the surface reads."""

    @property
    def api_keys(self) -> tuple[SecretStr, ...]: ...
    @property
    def listen(self) -> Listen: ...
    @property
    def environment(self) -> Mapping[str, str]: ...


class Definitions(Protocol):
    """What is in force: all definitions as the engine follows them."""

    @property
    def rules(self) -> Mapping[str, Rule]: ...
    @property
    def channels(self) -> Mapping[str, Channel]: ...
    @property
    def tree(self) -> Tree: ...
    @property
    def silences(self) -> tuple[Silence, ...]: ...
    @property
    def quarantined(self) -> Mapping[str, tuple[Problem, ...]]: ...
    @property
    def thresholds(self) -> Mapping[str, tuple[Threshold, ...]]: ...


class Feed(Protocol):
    """Where the definitions in force are learnt."""

    def refresh(self, connection: Connection) -> Definitions: ...


class Component(Protocol):
    """One part of the engine and how it is: `status` is healthy | unhealthy | unconfigured."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def response_time_ms(self) -> float | None: ...
    @property
    def detail(self) -> str: ...


class Trial(Protocol):
    """One evaluation without effects; `error` says why there is no answer, `first_page_after` how soon it could page."""

    @property
    def sample_count(self) -> int: ...
    @property
    def alerts(self) -> Sequence[Alert]: ...
    @property
    def problems(self) -> Sequence[Problem]: ...
    @property
    def error(self) -> str | None: ...
    @property
    def first_page_after(self) -> timedelta: ...


class Timing(Protocol):
    """When a rule was last evaluated, with how many samples, and when it is next."""

    @property
    def last_evaluation_at(self) -> datetime | None: ...
    @property
    def next_evaluation_at(self) -> datetime | None: ...
    @property
    def last_sample_count(self) -> int | None: ...


class RequestCounts(Protocol):
    """The metrics of the surface itself, and all metrics as text."""

    @property
    def content_type(self) -> str: ...
    @property
    def http_requests(self) -> Counter: ...
    @property
    def http_request_seconds(self) -> Histogram: ...
    @property
    def http_requests_in_progress(self) -> Gauge: ...
    def render(self) -> bytes: ...


class Backend(Protocol):
    """The engine behind the surface."""

    @property
    def settings(self) -> Configuration: ...
    @property
    def database(self) -> Database: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def metrics(self) -> RequestCounts: ...
    @property
    def failed(self) -> threading.Event: ...
    def health(self) -> Sequence[Component]: ...
    def trial(self, rule: Rule) -> Trial: ...
    def timings(self, connection: Connection, rules: Collection[Rule]) -> Mapping[str, Timing]: ...
    def test_channel(self, channel: Channel) -> Outcome | Unconfigured: ...
    def effective(self, rule: Rule) -> Effective: ...
    def mutes(self, connection: Connection, alerts: Collection[Alert]) -> Mutes: ...
    def datasource_errors(self) -> Mapping[str, str | None]: ...
    def reload(self, *, force: bool) -> Imported: ...
