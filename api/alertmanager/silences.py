"""Silences in Alertmanager's shape: /api/v2/silences and /api/v2/silence/{id}."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response

from api.alertmanager.answers import Service, answer, body_of, nothing, refusal, schema_refusal
from api.alertmanager.asked import matchers, truth
from api.alertmanager.posted_silence import Posted, SchemaError, read
from api.alertmanager.standing import time_text
from engine.store import silences as store
from engine.store.api_keys import Scope
from engine.store.door import Connection, holding
from rules.errors import RulesError
from rules.matchers import Matcher
from rules.silences import Silence, SilenceState, can_become, check, expired

router = APIRouter()

RETENTION: Final = timedelta(hours=120)
"""How long a silence is listed after its end, as in Alertmanager; by its id it is found for ever."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_STATES: Final = (SilenceState.ACTIVE, SilenceState.PENDING, SilenceState.EXPIRED)
_BATCH: Final = 1000


@router.get("/api/v2/silences")
def list_silences(service: Service, request: Request) -> Response:
    """Active silences by their end, then pending ones by their start, then expired ones, the latest first."""
    words = request.query_params
    wanted = matchers(words.getlist("filter"))
    states = {state for state in _STATES if truth(words.getlist(state.value))}
    with service.database.read() as connection:
        now, intervals = service.database.now(connection), service.feed.refresh(connection).time_intervals
        found = [
            one
            for one in _every(connection)
            if one.state(now, intervals) in states and one.ends_at > now - RETENTION and _names(one, wanted)
        ]
        changed = store.changed_at(connection, [one.id for one in found])
    found.sort(key=lambda one: _place(one, one.state(now, intervals)))
    return answer([_document(one, changed[one.id], one.state(now, intervals)) for one in found])


@router.post("/api/v2/silences")
def post_silence(service: Service, request: Request, body: Annotated[bytes, Depends(body_of)]) -> Response:
    """Make a silence, or change one: in place where nothing it did is undone, else the old one ends and a new one begins."""
    try:
        posted = read(body, request.headers.get("content-type", ""))
    except SchemaError as error:
        return schema_refusal(str(error), code=error.code, status=error.status)
    except RulesError as error:
        return refusal(f"silence invalid: {error.message}")
    state = request.state
    author = None if state.scope is Scope.ADMIN else state.author
    try:
        with service.database.write(author=state.author) as connection:
            now = service.database.now(connection)
            before = store.get(holding(connection), posted.id) if posted.id else None
            wrong = _wrong(posted, before, now)
            silence_id = "" if wrong is not None else _stored(connection, posted, before, author, now)
    except RulesError as error:
        return refusal(f"silence invalid: {error.message}")
    return answer({"silenceID": silence_id}) if wrong is None else wrong


@router.get("/api/v2/silence/{silence_id}")
def read_silence(service: Service, silence_id: str) -> Response:
    """One silence, however long it is over."""
    with service.database.read() as connection:
        found = store.get(connection, silence_id)
        if found is None:
            return _missing(silence_id)
        now, intervals = service.database.now(connection), service.feed.refresh(connection).time_intervals
        changed = store.changed_at(connection, [silence_id])
    return answer(_document(found, changed[silence_id], found.state(now, intervals)))


@router.delete("/api/v2/silence/{silence_id}")
def expire_silence(service: Service, request: Request, silence_id: str) -> Response:
    """End a silence now; it stays on record, and one that is over is left as it is."""
    with service.database.write(author=request.state.author) as connection:
        found = store.get(holding(connection), silence_id)
        if found is None:
            return _missing(silence_id)
        store.put(connection, expired(found, service.database.now(connection)))
    return nothing()


def _wrong(posted: Posted, before: Silence | None, now: datetime) -> Response | None:
    if posted.starts_at >= posted.ends_at:
        return refusal("Failed to create silence: start time must be before end time")
    if posted.ends_at < now:
        return refusal("Failed to create silence: end time can't be in the past")
    return refusal("silence not found", 404) if posted.id and before is None else None


def _stored(connection: Connection, posted: Posted, before: Silence | None, author: str | None, now: datetime) -> str:
    said = Silence(
        id=posted.id,
        matchers=posted.matchers,
        starts_at=posted.starts_at,
        ends_at=posted.ends_at,
        created_by=posted.created_by if author is None else author,
        comment=posted.comment,
        # Alertmanager takes matchers that only leave some out, and its tools are not to be told otherwise.
        force=True,
        origin="api",
    )
    fresh = said if before is None else _with_the_unsaid(said, before)
    check(fresh)
    if before is not None and can_become(before, fresh, now):
        return store.put(connection, fresh).id
    if before is not None:
        store.put(connection, expired(before, now))
    anew = replace(fresh, id=str(uuid4()), starts_at=max(fresh.starts_at, now), origin="api")
    return store.put(connection, anew).id


def _with_the_unsaid(silence: Silence, before: Silence) -> Silence:
    """What Alertmanager has no word for stays as it was."""
    unsaid = {name: getattr(before, name) for name in ("time_intervals", "until_resolved", "team", "origin")}
    return replace(silence, **unsaid)


def _missing(silence_id: str) -> Response:
    if not _UUID.fullmatch(silence_id):
        return schema_refusal(f'silenceID in path must be of type uuid: "{silence_id}"', code=601)
    return nothing(404)


def _every(connection: Connection) -> Iterable[Silence]:
    after: str | None = None
    while batch := store.page(connection, after=after, limit=_BATCH):
        yield from batch
        after = batch[-1].id


def _names(silence: Silence, wanted: Sequence[Matcher]) -> bool:
    """Whether every matcher asked for is one of the silence's own, letter by letter."""
    return all(matcher in silence.matchers for matcher in wanted)


def _place(silence: Silence, state: SilenceState) -> tuple[int, float]:
    match state:
        case SilenceState.ACTIVE:
            moment = silence.ends_at.timestamp()
        case SilenceState.PENDING:
            moment = silence.starts_at.timestamp()
        case _:
            moment = -silence.ends_at.timestamp()
    return _STATES.index(state), moment


def _document(silence: Silence, changed_at: datetime, state: SilenceState) -> Mapping[str, object]:
    return {
        "id": silence.id,
        "status": {"state": state.value},
        "updatedAt": time_text(changed_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": time_text(silence.ends_at),
        "matchers": [
            {
                "isEqual": not matcher.operator.is_negative,
                "isRegex": matcher.operator.is_regex,
                "name": matcher.name,
                "value": matcher.value,
            }
            for matcher in silence.matchers
        ],
        "startsAt": time_text(silence.starts_at),
    }
