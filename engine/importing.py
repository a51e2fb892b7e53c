"""Bring the rules of rule files into the database: read, compare, ask whether that may be, write.

On PostgreSQL an import is one transaction. On SQLite it is one for every 500 rules, so that nobody waits long for the one
writer; rules come before removals, every rule is whole in itself, and an import that was cut off is finished by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core import importing
from engine.core.importing import Plan, Reason
from engine.store import rule_imports
from engine.store.database import Database
from engine.store.door import Connection
from rules.formats import prometheus_yaml
from rules.formats.reading import Flaw
from rules.problems import Problem, Severity
from rules.rule import Rule

ORIGIN: Final = "import:prometheus:"
LARGEST: Final = 64 << 20
"""Bytes of one file."""
ATTEMPTS: Final = 3
"""How often an import is worked out anew when somebody changed its rules meanwhile."""


class ImportRefusedError(Exception):
    """The import changed nothing; `flaws` are mistakes in the files, `reasons` why it would need to be forced."""

    def __init__(self, message: str, *, flaws: tuple[Flaw, ...] = (), reasons: tuple[Reason, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.flaws = flaws
        self.reasons = reasons

    def lines(self) -> Iterator[str]:
        """What is wrong, one line each."""
        yield from map(str, self.flaws)
        yield from map(str, self.reasons)


class _ChangedMeanwhileError(Exception):
    """Somebody else has written one of the rules since the import was worked out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How rules are imported: under which origin, whether those gone from the files are removed, and whatever that does."""

    origin: str
    author: str
    prune: bool = False
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did, or would do, and what it warns of."""

    plan: Plan
    warnings: tuple[Flaw, ...] = ()


def read(files: Iterable[Path]) -> tuple[list[Rule], tuple[Flaw, ...]]:
    """The rules of all these files in their order, and what they warn of.

    Raises ImportRefusedError with the mistakes of all of them.
    """
    return declared((str(file), text_of(file)) for file in files)


def declared(texts: Iterable[tuple[str, str | Flaw]]) -> tuple[list[Rule], tuple[Flaw, ...]]:
    """The rules of these files, each given as its name and its text, or as what keeps it from being read."""
    rules: list[Rule] = []
    flaws: list[Flaw] = []
    for name, text in texts:
        if isinstance(text, Flaw):
            flaws.append(text)
            continue
        found = prometheus_yaml.parse(text, name)
        rules += found.rules
        flaws += found.flaws
    if any(_is_error(flaw) for flaw in flaws):
        raise ImportRefusedError("the rule files have mistakes, so nothing was changed", flaws=tuple(flaws))
    return rules, tuple(flaws)


def bring_in(
    database: Database,
    rules: Sequence[Rule],
    wish: Wish,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Plan:
    """Make the rules of this origin those given; what that made different. `progress` hears how many rows are written.

    Without `prune` the plan's `removed` stay. Raises ImportRefusedError when the removals need to be forced.
    """
    for _ in range(ATTEMPTS):
        plan = _worked_out(database, rules, wish)
        if wish.dry_run or _is_done(plan, wish):
            return plan
        try:
            _write(database, plan, wish, progress)
        except _ChangedMeanwhileError:
            continue
        return plan
    raise ImportRefusedError(f"somebody keeps changing the rules of {wish.origin}; run the import again")


def _is_done(plan: Plan, wish: Wish) -> bool:
    return plan.is_empty or not (plan.added or plan.changed or wish.prune)


def _worked_out(database: Database, rules: Sequence[Rule], wish: Wish) -> Plan:
    with database.read() as connection:
        origins = rule_imports.origins(connection)
        foreign = {id_ for id_, origin in origins.items() if origin != wish.origin}
        known = rule_imports.every(connection, wish.origin)
        plan = importing.plan(rules, known, origin=wish.origin, taken=foreign)
        if not wish.prune or wish.force:
            return plan
        firing = rule_imports.firing(connection, [rule.id for rule in plan.removed])
    reasons = importing.guard(plan.removed, rules=len(origins), firing=firing)
    if reasons:
        raise ImportRefusedError("the import would remove too much, so nothing was changed", reasons=reasons)
    return plan


def _write(database: Database, plan: Plan, wish: Wish, progress: Callable[[int, int], None]) -> None:
    steps = list(_steps(plan, prune=wish.prune))
    total, done = sum(len(step.rules) for step in steps), 0
    progress(done, total)
    for together in [[step] for step in steps] if database.is_sqlite else [steps]:
        with database.write(author=wish.author) as connection:
            rule_imports.take_turn(connection)
            for step in together:
                step.take(connection, wish.origin)
                done += len(step.rules)
                progress(done, total)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """At most 500 rules to store, or to remove; `before` has the versions they were seen at."""

    rules: list[Rule]
    before: Mapping[str, int]
    removes: bool = False

    def take(self, connection: Connection, origin: str) -> None:
        for id_, (owner, version) in rule_imports.standing(connection, [rule.id for rule in self.rules]).items():
            if owner != origin or self.before.get(id_, version) != version:
                raise _ChangedMeanwhileError
        if self.removes:
            rule_imports.delete_all(connection, [rule.id for rule in self.rules])
        else:
            rule_imports.put_all(connection, self.rules)


def _steps(plan: Plan, *, prune: bool) -> Iterator[_Step]:
    """Rules before removals, so that a rule which moved is never missing."""
    before = {change.before.id: change.before.version for change in plan.changed}
    for some in rule_imports.batches([*plan.added, *(change.after for change in plan.changed)]):
        yield _Step(rules=some, before=before)
    for some in rule_imports.batches(plan.removed if prune else ()):
        yield _Step(rules=some, before={rule.id: rule.version for rule in some}, removes=True)


def _is_error(flaw: Flaw) -> bool:
    return flaw.problem.severity is Severity.ERROR


def text_of(file: Path) -> str | Flaw:
    """The file's text, or why there is none."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except OSError as error:
        return _unread(file, f"cannot be read: {(error.strerror or str(error)).lower()}")
    if len(content) > LARGEST:
        return _unread(file, f"is larger than {LARGEST >> 20} MiB; make several files of it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _unread(file, f"is no UTF-8 at byte {error.start}")


def _unread(file: Path, message: str) -> Flaw:
    problem = Problem(severity=Severity.ERROR, field="", message=message)
    return Flaw(file=str(file), line=1, column=1, problem=problem)
