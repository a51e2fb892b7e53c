"""What each row of the ledger says of one alert, as a sentence.

A row is about the alert's group as often as about the alert, and what it means hangs on the rows before: "already told" is
another thing while the message has not arrived, and a mute that ends with its alert has not ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.core.alert import State, TransitionReason
from engine.core.notifying import Reason
from engine.core.storyline import Event, Kind, clock, target

LOG: Final = "log"
"""The channel that stands in where no other can be told."""
SENT: Final = frozenset({"sent", "sent late"})
"""The outcomes of an attempt that arrived."""
RETRIED: Final = "retry"
"""The outcome of an attempt after which a message is tried again."""
DEAD: Final = "dead"
"""The outcome of an attempt after which a message is given up."""
PLAIN: Final = "it matches"
"""What a trace says of a route that takes whatever comes to it."""


def sentences(events: Iterable[Event], number: int | None) -> list[str]:
    """What each of these events, oldest first, says about the alert of this row number; `None`: about whichever it is."""
    teller = _Teller(number=number)
    return [teller.tell(event) for event in events]


@dataclass(slots=True)
class _Teller:
    """What the events before have come to: the alert's state, its channels, its groups' routes, each addressee's last message."""

    number: int | None
    state: str = ""
    channels: set[str] = field(default_factory=set)
    routes: dict[int, str] = field(default_factory=dict)
    sends: dict[str, Event] = field(default_factory=dict)
    attempts: dict[str, Event] = field(default_factory=dict)

    def tell(self, event: Event) -> str:
        match event.kind:
            case Kind.TRANSITION:
                self.state = event.detail["after"]
                self.routes = self.routes if event.detail.get("before") else {}
                return transition(event)
            case Kind.PLACEMENT:
                self._place(event)
                return _placement(event)
            case Kind.MUTE:
                return f"{mute(event, over=self.state == State.INACTIVE.value)}{self._which(event)}"
            case Kind.DECISION:
                return f"{self._decided(event)}{self._which(event)}"
            case _:
                self.attempts[target(event.detail)] = event
                return f"{attempt(event)}{self._which(event)}"

    def _place(self, event: Event) -> None:
        self.channels |= set(event.detail.get("channels", ()))
        gone = event.detail["route_id"] if event.reason == "left" else event.detail.get("from_route")
        self.routes = {group: route for group, route in self.routes.items() if route != gone}
        if event.reason != "left":
            self.routes[event.detail["group_id"]] = event.detail["route_id"]

    def _which(self, event: Event) -> str:
        """Which of its routes a row is about, where it takes several."""
        route = self.routes.get(event.detail.get("group_id", 0))
        return f" (route {route!r})" if route is not None and len(set(self.routes.values())) > 1 else ""

    def _decided(self, event: Event) -> str:
        whom = target(event.detail)
        if event.detail["sends"]:
            self.sends[whom] = event
            self.attempts.pop(whom, None)
            return f"{told(event, self.number)}{self._instead(event)}"
        if event.reason != Reason.ALREADY_TOLD.value:
            return f"{whom} is not told: {event.reason}"
        if not _is_about(event.alert_ids, self.number):
            return f"{whom} is not told again: nothing is new of the others in its group"
        return f"{whom} is not told again: nothing is new since {self._last(whom)}"

    def _last(self, whom: str) -> str:
        """The message that an addressee waits for or has, and how far it came."""
        last, tried = self.sends.get(whom), self.attempts.get(whom)
        if last is None:
            return "the last message for it"
        if last.detail.get("recorded"):
            return f"what was recorded at {clock(last.at)}"
        arrived = tried is not None and tried.reason in SENT
        return f"the message of {clock(last.at)}{'' if arrived else ', which has not arrived yet'}"

    def _instead(self, event: Event) -> str:
        """Why a channel is told that no route of the alert names: it stands in for one that cannot be."""
        channel = event.detail["channel"]
        if channel in self.channels or self.number in event.detail["resolved"]:
            return ""
        problems = "; ".join(f"{name}: {why}" for name, why in event.detail.get("problems", {}).items())
        if problems:
            return f" (in place of {problems})"
        return " (since no channel is named)" if channel == LOG else ""


