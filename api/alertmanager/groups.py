"""GET /api/v2/alerts/groups: what fires, in the groups in which it is told, and which of them an interval mutes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from api.alertmanager.answers import Service, written
from api.alertmanager.asked import Asked, Turn, asked
from api.alertmanager.receivers import policy_of
from api.alertmanager.standing import Shown, View, view
from engine.core.muting import by_intervals
from engine.store import firing
from engine.store.firing import OpenGroup
from rules.routing import Policy

router = APIRouter(dependencies=[Turn])

_Order = Callable[[Mapping[str, str]], tuple[Any, ...]]


@router.get("/api/v2/alerts/groups")
def list_groups(service: Service, request: Request) -> Response:
    """The groups with alerts that are asked for, by their labels and their receiver."""
    wanted = asked(request)
    with service.database.read() as connection:
        seen = view(service, connection)
        rows = list(firing.rows(connection))
        shown = {one.row.fingerprint: one for one in seen.shown(rows, replace(wanted, receiver=None))}
        for one in shown.values():
            one.receivers = tuple(name for name in one.receivers if wanted.hears([name]))
        named = {row.number: shown[row.fingerprint] for row in rows if row.fingerprint in shown}
        groups = firing.groups(connection)
        before = order([*(one.labels for one in shown.values()), *(group.labels for group in groups)])
        told = _told(seen, groups, named, wanted, before)
        return written(f"[{','.join(told)}]")


def order(every: Iterable[Mapping[str, str]]) -> _Order:
    """What to sort these label sets by. Source: prometheus/common LabelSet.Before.

    Fewer labels come first; of two sets with as many, the one that lacks the first label in which they differ, else its value.
    """
    ranks = {
        name: rank for rank, name in enumerate(sorted({name for labels in every for name in labels}, reverse=True))
    }
    return lambda labels: (len(labels), [(ranks[name], labels[name]) for name in sorted(labels)])


def _told(
    seen: View, groups: Iterable[OpenGroup], named: Mapping[int, Shown], wanted: Asked, before: _Order
) -> Iterator[str]:
    for policy, group in _chosen(seen, groups, wanted, before):
        muted_by = [mute.by for mute in by_intervals(policy, seen.definitions.time_intervals, seen.now)]
        members = list({id(named[number]): named[number] for number in group.members if number in named}.values())
        if members and (wanted.muted or not muted_by):
            yield _group(seen, group, policy, sorted(members, key=lambda one: _place(one, before)), muted_by)


def _chosen(
    seen: View, groups: Iterable[OpenGroup], wanted: Asked, before: _Order
) -> Iterator[tuple[Policy, OpenGroup]]:
    """Those whose receiver is asked for, in their order: by labels, then by receiver."""
    found = [(policy_of(seen.definitions, group.route_id), group) for group in groups]
    placed = [(before(group.labels), seen.receivers.name(policy), policy, group) for policy, group in found]
    for _, name, policy, group in sorted(placed, key=lambda one: one[:2]):
        if wanted.hears([name]):
            yield policy, group


def _group(seen: View, group: OpenGroup, policy: Policy, members: Iterable[Shown], muted_by: list[str]) -> str:
    alerts = ",".join(seen.write(one, muted_by=muted_by) for one in members)
    rest: dict[str, object] = {"labels": dict(group.labels), "receiver": {"name": seen.receivers.name(policy)}}
    if policy.labels:
        rest["routeLabels"] = dict(policy.labels)
    return f'{{"alerts":[{alerts}],{orjson.dumps(rest).decode()[1:]}'


def _place(one: Shown, before: _Order) -> tuple[object, ...]:
    """By job, then by instance, then by all labels (A:types AlertSlice)."""
    job, instance = one.labels.get("job"), one.labels.get("instance")
    return job is None, job or "", instance is None, instance or "", before(one.labels)
