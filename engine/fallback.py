"""Say that Tocsin is blind, when what it lives on has failed: straight to one channel of the environment, with no database.

Below is the whole decision as pure functions (`advance`, `queued`), and a small shell that keeps their state in memory. It
is of this process only: a restart in the middle of an outage tells it again, and each node tells for itself.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, get_args

import structlog

from engine.clock import Clock
from engine.core.facts import AlertFacts, Facts
from engine.core.messages import render
from engine.core.messages_text import one_line
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.core.retrying import next_attempt
from engine.delivery.addresses import Address, Unconfigured, address
from engine.telemetry import without_credentials
from rules import durations
from rules.channels import Channel, ChannelKind
from rules.errors import ChannelError
from rules.labels import ALERTNAME, SEVERITY, Labels

Component = Literal["database", "datasource", "delivery"]
"""What Tocsin cannot do its work without."""

BLIND_AFTER: Final = timedelta(seconds=30)
"""How long something has to be out before it is told; with ticks of a second, and sends to the others in between, within 60 s."""
CHANNEL_NAME: Final = "fallback"

_TEXT: Final = re.compile(r"Tocsin (is blind|sees again): (\w+)")
_log: Final = structlog.get_logger("tocsin.fallback")


class Say(StrEnum):
    """What is told of a component, in the words of the message."""

    BLIND = "is blind"
    SEES = "sees again"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A component as last seen: out since when (`None`: it works), and whether that was told."""

    since: datetime | None = None
    told: bool = False


def advance(state: State, healthy: bool, now: datetime) -> tuple[State, Say | None]:
    """The state after a look at `now`, and what has to be told. A clock that was set back starts the outage anew."""
    if healthy:
        return State(), Say.SEES if state.told else None
    since = min(state.since or now, now)
    if state.told or now - since < BLIND_AFTER:
        return State(since=since, told=state.told), None
    return State(since=since, told=True), Say.BLIND


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A message on its way; after `attempts` failed ones it is due again at `due`."""

    component: Component
    say: Say
    text: str
    created_at: datetime
    due: datetime
    attempts: int = 0


def queued(pending: tuple[Pending, ...], new: Pending) -> tuple[Pending, ...]:
    """The queue with the new message; an end takes the place of what is still unsaid of its component, as it tells both."""
    if new.say is Say.SEES:
        pending = tuple(each for each in pending if each.component != new.component)
    return (*pending, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The last word on a component."""

    healthy: bool = True
    detail: str = ""
    state: State = field(default_factory=State)


