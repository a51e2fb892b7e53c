"""What a change makes different, and the versions of a definition that changes have left."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field, StrictInt

from api.schemas.fields import Input, Output, example


class Change(Output):
    """One field before and after."""

    field: str
    before: object = None
    after: object = None


class VersionOut(Output):
    """One version of a definition: who made it, when, and what it changed in the version before."""

    model_config = example(
        {
            "version": 2,
            "operation": "update",
            "author": "key:1f3c9a20",
            "at": "2026-11-21T12:00:00Z",
            "changes": [{"field": "threshold", "before": 90.0, "after": 95.0}],
        }
    )
    version: int | None
    operation: str
    author: str
    at: datetime
    changes: list[Change]


class RestoreIn(Input):
    """Which version shall stand again."""

    model_config = example({"version": 1})
    version: StrictInt = Field(ge=1, le=2**31 - 1)


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> list[Change]:
    """The fields in which two documents differ."""
    return [
        Change(field=name, before=before.get(name), after=after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
