"""What keeps a firing alert quiet, and who said so. A mute always names its muter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.core.alert import Alert
from rules.silences import Silence, covering


class MuteKind(StrEnum):
    """The kinds of quiet, in the order Alertmanager's pipeline asks them; the words are the ledger's."""

    SILENCE = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """One alert kept quiet: by what kind of thing, by which one (its id), and until when (`None`: no end is known)."""

    kind: MuteKind
    by: str
    until: datetime | None = None


def mutes(alerts: Iterable[Alert], silences: Iterable[Silence], now: datetime) -> Mapping[int, Mute]:
    """The mute of each muted alert, by alert id; of several silences the one that lasts longest is named."""
    silences = tuple(silences)
    found: dict[int, Mute] = {}
    for alert in alerts:
        active = covering(silences, alert.labels, now)
        if active and alert.id is not None:
            last = max(active, key=lambda silence: silence.ends_at)
            found[alert.id] = Mute(kind=MuteKind.SILENCE, by=last.id, until=last.ends_at)
    return found
