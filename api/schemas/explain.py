"""The story of an alert on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from api.schemas.fields import Output, example
from engine.core.storyline import Explanation, Kind, Verdict


class SubjectOut(Output):
    """What a step is about; `version` is that of a rule or a route, null for all else."""

    type: str
    id: str
    version: int | None = None


class StepOut(Output):
    """One thing that happened or holds: `reason` is a sentence, `detail` holds its values, which differ by `kind`."""

    at: datetime
    kind: Kind
    reason: str
    subject: SubjectOut
    detail: dict[str, Any] = Field(default_factory=dict)


class NextOut(Output):
    """What happens next; `at` is null where only an edit can bring it about."""

    at: datetime | None
    action: str


class ExplanationOut(Output):
    """Why somebody was told, or was not; the steps stand oldest first, `next` is null when nothing more happens."""

    model_config = example(
        {
            "verdict": "silenced",
            "summary": 'HighCpu{instance="db-1"} fires since 2026-11-21 12:00:00Z, but is kept quiet by silence '
            "'0d6d1b2f' until 2026-11-21 14:00:00Z; nobody was told.",
            "steps": [
                {
                    "at": "2026-11-21T12:00:30Z",
                    "kind": "mute",
                    "reason": "kept quiet by silence '0d6d1b2f' until 2026-11-21 14:00:00Z",
                    "subject": {"type": "silence", "id": "0d6d1b2f", "version": None},
                    "detail": {"by": "0d6d1b2f", "until": "2026-11-21T14:00:00+00:00"},
                }
            ],
            "next": {
                "at": "2026-11-21T14:00:00Z",
                "action": "silence '0d6d1b2f' ends, and its group's next flush decides anew",
            },
        }
    )
    verdict: Verdict
    summary: str
    steps: list[StepOut]
    next: NextOut | None

    @classmethod
    def of(cls, found: Explanation) -> ExplanationOut:
        """The explanation as it is shown."""
        return cls(
            verdict=found.verdict,
            summary=found.summary,
            steps=[
                StepOut(
                    at=step.at,
                    kind=step.kind,
                    reason=step.reason,
                    subject=SubjectOut(type=step.subject.type, id=step.subject.id, version=step.subject.version),
                    detail=dict(step.detail),
                )
                for step in found.steps
            ],
            next=None if found.next is None else NextOut(at=found.next.at, action=found.next.action),
        )
