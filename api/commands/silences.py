"""`tocsin silences`: ask for quiet over some labels, see what that covers, and end it."""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.commands import definitions, matching, options, words
from api.commands.failures import UsageError
from api.commands.nouns import ALERT, SILENCE, Fields
from api.commands.output import Format, note, say, show, show_list, warn

if TYPE_CHECKING:
    from api.commands.connection import Connection

app = typer.Typer()


class State(StrEnum):
    """Where a silence stands."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


_SHORTENED: Final = re.compile("[0-9a-f]{4,31}")
KEPT = ("matchers", "comment", "created_by", "time_intervals", "until_resolved", "force", "team")
"""What an update leaves as it is."""

Comment = Annotated[str, typer.Option("--comment", "-c", help="Why; others will read it.")]
MaybeDuration = Annotated[
    str | None,
    typer.Option("--duration", "-d", help="For how long, such as 30m or 2h.  [default: 1h]", show_default=False),
]
During = Annotated[
    list[str] | None,
    typer.Option("--during", metavar="INTERVAL", help="Only while this time interval is on; may be given again."),
]
UntilResolved = Annotated[
    bool,
    typer.Option("--until-resolved", help="Until the alerts it covers now have resolved; the duration is the most."),
]
Force = Annotated[bool, typer.Option("--force", help="Also when it covers nearly everything.")]
Author = Annotated[str, typer.Option("--author", "-a", help="Who asks for it; by default whose key it is.")]


@app.command("list")
def list_all(
    states: Annotated[
        list[State] | None,
        typer.Option(
            "--state", help="Only these; may be given again.  [default: pending and active]", show_default=False
        ),
    ] = None,
    output: options.Output = Format.TABLE,
    limit: options.Limit = None,
    url: options.Url = None,
) -> None:
    """Silences that are in force or will be; with --state expired those that were."""
    from api.commands.connection import connect

    wanted = [state.value for state in states or (State.PENDING, State.ACTIVE)]
    found = (one for one in connect(url).items(SILENCE.path, warn=warn) if one.get("state") in wanted)
    show_list(islice(found, limit), SILENCE.columns, output, nothing=f"no silences that are {' or '.join(wanted)}")


@app.command()
def get(key: options.Key, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """One silence."""
    from api.commands.connection import connect

    definitions.show_one(SILENCE.path, whole(connect(url), key), output, url=url)


@app.command()
def add(
    matchers: options.Matchers,
    duration: MaybeDuration = None,
    comment: Comment = "",
    author: Author = "",
    *,
    starts_at: Annotated[str, typer.Option("--starts-at", help="An RFC 3339 time; now by default.")] = "",
    during: During = None,
    until_resolved: UntilResolved = False,
    force: Force = False,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Ask for quiet over the alerts that all matchers match."""
    from api.commands.connection import connect

    optional: Fields = {
        "comment": comment,
        "created_by": author,
        "starts_at": starts_at,
        "time_intervals": during,
        "duration": lasting(duration, until_resolved=until_resolved),
        "until_resolved": until_resolved,
        "force": force,
    }
    given = {name: value for name, value in optional.items() if value}
    wish = {"matchers": matching.parsed(matchers), **given}
    parameters = (("dry_run", "true"),) if dry_run else ()
    show_silence(connect(url).call("POST", SILENCE.path, wish, parameters=parameters).body, output)


@app.command()
def update(
    key: options.Key,
    duration: MaybeDuration = None,
    comment: Annotated[str | None, typer.Option("--comment", "-c", help="Another comment.")] = None,
    ends_at: Annotated[str | None, typer.Option("--ends-at", help="Another end, an RFC 3339 time.")] = None,
    *,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Let a silence last --duration from its beginning, or until --ends-at. One that is over is asked for anew, from now on."""
    from api.commands.connection import connect, segment

    engine = connect(url)
    path = f"{SILENCE.path}/{segment(whole(engine, key))}"
    standing = engine.get(path)
    kept = {name: standing[name] for name in KEPT}
    if standing["state"] != State.EXPIRED:
        kept["starts_at"] = standing["starts_at"]
    end = {"duration": duration} if duration else {"ends_at": ends_at or standing["ends_at"]}
    wish = {**kept, **end, **({} if comment is None else {"comment": comment})}
    parameters = (("dry_run", "true"),) if dry_run else ()
    show_silence(engine.call("PUT", path, wish, parameters=parameters).body, output)


@app.command()
def expire(
    keys: options.Keys,
    *,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """End silences now; they stay on record."""
    from api.commands.connection import connect

    ids = [whole(connect(url), key) for key in keys]
    # A silence can be asked for again, so nobody is asked twice.
    definitions.delete_all(SILENCE, SILENCE.path, ids, output, yes=True, dry_run=dry_run, url=url, done="expired")


@app.command()
def preview(matchers: options.Matchers, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """The alerts that a silence with these matchers would cover now. Nothing is stored."""
    from api.commands.connection import connect

    answer = connect(url).call("POST", f"{SILENCE.path}/preview", {"matchers": matching.parsed(matchers)}).body

    def people() -> None:
        alerts, count = answer["alerts"], answer["matched_alerts"]
        say(f"covers {count} {'alert' if count == 1 else 'alerts'} now")
        if alerts:
            show_list(alerts, ALERT.columns, Format.TABLE, nothing="")
        if answer.get("warning"):
            note(f"warning: {words.printable(str(answer['warning']))}")

    show(answer, output, people)


def whole(engine: Connection, key: str) -> str:
    """The id of the one silence that begins so, as people copy it from a list of alerts; else the key as it is."""
    if not _SHORTENED.fullmatch(key):
        return key
    found = sorted(str(one["id"]) for one in engine.items(SILENCE.path) if str(one["id"]).startswith(key))
    if key in found or not found:
        return key
    if len(found) > 1:
        raise UsageError(f"{len(found)} silences begin with {key!r}: {', '.join(found[:3])}; write more of it")
    return found[0]


def lasting(duration: str | None, *, until_resolved: bool) -> str | None:
    """The duration to ask for: an hour where none is given, and none where the alerts say when it ends."""
    return duration or (None if until_resolved else "1h")


def show_silence(answer: Fields, output: Format) -> None:
    """A silence made, or as it would be made."""
    result: Any = answer.get("result") if answer.get("dry_run") else answer
    silence: Fields = result if isinstance(result, dict) else {}

    show(answer, output, lambda: _tell(silence, made=not answer.get("dry_run")))


def _tell(silence: Fields, *, made: bool) -> None:
    count = silence.get("matched_alerts")
    covers = f"silence {words.plain(silence.get('id'))} covers" if made else "silence would cover"
    say(f"{covers} {count} {'alert' if count == 1 else 'alerts'} now, {_extent(silence)}")
    if silence.get("replaces"):
        note(f"this is a silence of its own: {words.plain(silence['replaces'])} was ended")
    if silence.get("note") and count:
        note(words.printable(str(silence["note"])))


def _extent(silence: Fields) -> str:
    """For how long, in words."""
    end = f"until {words.plain(silence.get('ends_at'))}"
    if silence.get("until_resolved"):
        end = f"until they have resolved, {words.plain(silence.get('ends_at'))} at the latest"
    intervals = silence.get("time_intervals")
    return (
        f"{end}, within {', '.join(map(words.plain, intervals))} only"
        if isinstance(intervals, list) and intervals
        else end
    )
