"""The alerts: one row per (source, label set), whatever became of it; `episode` counts how often it became active."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from engine.core.alert import Absence, Alert, Change, State, TransitionReason
from engine.core.engine_alerts import SOURCE
from engine.core.posting import EXTERNAL
from engine.store import bulk
from engine.store.bulk import Bulk
from engine.store.json_text import dumps, loads
from engine.store.tables import alerts
from engine.store.upsert import Insert, insert
from rules.labels import Labels, give_fingerprints

Identity = tuple[str, str]
"""An alert's source and the key of its labels."""


def value_text(value: float) -> str:
    """A float as text that reads back bit by bit; a REAL column would lose NaN on SQLite."""
    return repr(value)


COLUMNS: Final = (
    alerts.c.id,
    alerts.c.source,
    alerts.c.fingerprint,
    cast(alerts.c.labels, Text),
    cast(alerts.c.sample_labels, Text),
    cast(alerts.c.annotations, Text),
    alerts.c.state,
    alerts.c.value,
    alerts.c.threshold,
    alerts.c.threshold_id,
    alerts.c.active_at,
    alerts.c.fired_at,
    alerts.c.keep_firing_since,
    alerts.c.missing_since,
    alerts.c.resolved_at,
    alerts.c.episode,
    alerts.c.reason,
    alerts.c.rule_version,
    alerts.c.generator_url,
)
"""What from_columns makes an alert of; JSON as text, for whoever reads thousands."""


def from_columns(row: Sequence[Any]) -> Alert:
    """The alert of a row of COLUMNS.

    One that is kept without its series has no other transition meanwhile, so the row's reason is the absence's.
    """
    number, source, fingerprint, labels, series, annotations, state, value, threshold, threshold_id, *rest = row
    active_at, fired_at, keep_firing_since, missing_since, resolved_at, episode, reason, version, url = rest
    own = Labels.known(loads(labels), fingerprint)
    return Alert(
        id=number,
        source=source,
        labels=own,
        sample_labels=own if series == labels else Labels(loads(series)),
        state=State(state),
        value=float(value),
        threshold=None if threshold is None else float(threshold),
        threshold_id=threshold_id,
        annotations=loads(annotations),
        active_at=active_at,
        fired_at=fired_at,
        keep_firing_since=keep_firing_since,
        resolved_at=resolved_at,
        absence=None if missing_since is None else Absence(since=missing_since, reason=TransitionReason(reason)),
        episode=episode,
        rule_version=version,
        generator_url=url,
    )


_EVERY: Final = select(*COLUMNS)


def active_of(connection: Connection, sources: Collection[str]) -> dict[str, dict[Labels, Alert]]:
    """The pending and firing alerts of these sources, by source and labels."""
    found: dict[str, dict[Labels, Alert]] = {source: {} for source in sources}
    names = sorted(sources)
    for start in range(0, len(names), 500):
        query = _EVERY.where(alerts.c.source.in_(names[start : start + 500]), alerts.c.state != State.INACTIVE)
        for row in connection.execute(query):
            alert = from_columns(row)
            found[alert.source][alert.labels] = alert
    return found


_SOURCES_WITHOUT_RULE: Final = text(
    """
    WITH RECURSIVE known(source) AS (
        SELECT min(source) FROM alerts WHERE state <> 'inactive'
        UNION ALL
        SELECT (SELECT min(alerts.source) FROM alerts WHERE alerts.state <> 'inactive' AND alerts.source > known.source)
        FROM known WHERE known.source IS NOT NULL
    )
    SELECT known.source FROM known LEFT JOIN alert_rules ON alert_rules.id = known.source
    WHERE known.source IS NOT NULL AND (alert_rules.id IS NULL OR NOT alert_rules.enabled)
    """
)
"""Goes from one source of active alerts to the next by their index, however many alerts each has."""


def orphans(connection: Connection) -> list[Alert]:
    """Active alerts whose rule is gone or disabled; posted alerts and the engine's own have no rule and are none of these."""
    sources = set(connection.execute(_SOURCES_WITHOUT_RULE).scalars()) - {EXTERNAL, SOURCE}
    return [alert for of_source in active_of(connection, sources).values() for alert in of_source.values()]


def save(connection: Connection, changes: Sequence[Change]) -> dict[Identity, int]:
    """Write each changed alert and answer its row's number. An alert that becomes active again begins a new episode."""
    if not changes:
        return {}
    give_fingerprints(change.alert.labels for change in changes)
    instant = bulk.maybe(connection)
    _SAVING.run(connection, [_row(change, instant) for change in changes])
    # Asked for afterwards: that is quicker than having hundreds of rows returned.
    keys: dict[str, list[str]] = {}
    for change in changes:
        keys.setdefault(change.alert.source, []).append(change.alert.labels.key())
    return {
        found: number for source, of_source in keys.items() for found, number in _numbers(connection, source, of_source)
    }


