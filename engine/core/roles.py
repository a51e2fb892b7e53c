"""What a process does of all there is to do; several processes on one database may each do a part."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """One part of the work."""

    EVALUATOR = "evaluator"
    DISPATCHER = "dispatcher"
    SENDER = "sender"
    API = "api"


EVERY: Final = frozenset(Role)


def spelled(roles: Collection[Role]) -> str:
    """The roles as they are written, in the order of the data's way."""
    return ",".join(role.value for role in Role if role in roles)


def read(text: str | None) -> frozenset[Role]:
    """The reverse of `spelled`. `None` (a process from before there were roles) is all of them; a strange word is none."""
    if text is None:
        return EVERY
    known = set(Role)
    return frozenset(Role(word) for word in text.split(",") if word in known)
