"""Silences by REST: ask for quiet over some labels, see what that covers, and end it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from fastapi import APIRouter, Response

from api.problems import conflict
from api.schemas import silences as schema
from api.schemas.fields import DeclaredPage
from api.schemas.rules import Key
from api.schemas.silences import PreviewOut, SilenceIn, SilenceOut
from api.v1 import edits
from api.v1.calls import Cursor, Limit, Service, Write, Writing, declared
from api.v1.edits import DryRun, Edit, Noun, Operation
from engine.core.alert import Alert, State
from engine.core.external import POSTED, sent_out
from engine.store import alerts, time_intervals
from engine.store import silences as store
from engine.store.api_keys import Scope
from engine.store.door import Connection, holding
from engine.store.silences import Standing
from rules.errors import SilenceError
from rules.problems import Problem
from rules.silences import Silence, SilenceState, can_become, check, check_reach, expired

router = APIRouter(prefix="/api/v1/silences", tags=["silences"])

SILENCES: Final[Noun[Silence]] = Noun(
    word="silence", get=store.get, put=store.put, delete=store.delete, document=schema.document
)
_BATCH: Final = 1000
"""Alerts fetched at once while counting those a silence covers."""
_ALL: Final = 2**31 - 1


@router.get("")
def list_silences(
    service: Service, *, state: SilenceState | None = None, limit: Limit = 100, cursor: Cursor = None
) -> DeclaredPage[SilenceOut]:
    """All silences by id, or those in one state, each with the number of active alerts it covers now."""
    with service.database.read() as connection:
        definitions = service.feed.refresh(connection)
        now, intervals = service.database.now(connection), definitions.time_intervals
        problems = definitions.problems_of("silences")
        only = None if state is None else Standing(state=state, now=now, intervals=intervals)
        silences = store.page(connection, after=cursor, limit=limit + 1, only=only)
        items = _described(service, connection, silences)
    return declared(items, limit, [silence.id for silence in silences], problems)


@router.post("", status_code=201, responses={200: {"model": DryRun[SilenceOut]}})
def create_silence(body: SilenceIn, write: Writing, response: Response) -> SilenceOut | DryRun[SilenceOut]:
    """Ask for quiet, or, with the id of a silence there is, edit that one. With dry_run the answer says what it would cover."""
    edit = planned(write, body, body.id or uuid4().hex)
    if write.dry_run or edit.operation is not Operation.CREATE:
        response.status_code = 200
    return stored(write, edit, response)


@router.post("/preview")
def preview_silence(body: SilenceIn, service: Service) -> PreviewOut:
    """Which active alerts a silence with these matchers would cover now. Nothing is stored; the other fields are ignored."""
    with service.database.read() as connection:
        now = service.database.now(connection)
        matchers = body.parsed()
        silence = Silence(id="", matchers=matchers, starts_at=now, ends_at=now + timedelta(hours=1), force=body.force)
        check(silence)
        active = list(_active(connection))
    external = service.settings.external_labels
    covered = [alert for alert in active if silence.covers(sent_out(alert, external).labels)]
    return PreviewOut.of(covered, active=len(active))


@router.get("/{silence_id}")
def read_silence(silence_id: str, service: Service, response: Response) -> SilenceOut:
    """One silence, with the number of active alerts it covers now."""
    with service.database.read() as connection:
        silence = edits.found(SILENCES, connection, silence_id)
        (told,) = _described(service, connection, [silence])
    response.headers["ETag"] = edits.etag(silence.version)
    return told


@router.put("/{silence_id}", responses={201: {"model": SilenceOut}})
def replace_silence(
    silence_id: Key, body: SilenceIn, write: Writing, response: Response
) -> SilenceOut | DryRun[SilenceOut]:
    """Make the silence be this one, whether or not there was one; without `starts_at` it keeps its beginning.

    As in Alertmanager, an edit that hides something else, or comes when the silence is over, ends it and makes a new one: the
    answer has the new id, and `replaces` the old.
    """
    return stored(write, planned(write, body, silence_id), response)


@router.delete("/{silence_id}")
def expire_silence(silence_id: str, write: Writing, response: Response) -> SilenceOut | DryRun[SilenceOut]:
    """End the silence now. It stays on record; one that is over already is left as it is."""

    def make(connection: Connection, before: Silence | None) -> tuple[Silence | None, tuple[Problem, ...]]:
        now = write.service.database.now(connection)
        return None if before is None else expired(before, now), ()

    return stored(write, edits.plan(write, SILENCES, silence_id, make, must=True), response)


def planned(write: Write, body: SilenceIn, silence_id: str, *, must: bool | None = None) -> Edit[Silence]:
    """The silence worked out; a SilenceError when it would hide nearly everything or nothing.

    Where the edit of one is a silence of its own, the key is the new one's, and `before` still the old one.
    """
    edits.check_key(body.id, silence_id, "id")
    moments: list[datetime] = []

    def make(connection: Connection, before: Silence | None) -> tuple[Silence, tuple[Problem, ...]]:
        now = write.service.database.now(connection)
        moments.append(now)
        silence = _declared(write, body, silence_id, before, now)
        if write.scope is not Scope.ADMIN:
            silence = replace(silence, created_by=write.author)
        check(silence)
        active = _labels(write.service, connection)
        check_reach(silence, active)
        _check_waits(silence, active, now)
        known = time_intervals.page(connection, limit=_ALL)
        unknown = edits.unknown("time_intervals", silence.time_intervals, {one.name for one in known}, "time interval")
        return silence, tuple(unknown)

    edit = edits.plan(write, SILENCES, silence_id, make, must=must)
    if edit.before is None or edit.after is None or can_become(edit.before, edit.after, moments[-1]):
        return edit
    fresh = uuid4().hex
    return replace(edit, key=fresh, after=replace(edit.after, id=fresh, version=1, origin="api"))


def _declared(write: Write, body: SilenceIn, silence_id: str, before: Silence | None, now: datetime) -> Silence:
    """The silence of the body; one that is not the one that stands begins now at the earliest, as in Alertmanager."""
    silence = body.to_silence(silence_id, _source(body, before, now), author=write.author, now=now)
    if silence.starts_at >= now or (before is not None and can_become(before, silence, now)):
        return silence
    anew = None if before is None or body.starts_at is not None else replace(before, starts_at=now)
    silence = silence if anew is None else body.to_silence(silence_id, anew, author=write.author, now=now)
    return replace(silence, starts_at=max(silence.starts_at, now))


def _source(body: SilenceIn, before: Silence | None, now: datetime) -> Silence | None:
    """What fields that were not sent are taken from: a beginning that is past is none for a silence that begins anew."""
    if before is None or now <= before.ends_at:
        return before
    return replace(before, starts_at=now) if body.starts_at is None else before


def _check_waits(silence: Silence, active: Iterable[Mapping[str, str]], now: datetime) -> None:
    if silence.until_resolved and silence.starts_at <= now and not any(map(silence.covers, active)):
        message = "it covers no active alert, so there is none whose end it could wait for; leave until_resolved out"
        raise SilenceError(message, field="until_resolved")


def stored(write: Write, edit: Edit[Silence], response: Response) -> SilenceOut | DryRun[SilenceOut]:
    """The silence stored and answered."""
    replaced = edit.before if edit.before is not None and edit.before.id != edit.key else None
    if replaced is not None:
        edit = replace(edit, before=None, noun=replace(SILENCES, begin=partial(_end, write, replaced)))
    silence = edits.commit(write, edit)
    assert silence is not None
    with write.service.database.read() as connection:
        (told,) = _described(write.service, connection, [silence])
    told.replaces = None if replaced is None else replaced.id
    return edits.answer(write, edit, response, told, silence.version)


def _end(write: Write, replaced: Silence, connection: Connection) -> None:
    """End the silence that an edit stands in for; a 409 when it is no longer what the edit builds on."""
    now = write.service.database.now(connection)
    current = store.get(holding(connection), replaced.id)
    if current != replaced:
        raise conflict(f"silence {replaced.id!r} was changed meanwhile: read it again", name="changed")
    store.put(connection, expired(replaced, now))


def _described(service: Service, connection: Connection, silences: Iterable[Silence]) -> list[SilenceOut]:
    now, intervals = service.database.now(connection), service.feed.refresh(connection).time_intervals
    silences = list(silences)
    asking = any(now <= silence.ends_at for silence in silences)
    labels = _labels(service, connection) if asking else []

    def covered(silence: Silence) -> int:
        return 0 if now > silence.ends_at else sum(map(silence.covers, labels))

    return [schema.described(silence, matched=covered(silence), now=now, intervals=intervals) for silence in silences]


def _labels(service: Service, connection: Connection) -> list[Mapping[str, str]]:
    """The labels of every active alert, as it is known outside; of a hundred thousand, so nothing else is made of them."""
    external = dict(service.settings.external_labels.items())
    active = alerts.active_labels(connection)
    return [{**external, **labels} if external and source != POSTED else labels for source, labels in active]


def _active(connection: Connection) -> Iterator[Alert]:
    """Every pending or firing alert."""
    after = 0
    while batch := alerts.page(connection, states=(State.PENDING, State.FIRING), after=after, limit=_BATCH):
        yield from batch
        after = batch[-1].id or after
