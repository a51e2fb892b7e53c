"""Changes of definitions: worked out on what stands, shown or stored, and refused when what stands is no longer that.

Everything is worked out in a read of its own, before a write transaction begins, so that a writer never waits for a parser;
the version is looked at again inside it, and once more on what was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from api.problems import ApiProblem, FieldError, conflict, not_found, refused
from api.schemas.changes import Change, differences
from api.schemas.fields import Output, T, about, example_of
from api.schemas.rules import ProblemOut
from api.v1.calls import Write
from engine.store.door import Connection, holding
from rules.errors import RulesError
from rules.problems import Problem, Severity

IMPORTED: Final = "import:"
USERS_NAMED: Final = 10
"""Users of a definition that a refusal to delete it names at most; it counts them all."""
KNOWN_NAMED: Final = 100
"""Declared names that the refusal of an unknown one lists at most."""


class Definition(Protocol):
    """A value people declare; the database's triggers keep its version."""

    @property
    def version(self) -> int: ...
    @property
    def origin(self) -> str: ...


V = TypeVar("V", bound=Definition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun(Generic[V]):
    """One kind of definition: its word, its store, and its own fields as JSON without secrets.

    What only holds for all of a kind together is looked at in the transaction that writes: `begin` is called first in it,
    to keep other writers out, and `check` last, to raise RulesError when what stands then cannot be.
    """

    word: str
    get: Callable[[Connection, str], V | None]
    put: Callable[[Connection, V], V]
    delete: Callable[[Connection, str], bool]
    document: Callable[[V], dict[str, object]]
    begin: Callable[[Connection], None] = lambda _connection: None
    check: Callable[[Connection], None] = lambda _connection: None


class Operation(StrEnum):
    """What a change does to the definition."""

    CREATE = "create"
    REPLACE = "replace"
    DELETE = "delete"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(Generic[V]):
    """A change worked out: what stands (`None`: nothing), what shall stand (`None`: nothing), and its warnings."""

    noun: Noun[V]
    key: str
    before: V | None
    after: V | None
    warnings: tuple[Problem, ...] = field(default=())

    @property
    def operation(self) -> Operation:
        if self.after is None:
            return Operation.DELETE
        if self.before is None:
            return Operation.CREATE
        return Operation.NOTHING if self.after == self.before else Operation.REPLACE


def _dry_run_example(schema: dict[str, Any], model: type[BaseModel]) -> None:
    result = example_of(about(model))
    changes = [{"field": "team", "before": "", "after": "sre"}]
    shown = {"dry_run": True, "operation": "replace", "changes": changes, "problems": [], "result": result}
    schema["examples"] = [shown]


class DryRun(Output, Generic[T]):
    """What a change would do, had it been made in earnest."""

    model_config = ConfigDict(json_schema_extra=_dry_run_example)
    dry_run: bool = True
    operation: Operation
    changes: list[Change]
    problems: list[ProblemOut]
    result: T | None = None


def found(noun: Noun[V], connection: Connection, key: str) -> V:
    """The definition with this key; a 404 when there is none."""
    value = _standing(noun, connection, key)
    if value is None:
        raise not_found(noun.word, key)
    return value


def plan(
    write: Write,
    noun: Noun[V],
    key: str,
    make: Callable[[Connection, V | None], tuple[V | None, tuple[Problem, ...]]],
    *,
    must: bool | None = None,
) -> Edit[V]:
    """Work out a change: `make` turns what stands into what shall stand and its problems.

    `must` True: it has to exist (404), False: it must not yet (409). Refused with 409 are a stale If-Match and a
    definition somebody's import owns, with 422 any problem that is an error.
    """
    with write.service.database.read() as connection:
        before = _standing(noun, connection, key)
        if must is True and before is None:
            raise not_found(noun.word, key)
        if must is False and before is not None:
            raise conflict(f"{noun.word} {key!r} exists already: PUT replaces it", name="exists")
        after, problems = make(connection, before)
    edit = Edit(noun=noun, key=key, before=before, after=after, warnings=problems)
    _check_match(write, edit)
    check_owner(edit)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise refused(_told(noun, after, problem) for problem in errors)
    return edit


def commit(write: Write, edit: Edit[V]) -> V | None:
    """Store the change; what stands now. A dry run and a change of nothing store nothing."""
    if write.dry_run or edit.operation is Operation.NOTHING:
        return edit.after
    noun = edit.noun
    with write.service.database.write(author=write.author) as connection:
        noun.begin(connection)
        current = _standing(noun, holding(connection), edit.key)
        if current != edit.before:  # The version alone does not tell: what is deleted and made anew is at 1 again.
            raise _changed(edit, current)
        stored = _put(connection, edit)
        noun.check(connection)
    return stored


def _put(connection: Connection, edit: Edit[V]) -> V | None:
    if edit.after is None:
        edit.noun.delete(connection, edit.key)
        return None
    stored = edit.noun.put(connection, edit.after)
    # PostgreSQL lets another writer in between; the version its trigger made tells, and undoes this write.
    if stored.version > _version(edit.before) + 1:
        raise _changed(edit, stored)
    return stored


def answer(write: Write, edit: Edit[V], response: Response, told: T, version: int) -> T | DryRun[T]:
    """`told` with its ETag, 201 when it is new; for a dry run what would change."""
    if write.dry_run:
        return dry_run(edit, told)
    response.headers["ETag"] = etag(version)
    if edit.operation is Operation.CREATE:
        response.status_code = 201
    return told


def dry_run(edit: Edit[V], told: T | None) -> DryRun[T]:
    """What the change would do."""
    problems = ProblemOut.all_of(edit.warnings)
    return DryRun(operation=edit.operation, changes=changes(edit), problems=problems, result=told)


def changes(edit: Edit[V]) -> list[Change]:
    """The fields the change makes different."""
    return differences(_document(edit.noun, edit.before), _document(edit.noun, edit.after))


def chosen(given: str | None, word: str, instead: str) -> str:
    """The name a new definition was given; a 422 when it was given none."""
    if given is None:
        message, fix = f"a {word} needs a name", f"give one, such as {instead}"
        raise refused([FieldError(field="name", message=message, fix=fix)])
    return given


def check_key(given: str | None, key: str, field: str) -> None:
    """Refuse a body that says another id or name than the path."""
    if given not in (None, key):
        message = f"the path says {key!r}, and {'a name' if field == 'name' else 'an id'} never changes"
        raise refused([FieldError(field=field, message=message, value=given, fix="leave it out")])


def check_unused(word: str, key: str, users: Sequence[str]) -> None:
    """Refuse, with a 409 that names them, to delete what others still name."""
    if users:
        named = list(users[:USERS_NAMED])
        detail = f"{word} {key!r} is in use by {', '.join(named)}: take it out there first"
        raise conflict(detail, name="in-use", used_by=named, uses=len(users))


def unknown(field: str, names: Iterable[str], known: Collection[str], word: str) -> Iterator[Problem]:
    """An error for each of these names that nobody has declared."""
    for name in dict.fromkeys(names):
        if name not in known:
            shown = f"known are {', '.join(sorted(known)[:KNOWN_NAMED])}" if known else "none is; declare it first"
            message = f"no {word} {name!r} is declared; {shown}"
            yield Problem(severity=Severity.ERROR, field=field, message=message)


def etag(version: int) -> str:
    """The ETag of a definition's version."""
    return f'"{version}"'


def _standing(noun: Noun[V], connection: Connection, key: str) -> V | None:
    try:
        return noun.get(connection, key)
    except RulesError as error:
        detail = f"the row of {noun.word} {key!r} cannot be read: mend or delete it by SQL"
        field_error = FieldError(field=error.field or "", message=error.message)
        raise conflict(detail, field_error, name="unreadable") from error


def _check_match(write: Write, edit: Edit[V]) -> None:
    if write.if_match is None or (write.if_match.strip() == "*" and edit.before is not None):
        return
    tags = {tag.strip().removeprefix("W/") for tag in write.if_match.split(",")}
    if edit.before is None or etag(edit.before.version) not in tags:
        raise _changed(edit, edit.before, if_match=write.if_match)


def check_owner(edit: Edit[V]) -> None:
    """Refuse, with a 409, to change what somebody's import keeps."""
    if edit.before is not None and edit.before.origin.startswith(IMPORTED):
        owner = edit.before.origin
        detail = f"{edit.noun.word} {edit.key!r} is kept by {owner}: change it there, or the next import undoes this"
        raise conflict(detail, name="managed", managed_by=owner)


def _changed(edit: Edit[V], current: V | None, if_match: str | None = None) -> ApiProblem:
    """The 409 that says how what stands differs from what was to be stored."""
    theirs, ours = _document(edit.noun, current), _document(edit.noun, edit.after)
    both = [name for name in dict.fromkeys([*theirs, *ours]) if theirs.get(name) != ours.get(name)]
    difference = [{"field": name, "current": theirs.get(name), "yours": ours.get(name)} for name in both]
    stands = "does not exist" if current is None else f"is at version {current.version}"
    detail = f"{edit.noun.word} {edit.key!r} {stands}: read it again, and make your change to that"
    errors = [] if if_match is None else [FieldError(field="If-Match", message="is out of date", value=if_match)]
    return conflict(detail, *errors, name="changed", difference=difference, current_version=_version(current) or None)


def _told(noun: Noun[V], value: V | None, problem: Problem) -> FieldError:
    document: Mapping[str, object] = _document(noun, value)
    name, _, inner = problem.field.partition(".")
    given = document.get(name)
    given = given.get(inner) if inner and isinstance(given, Mapping) else given
    where = "" if problem.position is None else f" (at character {problem.position})"
    return FieldError(field=problem.field, message=f"{problem.message}{where}", value=given)


def _document(noun: Noun[V], value: V | None) -> dict[str, object]:
    return {} if value is None else noun.document(value)


def _version(value: Definition | None) -> int:
    return 0 if value is None else value.version