def transition(event: Event) -> str:
    """From which state to which, by which rule, and the value against the number it was compared with."""
    detail, reason = event.detail, event.reason
    after, before = detail["after"], detail.get("before")
    became = after if before is None else f"{before} → {after}"
    if reason in _POSTED:
        return f"{became} ({reason}): {_POSTED[reason]}"
    why = f"{became} ({_reason(reason, before, after)})"
    row = f" of row {detail['threshold_id']!r}" if "threshold_id" in detail else ""
    against = f" against the threshold {detail['threshold']}{row}" if "threshold" in detail else ""
    rule = f"rule {detail['rule_id']!r} version {detail['rule_version']}"
    if after == State.INACTIVE.value:
        return f"{why}: {rule}; the last value was {detail['value']}{against}"
    return f"{why}: {rule} saw the value {detail['value']}{against}"


def _reason(reason: str, before: str | None, after: str) -> str:
    at_once = reason == TransitionReason.HELD.value and before is None and after == State.FIRING.value
    return "at once, the rule has no `for`" if at_once else reason


_POSTED: Final[Mapping[str, str]] = {
    TransitionReason.POSTED: "it was posted as firing",
    TransitionReason.RESOLVED_BY_SENDER: "it was posted as over",
    TransitionReason.EXPIRED: "nobody posted it again before its end",
}


def _placement(event: Event) -> str:
    detail = event.detail
    route, group = f"route {detail['route_id']!r}", f"group {detail['group_id']}"
    channels = ", ".join(detail.get("channels", ()))
    speaks = f"which tells {channels}" if channels else "which names no channel"
    if event.reason == "moved":
        before = f"moved from route {detail['from_route']!r}"
        return f"{before}: by configuration {detail['configuration']} {route} has it, in {group}, {speaks}"
    if event.reason == "left":
        return f"left {group}: by configuration {detail['configuration']} it takes {route} no more"
    why = detail.get("why", PLAIN)
    because = "" if why == PLAIN else f" ({why})"
    return f"{route} took it{because} into {group}, {speaks}"


def mute(event: Event, *, over: bool = False) -> str:
    """Who keeps it quiet and until when, or that nobody does any more; `over`: because the alert itself is over."""
    if event.reason == "ended":
        return "it is over, so there is nothing left to keep quiet" if over else "nothing mutes it any more"
    until = event.detail.get("until")
    ending = f" until {clock(datetime.fromisoformat(until))}" if until else ""
    also = "".join(f", also {one['kind']} {one['by']!r}" for one in event.detail.get("also", ()))
    said = f" ({event.detail['said']})" if event.detail.get("said") else ""
    source = f", because {event.detail['source']} fires" if event.detail.get("source") else ""
    return f"kept quiet by {event.reason} {event.detail['by']!r}{said}{source}{ending}{also}"


def told(event: Event, number: int | None) -> str:
    """What a decision to tell says of this alert: that it fires, that it is over, or nothing."""
    whom, recorded = target(event.detail), bool(event.detail.get("recorded"))
    is_told = f"{whom} would be told" if recorded else f"{whom} is told"
    if number in event.detail["resolved"]:
        gone = ", since no route of the alert leads there any more" if event.reason == Reason.MOVED.value else ""
        said = f"{is_told} of its end: {event.reason}{gone}"
    elif number is None or number in event.detail["firing"]:
        said = f"{is_told} of it: {event.reason}"
    else:
        said = f"{is_told} of others in its group, not of it: {event.reason}"
    return f"{said}; TOCSIN_DELIVERY is record, so nothing is sent" if recorded else said


def attempt(event: Event) -> str:
    """How the sending of a message went."""
    whom, detail = target(event.detail), event.detail
    if event.reason in SENT:
        return f"{whom} took the message at attempt {detail['attempt']}"
    if event.reason == "deferred":
        until = clock(datetime.fromisoformat(detail["until"]))
        return f"{whom} is rate limited until {until}: the message waits, and newer news takes its place"
    ending = "given up" if event.reason == DEAD else "to be tried again"
    failure = f"{detail.get('failure')}: {detail['detail']}"
    return f"{whom} did not take the message at attempt {detail['attempt']} ({failure}), {ending}"


def _is_about(numbers: frozenset[int], number: int | None) -> bool:
    return number is None or number in numbers
