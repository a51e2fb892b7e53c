"""The stage that is the whole engine on a virtual clock: a scenario second is a minute there, and takes no time at all."""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from fastapi.testclient import TestClient
from sqlalchemy import Connection

from api.app import create_app
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import Address, WebhookUrl
from engine.service import Service
from tests.scenarios.world import START, World
from tests.timelines.comparing import Tolerance
from tests.timelines.generating import RESOLVE_TIMEOUT, Setting, slug
from tests.timelines.language import Channel, Scenario
from tests.timelines.observing import Observation, seen, write_zones
from tests.timelines.on_tocsin import OnTocsin
from tests.timelines.playing import play
from tests.timelines.receiving import Inbox, is_down

SECOND: Final = timedelta(minutes=1)
EXACT: Final = Tolerance(early=0, late=0)
LONGEST: Final = 20
"""How often the loops may go on at one moment."""
HOOKS: Final = "http://127.0.0.1:1"


@dataclass
class VirtualWorld(World):
    """A world whose webhooks are scenarios' channels, and which can be asked by REST."""

    inbox: Inbox = field(default_factory=Inbox)
    channels: dict[str, Channel] = field(default_factory=dict)

    @property
    def time(self) -> float:
        """The scenario second."""
        return self.now / SECOND.total_seconds()

    def _start(self) -> Service:
        service = super()._start()
        self._api = TestClient(create_app(service))
        return service

    def _go_on(self) -> datetime | None:
        """The loops until none of them has anything left to do at this moment: a tick takes no more than a batch."""
        due = super()._go_on()
        for _ in range(LONGEST):
            if due is None or due > self.clock.moment:
                break
            due = super()._go_on()
        return due

    def transaction(self) -> AbstractContextManager[Connection]:
        """One on its database, of which there is a new one after a restart."""
        return self.service.database.write()

    def ask(self, method: str, path: str, content: Any) -> Any:
        """The engine's answer."""
        answer = self._api.request(method, path, json=content)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _deliver(self, address: Address, body: bytes, recipient: str, deadline: timedelta) -> Outcome:
        if not isinstance(address, WebhookUrl):
            return super()._deliver(address, body, recipient, deadline)
        path = address.url.removeprefix(HOOKS)
        if is_down(self.channels.get(path.strip("/"), Channel()), self.time):
            return Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail="it is down")
        self.inbox.take(path, json.loads(body), self.time)
        return Delivered()


def on_virtual_tocsin(scenarios: Sequence[Scenario], folder: Path, database_url: str) -> Observation:
    """On one engine, all side by side."""
    setting = Setting(begin=START, second=SECOND, hooks=HOOKS)
    with zones(folder):
        write_zones(folder, scenarios, setting)
        world = VirtualWorld(database_url, ENVIRONMENT)
        try:
            _play(world, scenarios, setting)
        finally:
            world.service.stop()
    return seen(scenarios, setting, world.inbox)


ENVIRONMENT: Final[Mapping[str, str]] = {"TOCSIN_RESOLVE_TIMEOUT": f"{RESOLVE_TIMEOUT * SECOND.total_seconds():g}s"}


def _play(world: VirtualWorld, scenarios: Sequence[Scenario], setting: Setting) -> None:
    world.channels |= _channels(scenarios)
    stage = OnTocsin(
        ask=world.ask,
        write=world.transaction,
        again=world.restart,
        setting=setting,
        now=world.clock.now,
    )
    stage.prepare()
    stage.configure({scenario: scenario.configuration for scenario in scenarios})
    play(
        stage,
        scenarios,
        setting,
        until=lambda time: world.until(time * SECOND.total_seconds()),
        now=world.clock.now,
    )


def _channels(scenarios: Iterable[Scenario]) -> dict[str, Channel]:
    return {
        f"{slug(scenario)}/{name}": channel
        for scenario in scenarios
        for name, channel in scenario.configuration.channels.items()
    }


@contextmanager
def zones(folder: Path) -> Iterator[None]:
    """Look for time zones in this folder too."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(folder.absolute()), *before])
    try:
        yield
    finally:
        zoneinfo.reset_tzpath(before)
