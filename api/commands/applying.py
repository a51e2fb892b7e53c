"""Declaring many objects at once: each is sent by itself, its outcome is told, and a refusal does not keep the next one back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.commands import output, words
from api.commands.connection import Answer, Connection, segment
from api.commands.failures import FAILED, RefusedError, UsageError, complain
from api.commands.nouns import Fields, Noun
from api.commands.output import Format

DRY_RUN: Final = (("dry_run", "true"),)
_DONE: Final = {"create": "created", "replace": "changed", "delete": "deleted"}


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of each object: lines as it happens, or one document at the end."""

    noun: Noun
    output: Format
    entries: list[dict[str, Any]] = field(default_factory=list)
    refused: bool = False

    def accepted(self, key: str, answer: Answer, outcome: str) -> None:
        """The object was taken, or would be."""
        body = answer.body if isinstance(answer.body, Mapping) else {}
        done = outcome_of(body, dry_run=True) if body.get("dry_run") else outcome
        self.entries.append({"key": key, "outcome": done, "answer": answer.body})
        if self.output is not Format.TABLE:
            return
        output.say(f"{self.noun.word} {words.printable(key)} {done}")
        for line in remarks(body):
            output.say(f"  {line}")

    def refusal(self, key: str, error: RefusedError) -> None:
        """The object was refused; what is wrong with it goes to stderr."""
        self.refused = True
        self.entries.append({"key": key, "outcome": "refused", "answer": error.problem})
        complain(RefusedError(error.code, {**error.problem, "detail": f"{self.noun.word} {key}: {error.lines[0]}"}))

    def close(self) -> int:
        """Write the document, if one is wanted; the exit code."""
        if self.output is not Format.TABLE:
            output.show(self.entries, self.output, lambda: None)
        return FAILED if self.refused else 0


def declare(
    connection: Connection, noun: Noun, path: str, objects: Sequence[Fields], *, dry_run: bool, report: Report
) -> None:
    """Put each object to its key, post those without one."""
    for number, one in enumerate(objects, start=1):
        key = _own_key(noun, one, number)
        named = key or f"number {number}"
        try:
            answer = _send(connection, path, key, one, dry_run=dry_run)
        except RefusedError as error:
            report.refusal(named, error)
            continue
        report.accepted(key or _key(noun, answer) or named, answer, "created" if answer.status == 201 else "applied")


def _own_key(noun: Noun, one: Fields, number: int) -> str | None:
    key = one.get(noun.key)
    if key is None or isinstance(key, str):
        return key
    raise UsageError(f"{noun.word} number {number}: {noun.key} {key!r} is no text; put it in quotes")


def remove(connection: Connection, paths: Mapping[str, str], *, done: str, dry_run: bool, report: Report) -> None:
    """Delete what stands at each of these paths, given by key."""
    for key, path in paths.items():
        try:
            answer = connection.call("DELETE", path, parameters=DRY_RUN if dry_run else ())
        except RefusedError as error:
            report.refusal(key, error)
            continue
        report.accepted(key, answer, done)


def remarks(answer: Fields) -> Iterator[str]:
    """What an answer says besides the object: differences, warnings, the first evaluation."""
    yield from differences(answer)
    yield from problems(answer.get("problems") or ())
    result = answer.get("result") if answer.get("dry_run") else answer
    if isinstance(result, Mapping):
        yield from _first(result)


def outcome_of(change: Fields, *, dry_run: bool) -> str:
    """The words for what a change does, or would do."""
    operation = str(change.get("operation"))
    if operation not in _DONE:
        return "is like that already"
    return f"would be {_DONE[operation]}" if dry_run else _DONE[operation]


def differences(change: Fields) -> Iterator[str]:
    """One line per field that differs: `threshold: 90 → 95`."""
    for one in change.get("changes") or ():
        before, after = _short(one.get("before")), _short(one.get("after"))
        if before != after:  # As when an empty text takes the place of nothing.
            yield f"{one['field']}: {before} → {after}"


def problems(found: Iterable[Fields]) -> Iterator[str]:
    """One line per warning: `warning: field: message`."""
    for problem in found:
        where = f"{problem['field']}: " if problem.get("field") else ""
        yield words.printable(f"{problem.get('severity', 'problem')}: {where}{problem.get('message', '')}")


def _first(rule: Fields) -> Iterator[str]:
    first = rule.get("first_evaluation")
    if isinstance(first, Mapping):
        yield from evaluation({**first, "first_page_after": rule.get("first_page_after")})


def evaluation(found: Fields) -> Iterator[str]:
    """What a rule returns at this moment, in a few lines."""
    if found.get("error"):
        yield words.printable(f"error: cannot be evaluated now: {found['error']}")
    else:
        samples, alerts = found.get("sample_count"), found.get("alert_count")
        yield f"returns {samples} {_many('sample', samples)} now, which make {alerts} {_many('alert', alerts)}"
    if found.get("warning"):
        yield words.printable(f"warning: {found['warning']}")
    if found.get("first_page_after"):
        yield f"its first page can go out after {found['first_page_after']}"


def _send(connection: Connection, path: str, key: str | None, body: Fields, *, dry_run: bool) -> Answer:
    parameters = DRY_RUN if dry_run else ()
    if key is None:
        return connection.call("POST", path, body, parameters=parameters)
    return connection.call("PUT", f"{path}/{segment(key)}", body, parameters=parameters)


def _key(noun: Noun, answer: Answer) -> str | None:
    body = answer.body
    result = body.get("result") if body.get("dry_run") else body
    return str(result[noun.key]) if isinstance(result, Mapping) and noun.key in result else None


def _short(value: object) -> str:
    text = words.matchers(value) if isinstance(value, list) else words.plain(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _many(word: str, count: object) -> str:
    return word if count == 1 else f"{word}s"
