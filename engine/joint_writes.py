"""One commit for all that several threads want written at the same moment.

A thread that has something to write while nobody commits does so at once. What comes in meanwhile waits for the end of that
commit, and goes together in the next: nothing waits longer than it would have waited for the database anyway, and nobody
goes on before what it wants written is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Piece, Result]):
    piece: Piece
    woken: threading.Event = field(default_factory=threading.Event)
    outcome: Future[Result] = field(default_factory=Future)


class JointWrites(Generic[Piece, Result]):
    """Writes pieces by `commit`, which takes `most` at a time, all or none, and answers a result for each.

    When it raises one of `refusals` for several, each is tried alone: one that cannot be written does no harm to the others.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Piece]], Sequence[Result]],
        *,
        most: int,
        refusals: tuple[type[Exception], ...],
    ) -> None:
        self._commit = commit
        self._most = most
        self._refusals = refusals
        self._guard = threading.Lock()
        self._queue: list[_Waiting[Piece, Result]] = []
        self._committing = False

    @property
    def waiting(self) -> int:
        """How many pieces wait for the end of a commit."""
        return len(self._queue)

    def write(self, piece: Piece) -> Result:
        """Returns once it is written, with its result; raises what the commit raised."""
        waiting: _Waiting[Piece, Result] = _Waiting(piece)
        with self._guard:
            self._queue.append(waiting)
            leads = not self._committing
            self._committing = True
        if not leads:
            waiting.woken.wait()
        if not waiting.outcome.done():
            self._lead()
        return waiting.outcome.result()

    def _lead(self) -> None:
        """Commit what waits, the caller's own piece among it, and pass the lead on to whoever came meanwhile."""
        with self._guard:
            batch, self._queue = self._queue[: self._most], self._queue[self._most :]
        try:
            self._write(batch)
        finally:
            for one in batch:
                # What ended neither well nor by a refusal raises in this thread, and the others must not wait for ever.
                if not one.outcome.done():
                    one.outcome.set_exception(RuntimeError("what was to be written together with this failed"))
                one.woken.set()
            self._pass_on()

    def _pass_on(self) -> None:
        with self._guard:
            self._committing = bool(self._queue)
            if self._queue:
                self._queue[0].woken.set()

    def _write(self, batch: Sequence[_Waiting[Piece, Result]]) -> None:
        try:
            results = self._commit([one.piece for one in batch])
        except self._refusals as refusal:
            if len(batch) == 1:
                batch[0].outcome.set_exception(refusal)
                return
            for one in batch:
                self._write([one])
            return
        for one, result in zip(batch, results, strict=True):
            one.outcome.set_result(result)
