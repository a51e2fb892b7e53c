"""`tocsin channels`: where notifications go, and whether a message gets there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands import options, words
from api.commands.definitions import commands
from api.commands.failures import FAILED, UsageError
from api.commands.nouns import CHANNEL
from api.commands.output import Format, note, say, show

app = commands(CHANNEL)

Alert = Annotated[
    str | None,
    typer.Option("--alert", metavar="FINGERPRINT", help="A live alert, with its group.  [default: an example]"),
]
Resolved = Annotated[bool, typer.Option("--resolved", help="The message of its end.")]
Templates = Annotated[
    list[str],
    typer.Option("--template", metavar="PART=TEXT", help="Try this template; PART=@FILE reads it. May be given again."),
]


@app.command("test")
def send_test(key: options.Key, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """Send a message that says it is a test; exit 1 when it did not arrive."""
    from api.commands.connection import WORK_WITHIN, connect, segment

    answer = connect(url).call("POST", f"{CHANNEL.path}/{segment(key)}/test", within=WORK_WITHIN).body
    delivered = answer.get("delivered") is True
    said = "delivered" if delivered else f"not delivered ({words.plain(answer.get('outcome'))})"
    detail = f": {words.plain(answer['detail'])}" if answer.get("detail") else ""
    show(answer, output, lambda: say(f"channel {words.printable(key)}: {said}{detail}"))
    raise typer.Exit(0 if delivered else FAILED)


@app.command("preview")
def preview(
    key: options.Key,
    alert: Alert = None,
    *,
    resolved: Resolved = False,
    template: Templates = [],  # noqa: B006 - typer's way to say that it may be given again
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Show what a channel would be sent of a live alert, or of an example; nothing is sent. Exit 1 when a template fails."""
    from api.commands.connection import connect, segment

    body: dict[str, object] = {"resolved": resolved}
    if alert is not None:
        body["fingerprint"] = alert
    if template:
        body["templates"] = dict(_part(text) for text in template)
    answer = connect(url).call("POST", f"{CHANNEL.path}/{segment(key)}/preview", body).body
    show(answer, output, lambda: say("\n".join(map(words.printable, answer["text"].split("\n")))))
    for problem in answer["problems"]:
        note(f"tocsin: {words.printable(problem)}")
    raise typer.Exit(FAILED if answer["problems"] else 0)


def _part(text: str) -> tuple[str, str]:
    """The part and the template of `part=text`. Raises UsageError."""
    name, equals, template = text.partition("=")
    if not name or not equals:
        raise UsageError(f"--template wants PART=TEXT or PART=@FILE, such as title=@title.tmpl, not {text!r}")
    if not template.startswith("@"):
        return name, template
    try:
        return name, Path(template[1:]).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"--template {name}: {template[1:]} cannot be read: {error}") from error
