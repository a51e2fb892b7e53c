"""`tocsin alerts`: what fires, who keeps it quiet, and quiet for one of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from api.commands import completion, definitions, matching, options
from api.commands.nouns import ALERT
from api.commands.output import Format
from api.commands.silences import Comment, Duration, show_silence

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
    duration: Duration = "1h",
    comment: Comment = "",
    *,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Silence exactly this alert's labels, from now on for a while."""
    from api.commands.connection import connect, segment

    wish = {"duration": duration, **({"comment": comment} if comment else {})}
    parameters = (("dry_run", "true"),) if dry_run else ()
    path = f"{ALERT.path}/{segment(fingerprint)}/silence"
    show_silence(connect(url).call("POST", path, wish, parameters=parameters).body, output)