def _saving(connection: Connection) -> Insert:
    statement = insert(connection, alerts)
    new = statement.excluded
    again = and_(alerts.c.state == _INACTIVE, new.state != _INACTIVE)
    kept = ("source", "key", "fingerprint", "labels")
    columns: dict[str, ColumnElement[Any]] = {name: new[name] for name in _SAVED if name not in kept}
    columns["episode"] = case((again, alerts.c.episode + literal_column("1")), else_=alerts.c.episode)
    return statement.on_conflict_do_update(index_elements=["source", "key"], set_=columns)


_INACTIVE: Final[ColumnElement[str]] = literal_column(f"'{State.INACTIVE.value}'")
_SAVED: Final = (
    "source",
    "key",
    "fingerprint",
    "labels",
    "sample_labels",
    "annotations",
    "state",
    "value",
    "threshold",
    "threshold_id",
    "active_at",
    "fired_at",
    "keep_firing_since",
    "missing_since",
    "resolved_at",
    "reason",
    "rule_version",
    "generator_url",
)
_SAVING: Final = Bulk(_saving, _SAVED)


def _row(change: Change, instant: Callable[[datetime | None], Any]) -> tuple[Any, ...]:
    """The values of _SAVED."""
    alert = change.alert
    labels = dumps(dict(alert.labels.items()))
    return (
        alert.source,
        alert.labels.key(),
        alert.labels.fingerprint(),
        labels,
        labels if alert.sample_labels is alert.labels else dumps(dict(alert.sample_labels.items())),
        dumps(dict(alert.annotations)),
        alert.state.value,
        value_text(alert.value),
        _threshold_text(alert),
        alert.threshold_id,
        instant(alert.active_at),
        instant(alert.fired_at),
        instant(alert.keep_firing_since),
        instant(_missing_since(alert)),
        instant(alert.resolved_at),
        change.reason.value,
        alert.rule_version,
        alert.generator_url,
    )


def _numbers(connection: Connection, source: str, keys: Sequence[str]) -> Iterator[tuple[Identity, int]]:
    for start in range(0, len(keys), 500):
        chosen = alerts.c.source == source, alerts.c.key.in_(keys[start : start + 500])
        for key, number in connection.execute(select(alerts.c.key, alerts.c.id).where(*chosen)):
            yield (source, key), number


def touch(connection: Connection, touched: Sequence[Alert]) -> None:
    """Write what an evaluation moved without a transition: when the alert became active, since when it is kept firing or
    without its series, what threshold governs it, the series it is about, and what an edit of its rule made of its words.
    """
    if not touched:
        return
    moving = update(alerts).where(alerts.c.id == bindparam("number"))
    moving = moving.values(
        active_at=bindparam("active"),
        keep_firing_since=bindparam("kept"),
        missing_since=bindparam("missing"),
        threshold=bindparam("against"),
        threshold_id=bindparam("governed"),
        sample_labels=bindparam("series"),
        annotations=bindparam("words"),
        rule_version=bindparam("version"),
    )
    rows = [
        {
            "number": alert.id,
            "active": alert.active_at,
            "kept": alert.keep_firing_since,
            "missing": _missing_since(alert),
            "against": _threshold_text(alert),
            "governed": alert.threshold_id,
            "series": dict(alert.sample_labels),
            "words": dict(alert.annotations),
            "version": alert.rule_version,
        }
        for alert in touched
    ]
    connection.execute(moving, rows)


def restate(connection: Connection, restated: Sequence[Alert]) -> None:
    """Write what whoever posts these alerts says of them otherwise than before, without a transition."""
    if not restated:
        return
    saying = update(alerts).where(alerts.c.id == bindparam("number"))
    saying = saying.values(
        active_at=bindparam("active"),
        fired_at=bindparam("fired"),
        resolved_at=bindparam("ended"),
        annotations=bindparam("said"),
        generator_url=bindparam("url"),
    )
    rows = [
        {
            "number": alert.id,
            "active": alert.active_at,
            "fired": alert.fired_at,
            "ended": alert.resolved_at,
            "said": dict(alert.annotations),
            "url": alert.generator_url,
        }
        for alert in restated
    ]
    connection.execute(saying, rows)


def _missing_since(alert: Alert) -> datetime | None:
    return None if alert.absence is None else alert.absence.since


def _threshold_text(alert: Alert) -> str | None:
    return None if alert.threshold is None else value_text(alert.threshold)


