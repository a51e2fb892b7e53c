"""`tocsin plan`: which rules share which query, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from api.commands import failures, options
from api.commands.output import Format

_SHOWN = 8
_LONGEST = 200

Whole = Annotated[bool, typer.Option("--whole", help="Show queries and lists of rules in full.")]


def plan(*, whole: Whole = False, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """Which rules share which query, and why the others do not."""
    from api.commands.connection import connect
    from api.commands.output import show

    with failures.told():
        answer: Mapping[str, Any] = connect(url).get("/plan")
        show(answer, output, lambda: _tell(answer, whole=whole))


def _tell(answer: Mapping[str, Any], *, whole: bool) -> None:
    """The sums, then each query with its rules."""
    from api.commands.output import say
    from api.commands.words import printable

    say(
        f"{answer['rules']} rules are answered by {answer['requests']} requests, {len(answer['queries'])} queries in all."
    )
    for one in answer["queries"]:
        batch = "" if one["batch"] is None else f", in batch {one['batch']}"
        count = len(one["rules"])
        say(f"\n{one['means']:<6} {count} rule{'' if count == 1 else 's'} in {printable(one['unit'])}{batch}")
        say(f"       {_clipped(printable(' '.join(one['query'].split())), whole=whole)}")
        rules = one["rules"] if whole else one["rules"][:_SHOWN]
        more = count - len(rules)
        say(f"       rules: {printable(' '.join(rules))}{f' and {more} more' if more else ''}")
        if one["why"]:
            say(f"       alone: {printable(one['why'])}")


def _clipped(text: str, *, whole: bool) -> str:
    return text if whole or len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
