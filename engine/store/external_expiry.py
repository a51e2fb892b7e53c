"""Until when posted alerts are believed: a row for each that fires."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from engine.core.posting import Expiry
from engine.store import bulk
from engine.store.bulk import Bulk
from engine.store.tables import external_expiry
from engine.store.upsert import Insert, insert


def of(connection: Connection, alert_ids: Iterable[int]) -> dict[int, Expiry]:
    """The expiry of these alerts, by row number; one that does not fire is absent."""
    numbers = sorted(set(alert_ids))
    found: dict[int, Expiry] = {}
    for start in range(0, len(numbers), 500):
        chosen = external_expiry.c.alert_id.in_(numbers[start : start + 500])
        for number, *rest in connection.execute(_SELECT.where(chosen)):
            found[number] = _expiry(*rest)
    return found


def ended(connection: Connection, now: datetime) -> dict[int, Expiry]:
    """Those whose end has come, by row number, the earliest first."""
    query = _SELECT.where(external_expiry.c.ends_at <= now).order_by(external_expiry.c.ends_at)
    return {number: _expiry(*rest) for number, *rest in connection.execute(query)}


def next_end(connection: Connection, now: datetime) -> datetime | None:
    """When the next one ends after `now`; `None` when none does."""
    query = select(func.min(external_expiry.c.ends_at)).where(external_expiry.c.ends_at > now)
    moment: datetime | None = connection.execute(query).scalar_one()
    return moment


def save(connection: Connection, expiries: Mapping[int, Expiry]) -> None:
    """Write the expiry of alerts that fire."""
    instant = bulk.moment(connection)
    rows = [(number, instant(one.ends_at), one.timeout, instant(one.updated_at)) for number, one in expiries.items()]
    _SAVING.run(connection, rows)


def _saving(connection: Connection) -> Insert:
    statement = insert(connection, external_expiry)
    changed = {name: statement.excluded[name] for name in ("ends_at", "timeout", "updated_at")}
    return statement.on_conflict_do_update(index_elements=["alert_id"], set_=changed)


_SAVING: Final = Bulk(_saving, ("alert_id", "ends_at", "timeout", "updated_at"))


def renew(connection: Connection, expiries: Mapping[int, Expiry]) -> Collection[int]:
    """Write the expiry of those of these alerts that still fire, and answer the others: they have ended meanwhile."""
    firing = of(connection, expiries)
    rows = [{"number": number, **_columns(expiries[number])} for number in firing]
    if rows:
        renewing = update(external_expiry).where(external_expiry.c.alert_id == bindparam("number"))
        columns = ("ends_at", "timeout", "updated_at")
        connection.execute(renewing.values(**{name: bindparam(name) for name in columns}), rows)
    return expiries.keys() - firing.keys()


def forget(connection: Connection, alert_ids: Iterable[int]) -> None:
    """Drop what was believed of alerts that have ended."""
    numbers = sorted(set(alert_ids))
    for start in range(0, len(numbers), 500):
        chosen = external_expiry.c.alert_id.in_(numbers[start : start + 500])
        connection.execute(delete(external_expiry).where(chosen))


_SELECT: Final = select(
    external_expiry.c.alert_id, external_expiry.c.ends_at, external_expiry.c.timeout, external_expiry.c.updated_at
)


def _expiry(ends_at: datetime, timeout: bool, updated_at: datetime) -> Expiry:
    return Expiry(ends_at=ends_at, timeout=timeout, updated_at=updated_at)


def _columns(expiry: Expiry) -> dict[str, object]:
    return {"ends_at": expiry.ends_at, "timeout": expiry.timeout, "updated_at": expiry.updated_at}
