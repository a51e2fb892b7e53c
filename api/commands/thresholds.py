"""`tocsin thresholds`: the rows that refine a rule for some series, and which of them governs what now."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands import completion, definitions, options, words
from api.commands.failures import CommandError
from api.commands.nouns import THRESHOLD, Column, Fields, Fit
from api.commands.output import Format, note, show, show_list

app = typer.Typer()

Key = Annotated[str, typer.Argument(help="The threshold's id.", autocompletion=completion.thresholds)]
Keys = Annotated[list[str], typer.Argument(help="Ids of thresholds.", autocompletion=completion.thresholds)]


@app.command("list")
def list_all(
    rule: options.Rule,
    output: options.Output = Format.TABLE,
    limit: options.Limit = None,
    url: options.Url = None,
) -> None:
    """All thresholds of a rule."""
    definitions.show_all(THRESHOLD, _path(rule), output, limit=limit, url=url)


@app.command()
def get(rule: options.Rule, key: Key, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """One threshold of a rule."""
    definitions.show_one(_path(rule), key, output, url=url)


@app.command()
def apply(
    rule: options.Rule,
    file: options.Files,
    *,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Declare the thresholds in files for a rule: each replaces the one of its id, or is new."""
    definitions.apply_files(THRESHOLD, _path(rule), file, output, dry_run=dry_run, url=url)


@app.command()
def delete(
    rule: options.Rule,
    keys: Keys,
    yes: options.Yes = False,
    *,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Delete thresholds of a rule."""
    definitions.delete_all(THRESHOLD, _path(rule), keys, output, yes=yes, dry_run=dry_run, url=url)


LEVELS = (
    Column(title="LABELS", read=lambda row, _: words.labels(row.get("labels")), fit=Fit.WRAP),
    Column(title="VALUE", read=lambda row, _: words.plain(row.get("value"))),
    Column(title="SEVERITY", read=lambda row, _: words.plain(row.get("severity"))),
    Column(title="THRESHOLD", read=lambda row, _: words.plain(row.get("threshold"))),
    Column(title="RECOVERY", read=lambda row, _: words.plain(row.get("recovery_threshold"))),
    Column(title="ACTIVE", read=lambda row, _: words.plain(row.get("active"))),
    Column(title="BY", read=lambda row, _: words.plain(row.get("threshold_id") or "the rule"), fit=Fit.WRAP),
    Column(title="WHY", read=lambda row, _: words.plain(row.get("why")), fit=Fit.WRAP),
)


@app.command()
def effective(
    rule: options.Rule,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many series.")] = 100,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Which threshold governs each series of a rule now, at each level, and why."""
    from api.commands.connection import WORK_WITHIN, connect

    answer = connect(url).get(f"{_path(rule)}/effective", [("limit", str(limit))], within=WORK_WITHIN)
    show(answer, output, lambda: _show_effective(answer))
    if answer.get("error"):
        raise CommandError(f"rule {rule} cannot be asked now: {answer['error']}")


def _show_effective(answer: Fields) -> None:
    series = answer["series"]
    rows = [{"labels": one["labels"], "value": one["value"], **level} for one in series for level in one["levels"]]
    if rows or not answer.get("error"):
        show_list(rows, LEVELS, Format.TABLE, nothing="the rule returns no series now")
    more = answer["series_count"] - len(series)
    if more > 0:
        note(f"and {more} more series; --limit shows more of them")
    if answer.get("idle"):
        note(f"thresholds that govern nothing now: {words.plain(answer['idle'])}")


def _path(rule: str) -> str:
    from api.commands.connection import segment

    return THRESHOLD.path.format(rule=segment(rule))