class Fallback:
    """Hears how the components are, from any thread, and tells by `send`, which blocks the ticking thread only."""

    def __init__(self, *, send: Callable[[str], Outcome], clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self._lock = threading.Lock()
        self._looks: dict[Component, Look] = {component: Look() for component in get_args(Component)}
        self._pending: tuple[Pending, ...] = ()

    def report(self, component: Component, healthy: bool, detail: str) -> None:
        """How the component is now; `detail` says what is wrong and ends up in the message."""
        with self._lock:
            self._looks[component] = replace(self._looks[component], healthy=healthy, detail=detail)
            self._advance(component, self._clock.now())

    def tick(self, now: datetime) -> None:
        """Tell what is due: the oldest message of each component, once; what fails waits for a later tick."""
        with self._lock:
            for component in self._looks:
                self._advance(component, now)
            heads: dict[Component, Pending] = {}
            for each in self._pending:
                heads.setdefault(each.component, each)
        for each in heads.values():
            if each.due <= now:
                self._attempt(each, now)

    def _advance(self, component: Component, now: datetime) -> None:
        look = self._looks[component]
        state, say = advance(look.state, look.healthy, now)
        self._looks[component] = replace(look, state=state)
        if say is not None:
            text = _text(component, say, look.detail, now - (look.state.since or now))
            self._pending = queued(
                self._pending, Pending(component=component, say=say, text=text, created_at=now, due=now)
            )
            (_log.error if say is Say.BLIND else _log.warning)("fallback", component=component, text=text)

    def _attempt(self, message: Pending, now: datetime) -> None:
        outcome = self._send(message.text)
        later = _after(message, outcome, now)
        with self._lock:
            kept = ((later if each is message else each) for each in self._pending)
            self._pending = tuple(each for each in kept if each is not None)


def _after(message: Pending, outcome: Outcome, now: datetime) -> Pending | None:
    """The message to be tried again, or `None` when it is done with: delivered, or given up."""
    if isinstance(outcome, Delivered):
        return None
    attempts = message.attempts + 1
    due = next_attempt(outcome, attempts=attempts, created_at=message.created_at, now=now)
    if due is None:
        _log.error("fallback_given_up", text=message.text, reason=outcome.reason.value, detail=outcome.detail)
        return None
    _log.warning("fallback_failed", text=message.text, reason=outcome.reason.value, detail=outcome.detail, again_at=due)
    return replace(message, attempts=attempts, due=due)


def _text(component: Component, say: Say, detail: str, blind_for: timedelta) -> str:
    match say:
        case Say.BLIND:
            told = one_line(without_credentials(detail), 300)
        case Say.SEES:
            told = f"blind for {durations.format(timedelta(seconds=int(blind_for.total_seconds())))}"
    return f"Tocsin {say}: {component} ({told})" if told else f"Tocsin {say}: {component}"


def channel(text: str) -> Channel:
    """The channel that TOCSIN_FALLBACK_CHANNEL means: `kind:address`, the address or a reference to it, or `log`.

    ChannelError, never repeating the address, when it is neither. Email is refused: it takes more than an address.
    """
    kind, _, where = text.partition(":")
    fit = [each.value for each in ChannelKind if each not in (ChannelKind.EMAIL, ChannelKind.APPRISE)]
    if kind not in fit or bool(where) == (kind == ChannelKind.LOG):
        raise ChannelError(
            f"write kind:address with kind one of {', '.join(fit)}, such as slack:env:SLACK_WEBHOOK_URL; or log"
        )
    return Channel(name=CHANNEL_NAME, kind=ChannelKind(kind), url=where, origin="environment")


def problem(text: str, environment: Mapping[str, str]) -> str | None:
    """Why nothing could be told by the channel now, safe to show; `None` when it is fit for use."""
    try:
        found = address(channel(text), environment)
    except ChannelError as error:
        return error.message
    return found.reason if isinstance(found, Unconfigured) else None


def sender(
    text: str,
    environment: Callable[[], Mapping[str, str]],
    deliver: Callable[[Address, bytes, str, timedelta], Outcome],
    deadline: timedelta,
    clock: Clock,
    *,
    node: str = "",
    external_url: str = "",
) -> Callable[[str], Outcome]:
    """The `send` of a Fallback that tells by the channel `text` means; its references are read anew at each send."""
    through = channel(text)

    def send(told: str) -> Outcome:
        try:
            found = address(through, environment())
        except ChannelError as error:
            return _unusable(error.message)
        if isinstance(found, Unconfigured):
            return _unusable(found.reason)
        body = message(through.kind, told, clock.now(), node=node, external_url=external_url)
        return deliver(found, body, "", deadline)

    return send


def _unusable(why: str) -> Failed:
    # To be tried again: a file that is not there yet may be mounted before the day is over.
    return Failed(reason=FailureReason.UNCONFIGURED, retryable=True, detail=why)


def message(kind: ChannelKind, text: str, now: datetime, *, node: str = "", external_url: str = "") -> bytes:
    """The payload that tells `text`: an alert of its own per component and node, which its end resolves."""
    found = _TEXT.match(text)
    component = found[2] if found else ""
    over = found is not None and found[1] == Say.SEES
    labels = Labels({ALERTNAME: "TocsinBlind", "component": component, "node": node, SEVERITY: "critical"})
    alert = AlertFacts(
        status="resolved" if over else "firing",
        fingerprint=labels.fingerprint(),
        source="tocsin",
        labels=labels,
        annotations={"summary": text},
        starts_at=now,
        ends_at=now if over else None,
        generator_url=external_url,
    )
    facts = Facts(
        group_key=f"tocsin/{CHANNEL_NAME}:{labels}",
        dedup_key=f"tocsin-blind-{labels.fingerprint()}",
        receiver=CHANNEL_NAME,
        reason="all alerts resolved" if over else "first notification",
        flush_at=now,
        group_labels=Labels({ALERTNAME: "TocsinBlind", "component": component, "node": node}),
        alerts=(alert,),
        external_url=external_url,
    )
    return render(kind, facts, {})
