"""What a shell may offer after a Tab: ids and names asked of the server, or nothing when it is away or slow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import typer

WITHIN: Final = timedelta(seconds=1)
"""Longer than this nobody wants to wait after a Tab."""
OFFERED: Final = 1000


def keys(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids or names of the noun whose command is being typed."""
    parent = ctx.parent
    return _offer(ctx, parent.info_name if parent and parent.info_name else "", incomplete)


def rules(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of rules."""
    return _offer(ctx, "rules", incomplete)


def thresholds(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the thresholds of the rule typed before."""
    return _offer(ctx, "thresholds", incomplete)


def channels(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Names of channels."""
    return _offer(ctx, "channels", incomplete)


def alerts(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Fingerprints of active alerts."""
    return _offer(ctx, "alerts", incomplete)


def _offer(ctx: typer.Context, command: str, incomplete: str) -> list[tuple[str, str]]:
    from api.commands.failures import CommandError

    try:
        return [(key, hint) for key, hint in _known(ctx, command) if key.startswith(incomplete)]
    except (CommandError, KeyError, TypeError, AttributeError):
        return []  # A shell in the middle of a line is no place for complaints; nor is an answer of another program.


def _known(ctx: typer.Context, command: str) -> Iterator[tuple[str, str]]:
    """Every key with a word about it, less those a shell would need quotes for."""
    from api.commands.connection import connect, segment
    from api.commands.nouns import NOUNS, found
    from api.commands.words import plain

    noun = NOUNS[command]
    rule = ctx.params.get("rule")
    path = noun.path.format(rule=segment(rule)) if rule and "{rule}" in noun.path else noun.path
    page = connect(ctx.params.get("url")).get(path, [("limit", str(OFFERED))], within=WITHIN)
    for item in page["items"]:
        key = str(item[noun.key])
        if not set(key) & set(" \t\n\"'\\$`&;|<>()*?[]{}!#~"):
            yield key, plain(found(item, noun.hint)) if noun.hint else ""