def by_id(connection: Connection, ids: Iterable[int]) -> dict[int, Alert]:
    """These alerts, by row number; one that was pruned is absent."""
    numbers = sorted(set(ids))
    found: dict[int, Alert] = {}
    for start in range(0, len(numbers), 500):
        query = _EVERY.where(alerts.c.id.in_(numbers[start : start + 500]))
        found |= {row[0]: from_columns(row) for row in connection.execute(query)}
    return found


def by_key(connection: Connection, source: str, keys: Iterable[str]) -> dict[str, Alert]:
    """The alerts of a source with these label keys, by key; one never stored is absent."""
    wanted = sorted(set(keys))
    found: dict[str, Alert] = {}
    for start in range(0, len(wanted), 500):
        query = select(alerts.c.key, *COLUMNS).where(
            alerts.c.source == source, alerts.c.key.in_(wanted[start : start + 500])
        )
        found |= {key: from_columns(columns) for key, *columns in connection.execute(query)}
    return found


def reasons(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """Why each of these alerts is in the state it is in, by row number."""
    numbers = sorted(set(ids))
    found: dict[int, str] = {}
    for start in range(0, len(numbers), 500):
        query = select(alerts.c.id, alerts.c.reason).where(alerts.c.id.in_(numbers[start : start + 500]))
        found |= {row.id: row.reason for row in connection.execute(query)}
    return found


def firing(connection: Connection) -> str:
    """The row numbers of all firing alerts with commas, read from the index alone: for 10,000 of them in two milliseconds.

    As one text, which the database puts together ten times as quickly as rows are fetched, and which is mostly the last one.
    """
    numbers = func.aggregate_strings(cast(alerts.c.id, Text), ",")
    found: str | None = connection.execute(select(numbers).where(alerts.c.state == State.FIRING)).scalar_one()
    return found or ""


def identities(
    connection: Connection, ids: Iterable[int], *, bearing: Collection[tuple[str, str]] | None = None
) -> dict[int, tuple[str, Labels]]:
    """The source and the labels of these alerts, by row number, the lowest first; of those alone with a label of `bearing`."""
    numbers = sorted(ids)
    wanted = () if bearing is None else (or_(*(alerts.c.labels[name].as_string() == value for name, value in bearing)),)
    found: dict[int, tuple[str, Labels]] = {}
    for start in range(0, len(numbers), 500):
        chosen = alerts.c.id.in_(numbers[start : start + 500])
        query = select(alerts.c.id, alerts.c.source, alerts.c.labels).where(chosen, *wanted).order_by(alerts.c.id)
        found |= {number: (source, Labels(labels)) for number, source, labels in connection.execute(query)}
    return found


def active_labels(connection: Connection) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The source and the labels of every pending and firing alert, in the order of their rows, and nothing else of them."""
    query = select(alerts.c.source, cast(alerts.c.labels, Text)).where(
        alerts.c.state.in_((State.PENDING, State.FIRING))
    )
    for source, labels in connection.execute(query.order_by(alerts.c.id)).all():
        yield source, loads(labels)


def by_fingerprint(connection: Connection, fingerprint: str) -> list[Alert]:
    """The alerts with this public name; several rules may make the same label set."""
    query = _EVERY.where(alerts.c.fingerprint == fingerprint).order_by(alerts.c.id)
    return [from_columns(row) for row in connection.execute(query)]


def page(
    connection: Connection,
    *,
    states: Collection[State] = (),
    source: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[Alert]:
    """At most `limit` alerts with a row number above `after`, in order; empty `states` means every state."""
    query = _EVERY.where(alerts.c.id > after).order_by(alerts.c.id).limit(limit)
    if states:
        query = query.where(alerts.c.state.in_([state.value for state in states]))
    if source is not None:
        query = query.where(alerts.c.source == source)
    return [from_columns(row) for row in connection.execute(query)]


def of_rules(connection: Connection, *, limit: int) -> list[Alert]:
    """At most `limit` pending and firing alerts of rules, the engine's own among them: firing ones first, then by row."""
    first = case((alerts.c.state == State.FIRING, 0), else_=1)
    query = _EVERY.where(_OF_RULES).order_by(first, alerts.c.id).limit(limit)
    return [from_columns(row) for row in connection.execute(query)]


def count_of_rules(connection: Connection) -> int:
    """How many pending and firing alerts there are that were not posted."""
    return connection.execute(select(func.count()).select_from(alerts).where(_OF_RULES)).scalar_one()


_OF_RULES = and_(alerts.c.state != State.INACTIVE, alerts.c.source != "external")


def counts(connection: Connection) -> Mapping[State, int]:
    """How many alerts stand in each state."""
    query = select(alerts.c.state, func.count()).group_by(alerts.c.state)
    return {State(state): number for state, number in connection.execute(query)}
