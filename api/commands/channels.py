"""`tocsin channels`: where notifications go, and whether a message gets there."""

from __future__ import annotations

import typer

from api.commands import options, words
from api.commands.definitions import commands
from api.commands.failures import FAILED
from api.commands.nouns import CHANNEL
from api.commands.output import Format, say, show

app = commands(CHANNEL)


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
