"""`tocsin rules`: declare rules, change some fields, see what they return now, and take an old version back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from api.commands import options, words
from api.commands.definitions import commands, show_all
from api.commands.failures import FAILED, UsageError
from api.commands.nouns import RULE, Column, Fields, Fit
from api.commands.output import Format, say, show, show_list


def list_all(
    name: Annotated[str | None, typer.Option("--name", help="Only those with this text in their name.")] = None,
    team: Annotated[str | None, typer.Option("--team", help="Only this team's.")] = None,
    health: Annotated[str | None, typer.Option("--health", help="Only those that do so: ok, err, unknown …")] = None,
    origin: Annotated[str | None, typer.Option("--origin", help="Only those of this owner: sql, api, import:…")] = None,
    *,
    output: options.Output = Format.TABLE,
    limit: options.Limit = None,
    url: options.Url = None,
) -> None:
    """All rules, or those that are asked for, with how they are doing."""
    wanted = {"name": name, "team": team, "health": health, "origin": origin}
    given = [(field, value) for field, value in wanted.items() if value is not None]
    show_all(RULE, RULE.path, output, parameters=given, limit=limit, url=url)


app = commands(RULE, instead={"list": list_all})


@app.command()
def patch(
    key: options.Key,
    changes: Annotated[
        list[str],
        typer.Argument(metavar="FIELD=VALUE...", help="As in threshold=95 or labels.team=db; null takes the default."),
    ],
    *,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Change some fields of a rule. A value is JSON, or else text: threshold=95, enabled=false, for=10m."""
    from api.commands import applying
    from api.commands.connection import connect, segment

    wanted = merge_patch(changes)
    parameters = applying.DRY_RUN if dry_run else ()
    answer = connect(url).call("PATCH", f"/rules/{segment(key)}", wanted, parameters=parameters)
    report = applying.Report(noun=RULE, output=output)
    report.accepted(key, answer, "changed")
    raise typer.Exit(report.close())


@app.command()
def evaluate(key: options.Key, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """What a rule returns at this moment. Nothing is stored and nobody is told."""
    from api.commands.applying import evaluation, problems
    from api.commands.connection import WORK_WITHIN, connect, segment
    from api.commands.nouns import ALERT

    answer = connect(url).call("POST", f"/rules/{segment(key)}/evaluate", within=WORK_WITHIN).body

    def people() -> None:
        for line in (*evaluation(answer), *problems(answer.get("problems") or ())):
            say(line)
        if answer.get("alerts"):
            say("")
            show_list(answer["alerts"], ALERT.columns, Format.TABLE, nothing="")

    show(answer, output, people)
    if answer.get("error"):
        raise typer.Exit(FAILED)


def _changed(version: Fields, _now: datetime) -> str:
    """What a version changed in the one before; of the first one that would be everything."""
    from api.commands.applying import differences

    return "; ".join(differences(version)) if version.get("operation") == "update" else words.NONE


VERSIONS = (
    Column(title="VERSION", read=lambda item, _: words.plain(item.get("version"))),
    Column(title="WHEN", read=lambda item, now: words.relative(item.get("at"), now)),
    Column(title="OPERATION", read=lambda item, _: words.plain(item.get("operation"))),
    Column(title="AUTHOR", read=lambda item, _: words.plain(item.get("author"))),
    Column(title="CHANGED", read=_changed, fit=Fit.WRAP),
)


@app.command()
def versions(
    key: options.Key,
    limit: options.Limit = None,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """The versions of a rule: when it was changed, and by whom."""
    from api.commands.connection import connect, segment

    items = connect(url).items(f"/rules/{segment(key)}/versions", limit=limit)
    show_list(items, VERSIONS, output, nothing="no versions")


@app.command()
def restore(
    key: options.Key,
    version: Annotated[int, typer.Option("--version", min=1, help="One of those `tocsin rules versions` lists.")],
    *,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Make a rule again what it was at a version; also one that was deleted."""
    from api.commands import applying
    from api.commands.connection import connect, segment

    parameters = applying.DRY_RUN if dry_run else ()
    path = f"/rules/{segment(key)}/restore"
    answer = connect(url).call("POST", path, {"version": version}, parameters=parameters)
    report = applying.Report(noun=RULE, output=output)
    report.accepted(key, answer, f"restored to version {version}")
    raise typer.Exit(report.close())


def merge_patch(changes: list[str]) -> dict[str, Any]:
    """The merge patch that `FIELD=VALUE` texts mean; a dot leads into an object. Raises UsageError."""
    patch: dict[str, Any] = {}
    for text in changes:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise UsageError(f"{text!r}: write FIELD=VALUE, such as threshold=95")
        *above, name = path.split(".", 1)
        place = patch.setdefault(above[0], {}) if above else patch
        if not isinstance(place, dict):
            raise UsageError(f"{text!r}: {above[0]} is given a value already")
        place[name] = _value(value)
    return patch


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
