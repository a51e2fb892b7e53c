"""`tocsin explain`: why somebody was told of an alert, or was not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any

import typer

from api.commands import completion, failures, options
from api.commands.failures import UsageError
from api.commands.output import Format

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")

Asked = Annotated[
    list[str],
    typer.Argument(
        metavar="FINGERPRINT|NAME [KEY=VALUE]...",
        help="An alert as the list shows it, or its alertname and the labels that tell it from others.",
        autocompletion=completion.alerts,
    ),
]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="As of then, RFC 3339; for a fingerprint only.")]


def explain(asked: Asked, at: At = None, *, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """Why somebody was told of an alert, or was not: the whole story, and what happens next."""
    from api.commands.output import show

    with failures.told():
        answer = _answer(asked, at, url)
        show(answer, output, lambda: _tell(answer))


def _answer(asked: Sequence[str], at: str | None, url: str | None) -> Mapping[str, Any]:
    from api.commands.connection import connect, segment

    if len(asked) == 1 and _FINGERPRINT.fullmatch(asked[0]):
        parameters = () if at is None else (("at", at),)
        story: Mapping[str, Any] = connect(url).get(f"/alerts/{segment(asked[0])}/explain", parameters)
        return story
    if at is not None:
        raise UsageError("--at needs the alert's fingerprint, as tocsin alerts list shows it")
    body: Mapping[str, Any] = connect(url).call("POST", "/explain", {"labels": labels(asked)}).body
    return body


def labels(asked: Sequence[str]) -> dict[str, str]:
    """The labels that a name and `key=value` texts mean. Raises UsageError."""
    from api.commands import matching

    bare = [text for text in asked if "=" not in text]
    return matching.labels(f"alertname={text}" if text in bare else text for text in asked)


def _tell(answer: Mapping[str, Any]) -> None:
    """The verdict and its sentence, then the story line by line, then what is next."""
    from api.commands.output import say
    from api.commands.words import printable

    say(f"{answer['verdict'].upper().replace('_', ' ')}: {printable(answer['summary'])}")
    say("")
    for at, kind, reason in _lines(answer["steps"]):
        say(f"{_clock(at)}  {kind:<10}  {printable(reason)}")
    coming = answer["next"]
    if coming is not None:
        when = f"{_clock(coming['at'])}  " if coming["at"] else ""
        say(f"\nnext: {when}{printable(coming['action'])}")


def _lines(steps: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Moment, kind and sentence of each step; routes that one after the other were not tried share a line."""
    for untried, run in groupby(steps, lambda step: step["detail"].get("verdict") == "not tried"):
        first, *others = run
        if untried and others:
            names = ", ".join(repr(step["subject"]["id"]) for step in (first, *others))
            yield first["at"], first["kind"], f"routes {names} not tried: {first['reason'].partition(': ')[2]}"
        else:
            yield from ((step["at"], step["kind"], step["reason"]) for step in (first, *others))


def _clock(text: str) -> str:
    """The instant to the second, as the sentences write it."""
    from api.commands.words import moment, plain

    at = moment(text)
    return plain(text) if at is None else f"{at:%Y-%m-%d %H:%M:%S}Z"
