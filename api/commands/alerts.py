"""`tocsin alerts`: what fires, who keeps it quiet, and quiet for one of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from api.commands import completion, definitions, matching, options
from api.commands.nouns import ALERT
from api.commands.output import Format
from api.commands.silences import Comment, MaybeDuration, UntilResolved, lasting, show_silence

app = typer.Typer()

Fingerprint = Annotated[
    str, typer.Argument(metavar="FINGERPRINT", help="As the list shows it.", autocompletion=completion.alerts)
]


class State(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    FIRING = "firing"
    INACTIVE = "inactive"


@app.command("list")
def list_all(
    matchers: Annotated[
        list[str] | None, typer.Argument(metavar="[MATCHER]...", help='Such as team=db or instance=~"web.*".')
    ] = None,
    states: Annotated[
        list[State] | None,
        typer.Option(
            "--state", help="Only these; may be given again.  [default: pending and firing]", show_default=False
        ),
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="RULE", help="Only this rule's.", autocompletion=completion.rules)
    ] = None,
    *,
    output: options.Output = Format.TABLE,
    limit: options.Limit = None,
    url: options.Url = None,
) -> None:
    """Alerts that all matchers match."""
    wanted = [("filter", matching.spelt(text)) for text in matchers or ()]
    wanted += [("state", state.value) for state in states or ()]
    wanted += [("rule_id", rule)] if rule else []
    definitions.show_all(ALERT, ALERT.path, output, parameters=wanted, limit=limit, url=url)


@app.command()
def get(fingerprint: Fingerprint, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """One alert."""
    definitions.show_one(ALERT.path, fingerprint, output, url=url)


@app.command()
def silence(
    fingerprint: Fingerprint,
    duration: MaybeDuration = None,
    comment: Comment = "",
    *,
    until_resolved: UntilResolved = False,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Silence exactly this alert's labels, from now on for a while, or until it has resolved."""
    from api.commands.connection import connect, segment

    lasts = lasting(duration, until_resolved=until_resolved)
    optional = {"duration": lasts, "comment": comment, "until_resolved": until_resolved}
    wish = {name: value for name, value in optional.items() if value}
    parameters = (("dry_run", "true"),) if dry_run else ()
    path = f"{ALERT.path}/{segment(fingerprint)}/silence"
    show_silence(connect(url).call("POST", path, wish, parameters=parameters).body, output)
