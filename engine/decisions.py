"""What the ledger learns of a flush: every message, every change of mind, every new mute. A steady flush writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from engine.core.flush import Flush, Group, Target
from engine.core.notifying import Decision
from engine.muting import entries as muting_entries
from engine.store.ledger import Entry, Kind, Subject


def entries(
    group: Group,
    decided: Flush,
    last: Mapping[Target, str],
    *,
    went_by: Mapping[str, object],
    problems: Mapping[str, str],
    send: bool,
) -> list[Entry]:
    """The rows of one flush; `last` are the reasons of the decisions before, `went_by` the versions all of it went by."""
    found = [
        replace(one, detail={**one.detail, "configuration": went_by["configuration"]})
        for one in muting_entries(group, decided.mutes, decided.at)
    ]
    common = {**went_by, "problems": dict(problems)} if problems else went_by
    for target, decision in decided.decisions.items():
        if decision.reason.sends or decision.reason.value != last.get(target, ""):
            recorded = decision.reason.sends and not send
            found.append(
                _entry(group, decided.at, target, decision, {**common, **({"recorded": True} if recorded else {})})
            )
    return found


def _entry(group: Group, at: datetime, target: Target, decision: Decision, went_by: Mapping[str, object]) -> Entry:
    detail = {
        "channel": target.channel,
        "recipient": target.recipient,
        "sends": decision.reason.sends,
        "firing": sorted(decision.firing),
        "resolved": sorted(decision.resolved),
        **went_by,
    }
    return Entry(
        at=at,
        kind=Kind.DECISION,
        reason=decision.reason.value,
        subject_type=Subject.GROUP,
        subject_id=str(group.id),
        alert_ids=sorted(decision.firing | decision.resolved) or sorted(decision.told.firing | decision.elsewhere),
        detail=detail,
    )
