"""The web server that both programs tell: which scenario's channel got what, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from rules.labels import Labels
from tests.servers import Request, Response, ScriptedServer
from tests.timelines.generating import LABEL, ROOT, UNROUTED, slug
from tests.timelines.language import HOOK, Channel, Scenario

UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message as it came, `at` in scenario seconds; `body` is Alertmanager's webhook JSON, version 4."""

    at: float
    channel: str
    body: Mapping[str, Any]

    def alerts(self, status: str) -> list[Labels]:
        """The labels of its alerts of this status, less the one that says whose they are."""
        return [
            Labels(one["labels"]).without(LABEL, UNROUTED) for one in self.body["alerts"] if one["status"] == status
        ]


@dataclass(slots=True)
class Inbox:
    """What arrived, by the scenario's slug; a message at the root belongs to whose alerts it holds."""

    delays: Mapping[str, float] = field(default_factory=dict)
    received: dict[str, list[Received]] = field(default_factory=dict)

    def take(self, path: str, body: Mapping[str, Any], time: float) -> None:
        """Keep one message that came at this second of the run."""
        whose, _, channel = path.strip("/").partition("/")
        for name, shown in [(whose, channel)] if channel else _at_the_root(body):
            received = Received(at=time - self.delays.get(name, 0), channel=shown, body=body)
            self.received.setdefault(name, []).append(received)

    def of(self, scenario: Scenario) -> list[Received]:
        """What the scenario's channels got until it was over; what goes on firing may be repeated long after."""
        return [one for one in self.received.get(slug(scenario), []) if one.at <= scenario.until]


def _at_the_root(body: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Whose alerts the root was told of: what is meant for it is on the usual channel, what went astray on one named for it."""
    labels = [one["labels"] for one in body["alerts"]]
    meant = {(one[UNROUTED], HOOK) for one in labels if UNROUTED in one}
    return sorted(meant | {(one[LABEL], ROOT) for one in labels if LABEL in one})


class Hooks:
    """The server for the length of a `with` block; `now` answers the scenario second, `channels` how each one behaves."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.inbox = Inbox()
        self.channels: dict[str, Channel] = {}
        self._now = now
        self._server = ScriptedServer(self._answer)

    @property
    def url(self) -> str:
        return self._server.url

    def behave(self, scenarios: Iterable[Scenario]) -> None:
        """Answer as the channels of these scenarios do."""
        for scenario in scenarios:
            for name, channel in scenario.configuration.channels.items():
                self.channels[f"{slug(scenario)}/{name}"] = channel

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _answer(self, request: Request) -> Response:
        at = self._now()
        name = request.path.strip("/")
        channel = self.channels.get(name, Channel())
        if is_down(channel, at - self.inbox.delays.get(name.partition("/")[0], 0)):
            return Response(status=UNAVAILABLE)
        if channel.slow:
            self._server.stopping.wait(channel.slow)
        self.inbox.take(request.path, request.json, at)
        return Response()


def is_down(channel: Channel, time: float) -> bool:
    """Whether the channel refuses messages at this scenario second."""
    return channel.down is not None and channel.down[0] <= time < channel.down[1]
