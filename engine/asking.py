"""What templates ask Prometheus while their rule is judged: the rule's own datasource, at the slot, within bounds.

As in Prometheus the slot itself is asked about, whatever the rule's `query_offset`. It happens before anything is written, so
no transaction waits for the network.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from engine.core.alert import Sample
from engine.querying import Reply

MOST: Final = 100
"""Different queries the templates of one rule may ask at one slot."""
PATIENCE: Final = timedelta(seconds=10)
"""How long the templates of all rules of a slot may wait for answers, one query's own deadline aside."""


class Deadline:
    """The time that the templates of one slot share; it begins with the first query."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until: float | None = None

    @property
    def is_over(self) -> bool:
        now = self._monotonic()
        if self._until is None:
            self._until = now + PATIENCE.total_seconds()
        return now >= self._until


class Asking:
    """Answers one rule's templates at one slot; the same question is asked once. `ask` never raises."""

    def __init__(self, ask: Callable[[str], Reply], deadline: Deadline) -> None:
        self._ask = ask
        self._deadline = deadline
        self._known: dict[str, Reply] = {}

    def __call__(self, expr: str) -> tuple[Sample, ...]:
        """The samples of an instant query. Raises ValueError saying why there are none, for the template's own text."""
        reply = self._known.get(expr)
        if reply is None:
            reply = self._known[expr] = self._asked(expr)
        if reply.error is not None:
            raise ValueError(str(reply.error))
        return tuple(reply.samples)

    def _asked(self, expr: str) -> Reply:
        if len(self._known) >= MOST:
            raise ValueError(f"the templates of a rule may ask {MOST} queries at a time; this would be one more")
        if self._deadline.is_over:
            raise ValueError(f"the queries of templates took more than {PATIENCE.total_seconds():.0f} s at this time")
        return self._ask(expr)
