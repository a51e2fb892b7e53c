"""The episode an alert is in, or was last in: what it came to, what keeps it quiet, and what each addressee heard of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from engine.core.muting import Mute
from engine.core.notifying import Reason
from engine.core.story_events import RETRIED, SENT
from engine.core.storyline import Event, Facts, Kind, Subject, target


@dataclass(frozen=True, slots=True)
class Heard:
    """One addressee of an alert: the last decision of whatever kind, and those to tell it that the alert fires, and its end.

    `fired_at` is the attempt that brought the first of these, `ended_at` the one that brought the end; `tried` is the last
    attempt since the last message was decided, or the last one of the message before, if that is still tried: `behind`.
    """

    decided: Event | None = None
    fires: Event | None = None
    ends: Event | None = None
    fired_at: Event | None = None
    ended_at: Event | None = None
    tried: Event | None = None
    behind: bool = False

    @property
    def is_failing(self) -> bool:
        """Whether its last message was tried in vain."""
        return self.tried is not None and self.tried.reason not in SENT

    @property
    def is_open(self) -> bool:
        """Whether a message of its end has not arrived, and was not only recorded."""
        return self.ends is not None and self.ended_at is None and not is_recorded(self.ends)

    @property
    def is_waiting(self) -> bool:
        """Whether its last message was not tried yet."""
        return self.tried is None

    def decide(self, event: Event, number: int | None) -> Heard:
        """The same after a decision."""
        known = replace(self, decided=event)
        behind = self.tried is not None and self.tried.reason == RETRIED
        tried = self.tried if behind else None
        if number in event.detail["resolved"]:
            return replace(known, ends=event, ended_at=None, tried=tried, behind=behind)
        if event.detail["sends"] and (number is None or number in event.detail["firing"]):
            return replace(known, fires=event, ends=None, ended_at=None, tried=tried, behind=behind)
        return known

    def attempt(self, event: Event) -> Heard:
        """The same after an attempt to send."""
        if self.behind and event.reason != RETRIED:
            reached = event if event.reason in SENT else None
            return replace(self, tried=None, behind=False, fired_at=self.fired_at or reached)
        if event.reason not in SENT:
            return replace(self, tried=event)
        arrived = replace(self, tried=event)
        return replace(arrived, fired_at=event) if self.ends is None else replace(arrived, ended_at=event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The alert's latest episode up to a moment.

    `mute` is what keeps it quiet by the ledger, `muted` what last did; `placements` are those by which routes took it.
    """

    transition: Event | None
    mute: Event | None
    muted: Event | None
    placements: tuple[Event, ...]
    heard: Mapping[str, Heard]

    @classmethod
    def of(cls, facts: Facts, now: datetime) -> Past:
        """The episode that the alert is in at `now`, or was last in."""
        episode = _episode([event for event in facts.events if event.at <= now])
        mutes = [event for event in episode if event.kind is Kind.MUTE]
        muted = [event for event in mutes if event.reason != "ended"]
        return cls(
            transition=_last(episode, Kind.TRANSITION),
            mute=mutes[-1] if muted and mutes[-1] is muted[-1] else None,
            muted=muted[-1] if muted else None,
            placements=tuple(event for event in episode if event.kind is Kind.PLACEMENT),
            heard=_heard(episode, facts.number),
        )

    @property
    def telling(self) -> Mapping[str, Heard]:
        """Those whose last message says that it fires."""
        return {whom: one for whom, one in self.heard.items() if one.fires is not None and one.ends is None}

    @property
    def knowing(self) -> Mapping[str, Event]:
        """Who took a message that it fires, and when."""
        return {whom: one.fired_at for whom, one in self.heard.items() if one.fired_at is not None}

    @property
    def problems(self) -> Mapping[str, str]:
        """The channels that led nowhere when messages were decided, each with its reason."""
        sends = [event for one in self.heard.values() for event in (one.fires, one.ends) if event is not None]
        return {name: why for event in sends for name, why in event.detail.get("problems", {}).items()}

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that the routes it took name, each once."""
        return tuple(dict.fromkeys(name for event in self.placements for name in event.detail.get("channels", ())))

    @property
    def unheard_ends(self) -> frozenset[str]:
        """The channels that a message of its end is on its way to."""
        open_ = (one.ends for one in self.heard.values() if one.is_open)
        return frozenset(event.detail["channel"] for event in open_ if event is not None)

    @property
    def whom(self) -> str:
        """The channels of the routes it took; the log where they name none."""
        return ", ".join(self.channels) or "the log"

    def told_by(self, group_id: int) -> str:
        """Whom this group told that it fires."""
        sends = {name: one.fires for name, one in self.telling.items() if one.fires is not None}
        told = [name for name, event in sends.items() if event.detail.get("group_id", group_id) == group_id]
        return ", ".join(told) or self.whom

    @property
    def is_old_news(self) -> bool:
        """Whether nothing was new, at the last look, to any addressee that is told that it fires."""
        last = [one.decided for one in self.telling.values() if one.decided is not None]
        return all(event.reason == Reason.ALREADY_TOLD.value for event in last)


def is_recorded(decision: Event | None) -> bool:
    """Whether it was decided to tell and nothing was sent, since TOCSIN_DELIVERY is record."""
    return decision is not None and bool(decision.detail.get("recorded"))


def _episode(past: Sequence[Event]) -> Sequence[Event]:
    begins = [place for place, event in enumerate(past) if _begins(event)]
    return past[begins[-1] :] if begins else past


def _begins(event: Event) -> bool:
    return event.kind is Kind.TRANSITION and event.detail.get("before") is None


def _last(episode: Iterable[Event], kind: Kind) -> Event | None:
    found = [event for event in episode if event.kind is kind]
    return found[-1] if found else None


def _heard(episode: Iterable[Event], number: int | None) -> dict[str, Heard]:
    heard: dict[str, Heard] = {}
    for event in episode:
        if event.kind is Kind.ATTEMPT:
            whom = target(event.detail)
            heard[whom] = heard.get(whom, Heard()).attempt(event)
        elif event.kind is Kind.DECISION:
            whom = target(event.detail)
            heard[whom] = heard.get(whom, Heard()).decide(event, number)
    return heard


def keeping_quiet(facts: Facts, past: Past, now: datetime) -> Event | None:
    """What keeps it quiet at `now`, as a row of the ledger would say it: by what covers it now where that is known.

    The ledger learns of a mute at a flush, and not that its end was moved; `unseen` is in the detail of what it has yet to learn.
    """
    if facts.mutes is None:
        return None if past.mute is None or _is_over(past.mute, now) else past.mute
    return _covering(facts.mutes[0], past.mute, facts.muters, now) if facts.mutes else None


def _covering(mute: Mute, known: Event | None, muters: Mapping[int, str], now: datetime) -> Event:
    """What covers it now, in the words of the row that told of it, if one did."""
    detail: dict[str, object] = {"until": None if mute.until is None else mute.until.isoformat()}
    if mute.source is not None and mute.source in muters:
        detail["source"] = muters[mute.source]
    if known is not None and (known.reason, known.detail["by"]) == (mute.kind.value, mute.by):
        return replace(known, detail={**known.detail, **detail})
    detail |= {"by": mute.by, "said": mute.said, "unseen": True}
    subject = Subject(type=mute.kind.value, id=mute.by, version=mute.version)
    return Event(at=now, kind=Kind.MUTE, reason=mute.kind.value, subject=subject, detail=detail)


def _is_over(known: Event, now: datetime) -> bool:
    until = known.detail.get("until")
    return until is not None and datetime.fromisoformat(until) <= now
