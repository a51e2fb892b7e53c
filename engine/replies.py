"""What the rules of a unit are told: the answers of planned queries taken apart, and what is done about those that fail.

Invariant: a rule is told what its own query would have brought. A planned query that fails takes nobody down: the rules that
share it ask their own queries once, and what is to blame is kept from others from then on (engine/planner.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain
from typing import Final

from engine.core import batching, planning
from engine.core.alert import Sample
from engine.core.batching import Request
from engine.core.planning import Question, Shared
from engine.planner import Planner
from engine.query_answer import QueryError, QueryErrorKind
from rules.errors import LabelError

OWN_FAULT: Final = frozenset(
    {QueryErrorKind.BAD_DATA, QueryErrorKind.EXECUTION, QueryErrorKind.TOO_LARGE, QueryErrorKind.TIMEOUT}
)
"""Failures that a rule's own query may be to blame for."""
LASTING: Final = frozenset({QueryErrorKind.BAD_DATA, QueryErrorKind.EXECUTION, QueryErrorKind.TOO_LARGE})
"""Failures of a planned query that do not pass by waiting."""
UNREACHED: Final = frozenset({QueryErrorKind.AUTH, QueryErrorKind.REDIRECTED, QueryErrorKind.MALFORMED})
"""Failures that no other query would fare better with."""
OUTAGE: Final = frozenset({QueryErrorKind.UNAVAILABLE, QueryErrorKind.TIMEOUT})
"""Failures that may be the query's doing or the datasource's; the simplest of queries tells which."""
SIMPLEST: Final = "vector(1)"
FIRST: Final = 16
"""So many own queries are asked first: when all of them fail, the datasource does, and nobody else is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a rule's query came to: samples, or the error that kept them. `has_data` None: nobody asked or can tell."""

    samples: Sequence[Sample] = ()
    error: QueryError | None = None
    warnings: tuple[str, ...] = ()
    has_data: bool | None = None
    duration: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """The replies of rules: `found` has those with something to tell; all others have `quiet`: no sample, no error."""

    found: Mapping[str, Reply]
    quiet: Reply = field(default_factory=Reply)

    def __getitem__(self, rule_id: str) -> Reply:
        return self.found.get(rule_id, self.quiet)


Ask = Callable[[Collection[str]], Mapping[str, Reply]]
"""Asks queries and answers with the reply to each; raises nothing."""


def replies(requests: Iterable[Request], ask: Ask, planner: Planner) -> Replies:
    """What the rules behind these requests are told."""
    requests = tuple(requests)
    told = ask({request.text for request in requests})
    found: dict[str, Reply] = {}
    failed: list[tuple[Request, QueryError]] = []
    for request in requests:
        reply = told[request.text]
        if reply.error is None:
            _take_apart(found, request, reply)
        else:
            failed.append((request, reply.error))
    if failed:
        _Settling(ask, planner, found).settle(failed)
    longest = max((reply.duration for reply in told.values()), default=timedelta(0))
    return Replies(found=found, quiet=Reply(duration=longest))


def _take_apart(found: dict[str, Reply], request: Request, reply: Reply) -> None:
    try:
        by_key = batching.unbatched(request, reply.samples)
        for part in request.parts:
            if part.key in by_key:
                for rule_id, samples in planning.answers(part, by_key[part.key]).items():
                    found[rule_id] = replace(reply, samples=samples, has_data=True)
    except LabelError as unreadable:
        error = QueryError(QueryErrorKind.MALFORMED, unreadable.message)
        found.update({one.rule_id: replace(reply, samples=(), error=error) for one in _questions(request)})


def _questions(request: Request) -> Iterator[Question]:
    return chain.from_iterable(part.questions for part in request.parts)


@dataclass(frozen=True, slots=True)
class _Settling:
    """Asks again what failed, in smaller pieces, and puts the replies into `found`."""

    ask: Ask
    planner: Planner
    found: dict[str, Reply]

    def settle(self, failed: Sequence[tuple[Request, QueryError]]) -> None:
        """Requests that failed: each part of a batch by itself, then each rule of a part by itself, all of it once."""
        parts: list[tuple[Shared, QueryError]] = []
        batches: list[Request] = []
        outage = self._outage(failed)
        for request, error in failed:
            if outage or error.kind in UNREACHED:
                self._fail(request.parts, error)
            elif len(request.parts) == 1:
                parts.append((request.parts[0], error))
            else:
                batches.append(request)
        parts += self._unbatched(batches)
        for part, error in parts:
            if len(part.questions) == 1 or error.kind in UNREACHED:
                self._fail([part], error)
            else:
                self._one_by_one(part, error)

    def _outage(self, failed: Sequence[tuple[Request, QueryError]]) -> bool:
        """Whether the datasource does not answer at all, so that there is nobody to ask again."""
        unclear = any(error.kind in OUTAGE and _is_planned(request) for request, error in failed)
        return unclear and self.ask({SIMPLEST})[SIMPLEST].error is not None

    def _unbatched(self, batches: Sequence[Request]) -> list[tuple[Shared, QueryError]]:
        singles = [Request(text=part.text, parts=(part,)) for request in batches for part in request.parts]
        told = self.ask({single.text for single in singles}) if singles else {}
        failed: list[tuple[Shared, QueryError]] = []
        for single in singles:
            error = told[single.text].error
            if error is None:
                _take_apart(self.found, single, told[single.text])
            else:
                failed.append((single.parts[0], error))
        self._note_batches(batches, {part.key: error for part, error in failed})
        return failed

    def _note_batches(self, batches: Sequence[Request], failed: Mapping[str, QueryError]) -> None:
        for request in batches:
            culprits = [part.key for part in request.parts if part.key in failed]
            if len(culprits) == len(request.parts):
                continue  # Nothing works: that says nothing about any of them.
            self.planner.keep_apart(culprits or [part.key for part in request.parts])

    def _one_by_one(self, part: Shared, error: QueryError) -> None:
        """The own query of each rule; what it tells about who is to blame is noted, unless nobody's works."""
        told = dict(self._own(part.questions[:FIRST]))
        if all(reply.error is not None for reply in told.values()) and len(told) < len(part.questions):
            self._fail([part], error)
            return
        told |= self._own(part.questions[FIRST:])
        self.found.update(
            {rule_id: reply for rule_id, reply in told.items() if reply.error is not None or reply.samples}
        )
        self._note_faults(part, told, error)

    def _note_faults(self, part: Shared, told: Mapping[str, Reply], error: QueryError) -> None:
        blamed = [one for one in part.questions if told[one.rule_id].error is not None]
        if len(blamed) == len(part.questions):
            return
        for question in blamed:
            fault = told[question.rule_id].error
            if fault is not None and fault.kind in OWN_FAULT:
                self.planner.blame(question.rule_id, question.asked.text, fault.message)
        if not blamed:
            self.planner.divide(part.key, at_once=error.kind in LASTING)

    def _own(self, questions: Sequence[Question]) -> Mapping[str, Reply]:
        told = self.ask({question.asked.text for question in questions})
        return {question.rule_id: told[question.asked.text] for question in questions}

    def _fail(self, parts: Iterable[Shared], error: QueryError) -> None:
        for part in parts:
            self.found.update({question.rule_id: Reply(error=error) for question in part.questions})


def _is_planned(request: Request) -> bool:
    return len(request.parts) > 1 or len(request.parts[0].questions) > 1
