"""`tocsin notifications`: who was told what, and how each attempt came out."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands import completion, definitions, options
from api.commands.nouns import NOTIFICATION
from api.commands.output import Format

app = typer.Typer()


@app.command("list")
def list_all(
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", help="Only those about this alert.", autocompletion=completion.alerts),
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", help="Only those to this channel.", autocompletion=completion.channels)
    ] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", help="Only those that came out so.")] = None,
    *,
    output: options.Output = Format.TABLE,
    limit: options.Limit = None,
    url: options.Url = None,
) -> None:
    """Notifications, and what came of each attempt."""
    wanted = {"fingerprint": fingerprint, "channel": channel, "outcome": outcome}
    given = [(name, value) for name, value in wanted.items() if value]
    definitions.show_all(NOTIFICATION, NOTIFICATION.path, output, parameters=given, limit=limit, url=url)
