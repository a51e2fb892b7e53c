"""Alerts by REST: what fires and who keeps it quiet, and quiet for one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Response

from api.problems import not_found
from api.schemas.alerts import AlertAnswer, AlertOut, QuietIn
from api.schemas.fields import Page
from api.schemas.matchers import MatcherField
from api.schemas.silences import SilenceIn, SilenceOut
from api.v1 import silences
from api.v1.calls import Limit, Service, Writing, page
from api.v1.edits import DryRun
from engine.core.alert import Alert, State
from engine.core.external import outward
from engine.core.muting import Mutes
from engine.store import alerts as store
from engine.store.door import Connection
from rules.errors import MatcherError, SilenceError
from rules.labels import Labels
from rules.matchers import Matcher, Operator, parse_matchers

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

_ACTIVE = (State.PENDING, State.FIRING)
_BATCH = 1000
"""Alerts fetched at once while looking for those that match."""
_ORDER = (State.FIRING, State.PENDING, State.INACTIVE)


@router.get("")
def list_alerts(
    service: Service,
    *,
    filters: Annotated[list[str] | None, Query(alias="filter", description='Matchers, such as team="db".')] = None,
    states: Annotated[list[State] | None, Query(alias="state", description="Default: pending and firing.")] = None,
    rule_id: str | None = None,
    limit: Limit = 100,
    cursor: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
) -> Page[AlertOut]:
    """Alerts that every filter matches, oldest row first."""
    matchers, external = _parsed(filters or ()), service.settings.external_labels
    with service.database.read() as connection:
        every = _alerts(connection, states or _ACTIVE, rule_id, cursor)
        matching = (alert for alert in every if _matches(alert, matchers, external))
        found = service.present(connection, list(islice(matching, limit + 1)))
        muted = service.mutes(connection, found)
        muters = _muters(connection, muted)
        reasons = store.reasons(connection, [alert.id for alert in found if alert.id is not None])
    items = [AlertOut.of(alert, muted, reasons, muters=muters, external=external) for alert in found]
    return page(items, limit, [str(alert.id) for alert in found])


@router.get("/{fingerprint}")
def read_alert(fingerprint: str, service: Service) -> AlertAnswer:
    """One alert by the name amtool shows; where several rules make the same labels, the most alarming one."""
    with service.database.read() as connection:
        first, *others = service.present(connection, _named(connection, fingerprint))
        muted = service.mutes(connection, [first])
        muters = _muters(connection, muted)
        reasons = store.reasons(connection, [first.id or 0])
    told = AlertOut.of(first, muted, reasons, muters=muters, external=service.settings.external_labels)
    return AlertAnswer.model_construct(**dict(told), also_from=[alert.source for alert in others])


@router.post("/{fingerprint}/silence", status_code=201, responses={200: {"model": DryRun[SilenceOut]}})
def silence_alert(
    fingerprint: str, body: QuietIn, write: Writing, response: Response
) -> SilenceOut | DryRun[SilenceOut]:
    """Silence exactly this alert's labels, from now on for a while, or until the alert has resolved."""
    if body.duration is None and not body.until_resolved:
        raise SilenceError('say for how long, such as "2h", or set until_resolved', field="duration")
    with write.service.database.read() as connection:
        alert = _named(connection, fingerprint)[0]
    exactly = [MatcherField.of(Matcher(name, Operator.EQUAL, value)) for name, value in alert.labels.items()]
    wish = SilenceIn.model_construct(
        matchers=exactly, duration=body.duration, comment=body.comment, until_resolved=body.until_resolved
    )
    if write.dry_run:
        response.status_code = 200
    return silences.stored(write, silences.planned(write, wish, uuid4().hex, must=False), response)


def _parsed(filters: Iterable[str]) -> tuple[Matcher, ...]:
    try:
        return tuple(matcher for text in filters for matcher in parse_matchers(text))
    except MatcherError as error:
        raise MatcherError(error.message, field="filter") from error


def _matches(alert: Alert, matchers: Sequence[Matcher], external: Labels) -> bool:
    """Whether it is chosen by the labels under which people know it."""
    labels = outward(alert.labels, alert.source, external) if matchers else alert.labels
    return all(matcher.matches(labels) for matcher in matchers)


def _muters(connection: Connection, mutes: Mutes) -> dict[int, str]:
    """The public names of the alerts that mute others."""
    doing = {mute.source for every in mutes.values() for mute in every if mute.source is not None}
    return {number: labels.fingerprint() for number, (_, labels) in store.identities(connection, doing).items()}


def _alerts(connection: Connection, states: Sequence[State], rule_id: str | None, after: int) -> Iterator[Alert]:
    while batch := store.page(connection, states=states, source=rule_id, after=after, limit=_BATCH):
        yield from batch
        after = batch[-1].id or after


def _named(connection: Connection, fingerprint: str) -> list[Alert]:
    """The alerts of this name, the most alarming first and the newest of equals; a 404 when there is none."""
    found = store.by_fingerprint(connection, fingerprint)
    if not found:
        raise not_found("alert", fingerprint)
    return sorted(found, key=lambda alert: (_ORDER.index(alert.state), -(alert.id or 0)))
