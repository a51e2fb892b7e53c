"""What makes an alert active at one slot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from engine.core.alert import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One active element of the answer, with what made it active: the threshold, the row it comes from, and its `for`.

    `threshold_id` None means the rule's own threshold, `hold` None the rule's own `for`.
    """

    sample: Sample
    threshold: float | None = None
    threshold_id: str | None = None
    hold: timedelta | None = None
