"""Silences by REST: ask for quiet over some labels, see what that covers, and end it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

from fastapi import APIRouter, Response

from api.schemas import silences as schema
from api.schemas.fields import Page
from api.schemas.rules import Key
from api.schemas.silences import PreviewOut, SilenceIn, SilenceOut
from api.v1 import edits
from api.v1.calls import Cursor, Limit, Service, Write, Writing, page
from api.v1.edits import DryRun, Edit, Noun
from engine.core.alert import Alert, State
from engine.store import alerts
from engine.store import silences as store
from engine.store.api_keys import Scope
from engine.store.door import Connection
from engine.store.silences import Standing
from rules.problems import Problem
from rules.silences import Silence, SilenceState, check

router = APIRouter(prefix="/api/v1/silences", tags=["silences"])

SILENCES: Final[Noun[Silence]] = Noun(
    word="silence", get=store.get, put=store.put, delete=store.delete, document=schema.document
)
_BATCH: Final = 1000
"""Alerts fetched at once while counting those a silence covers."""


@router.get("")
def list_silences(
    service: Service, *, state: SilenceState | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[SilenceOut]:
    """All silences by id, or those in one state, each with the number of active alerts it covers now."""
    with service.database.read() as connection:
        only = None if state is None else Standing(state=state, now=service.database.now(connection))
        silences = store.page(connection, after=cursor, limit=limit + 1, only=only)
        items = _described(service, connection, silences)
    return page(items, limit, [silence.id for silence in silences])


@router.post("", status_code=201, responses={200: {"model": DryRun[SilenceOut]}})
def create_silence(body: SilenceIn, write: Writing, response: Response) -> SilenceOut | DryRun[SilenceOut]:
    """Ask for quiet. With dry_run the answer says what the silence would cover."""
    if write.dry_run:
        response.status_code = 200
    return stored(write, planned(write, body, body.id or uuid4().hex, must=False), response)


@router.post("/preview")
def preview_silence(body: SilenceIn, service: Service) -> PreviewOut:
    """Which active alerts a silence with these matchers would cover now. Nothing is stored; the other fields are ignored."""
    with service.database.read() as connection:
        now = service.database.now(connection)
        silence = Silence(id="", matchers=body.parsed(), starts_at=now, ends_at=now + timedelta(hours=1))
        check(silence)
        active = list(_active(connection))
    return PreviewOut.of([alert for alert in active if silence.covers(alert.labels)], active=len(active))


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
    """Make the silence be this one, whether or not there was one; without `starts_at` it keeps its beginning."""
    return stored(write, planned(write, body, silence_id), response)


@router.delete("/{silence_id}")
def expire_silence(silence_id: str, write: Writing, response: Response) -> SilenceOut | DryRun[SilenceOut]:
    """End the silence now. It stays on record; one that is over already is left as it is."""

    def make(connection: Connection, before: Silence | None) -> tuple[Silence | None, tuple[Problem, ...]]:
        now = write.service.database.now(connection)
        return None if before is None else schema.expired(before, now), ()

    return stored(write, edits.plan(write, SILENCES, silence_id, make, must=True), response)


def planned(write: Write, body: SilenceIn, silence_id: str, *, must: bool | None = None) -> Edit[Silence]:
    """The silence worked out; a SilenceError when it would hide everything or nothing."""
    edits.check_key(body.id, silence_id, "id")

    def make(connection: Connection, before: Silence | None) -> tuple[Silence, tuple[Problem, ...]]:
        now = write.service.database.now(connection)
        silence = body.to_silence(silence_id, before, author=write.author, now=now)
        if write.scope is not Scope.ADMIN:
            silence = replace(silence, created_by=write.author)
        check(silence)
        return silence, ()

    return edits.plan(write, SILENCES, silence_id, make, must=must)


def stored(write: Write, edit: Edit[Silence], response: Response) -> SilenceOut | DryRun[SilenceOut]:
    """The silence stored and answered."""
    silence = edits.commit(write, edit)
    assert silence is not None
    with write.service.database.read() as connection:
        (told,) = _described(write.service, connection, [silence])
    return edits.answer(write, edit, response, told, silence.version)


def _described(service: Service, connection: Connection, silences: Iterable[Silence]) -> list[SilenceOut]:
    now = service.database.now(connection)
    silences = list(silences)
    asking = any(silence.state(now) is not SilenceState.EXPIRED for silence in silences)
    labels = [alert.labels for alert in _active(connection)] if asking else []

    def covered(silence: Silence) -> int:
        return 0 if silence.state(now) is SilenceState.EXPIRED else sum(map(silence.covers, labels))

    return [schema.described(silence, matched=covered(silence), now=now) for silence in silences]


def _active(connection: Connection) -> Iterator[Alert]:
    """Every pending or firing alert."""
    after = 0
    while batch := alerts.page(connection, states=(State.PENDING, State.FIRING), after=after, limit=_BATCH):
        yield from batch
        after = batch[-1].id or after
