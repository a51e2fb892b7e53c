"""Rows of the ledger as the events of one alert's story: what each is about, and by which definition it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.core.storyline import Event, Kind, Subject
from engine.store import ledger
from engine.store.ledger import Entry
from engine.store.membership import Stay
from rules.labels import ALERTNAME, Labels


def is_during(stay: Stay, moment: datetime) -> bool:
    """Whether the alert was in the group at that moment."""
    return stay.joined_at <= moment and (stay.left_at is None or moment < stay.left_at)


def concerns(entry: Entry, number: int, stays: Sequence[Stay]) -> bool:
    """Whether a row is about the alert: it names it, or it is a decision on its group while it was in there."""
    if entry.subject_type is ledger.Subject.ALERT or number in entry.alert_ids:
        return True
    there = (stay for stay in stays if str(stay.group_id) == entry.subject_id)
    return entry.kind is ledger.Kind.DECISION and any(is_during(stay, entry.at) for stay in there)


def event_of(entry: Entry) -> Event:
    """The row as a story takes it."""
    kind = Kind(entry.kind.value)
    return Event(
        at=entry.at,
        kind=kind,
        reason=entry.reason,
        subject=_subject(entry, kind),
        alert_ids=frozenset(entry.alert_ids),
        detail=_detail(entry),
    )


def _detail(entry: Entry) -> Mapping[str, Any]:
    """The row's values, with the group's number where it is about a group."""
    if entry.subject_type is not ledger.Subject.GROUP:
        return entry.detail
    return {**entry.detail, "group_id": int(entry.subject_id)}


def placed_by(event: Event) -> int | None:
    """The configuration by which a route took the alert when it began to fire; `None` of anything else."""
    is_placed = event.kind is Kind.PLACEMENT and event.reason == "routed"
    number: int | None = event.detail.get("configuration") if is_placed else None
    return number


def named(event: Event, number: int, names: Mapping[int, str]) -> Event:
    """The event with the name of the alert that mutes this one, where one does."""
    source = event.detail.get("sources", {}).get(str(number))
    return event if source not in names else replace(event, detail={**event.detail, "source": names[source]})


def called(labels: Labels) -> str:
    """What a sentence calls the alert with these labels."""
    others = labels.without(ALERTNAME)
    return f"{labels.get(ALERTNAME, 'an alert')}{others or ''}"


def _subject(entry: Entry, kind: Kind) -> Subject:
    """The definition a row went by, where it names one, else whatever it happened to."""
    detail: Mapping[str, Any] = entry.detail
    match kind:
        case Kind.TRANSITION:
            return Subject(type="rule", id=detail["rule_id"], version=detail["rule_version"])
        case Kind.PLACEMENT:
            return Subject(type="route", id=detail["route_id"], version=detail["route_version"])
        case Kind.ATTEMPT:
            return Subject(type="channel", id=detail["channel"])
        case Kind.MUTE if "by" in detail:
            return Subject(type=entry.reason, id=detail["by"], version=detail.get("version"))
        case _:
            return Subject(type=entry.subject_type.value, id=entry.subject_id)
