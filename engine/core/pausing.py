"""How long a loop waits that nothing wakes and that has nothing due: until it must look for what others left for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from engine.core.roles import Role

ALERT: Final = timedelta(seconds=1)
"""Where somebody may make work without a word."""
CALM: Final = timedelta(seconds=10)
"""Where whoever makes work says so, and only what a process that died has left is to be found."""
CHORES: Final[Mapping[str, timedelta]] = {
    "janitor": timedelta(seconds=5),
    "auditor": timedelta(seconds=15),
    "pruner": timedelta(seconds=15),
    "watch": timedelta(seconds=3),
}
"""The loops that do something now and then, for which nobody waits; no longer, since a clock may be set forward."""

_MAKERS: Final[Mapping[str, frozenset[Role]]] = {
    "posting": frozenset(),
    "dispatcher": frozenset({Role.EVALUATOR, Role.API}),
    "sender": frozenset({Role.DISPATCHER}),
}
_OWN: Final[Mapping[str, Role]] = {"dispatcher": Role.DISPATCHER, "sender": Role.SENDER}


def longest(loop: str, others: Collection[frozenset[Role]], *, hears: bool) -> timedelta:
    """The longest pause of the loop of this name, beside other processes with these roles.

    `hears` is whether this process is told of edits. A loop is woken by those who make work for it in its own process. Another
    process that makes such work mostly does it itself; one that has not the role for it leaves it to others and tells nobody, and
    one that evaluates may hand units over at any time.
    """
    if loop in CHORES:
        return CHORES[loop]
    if not hears:
        return ALERT
    if loop == "evaluator":
        return ALERT if any(Role.EVALUATOR in roles for roles in others) else CALM
    if loop not in _MAKERS:
        return ALERT
    left = any(roles & _MAKERS[loop] and _OWN[loop] not in roles for roles in others)
    return ALERT if left else CALM
