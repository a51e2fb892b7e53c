"""What every declared noun has: list, get, apply and delete."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import typer

from api.commands import options
from api.commands.nouns import Noun
from api.commands.output import Format

Action = Callable[..., None]


def commands(noun: Noun, *, instead: Mapping[str, Action] | None = None) -> typer.Typer:
    """The noun's group of commands; `instead` are those it has in a way of its own."""
    app = typer.Typer()
    for name, (action, about) in (_actions(noun) | {k: (v, None) for k, v in (instead or {}).items()}).items():
        app.command(name, help=about)(action)
    return app


def _actions(noun: Noun) -> dict[str, tuple[Action, str | None]]:
    """What can be done with every noun, with what the help says of it, in the help's order."""

    def list_all(output: options.Output = Format.TABLE, limit: options.Limit = None, url: options.Url = None) -> None:
        show_all(noun, noun.path, output, limit=limit, url=url)

    def get(key: options.Key, output: options.Output = Format.TABLE, url: options.Url = None) -> None:
        show_one(noun.path, key, output, url=url)

    def apply(
        file: options.Files,
        dry_run: options.DryRun = False,
        output: options.Output = Format.TABLE,
        url: options.Url = None,
    ) -> None:
        apply_files(noun, noun.path, file, output, dry_run=dry_run, url=url)

    def delete(
        keys: options.Keys,
        yes: options.Yes = False,
        dry_run: options.DryRun = False,
        output: options.Output = Format.TABLE,
        url: options.Url = None,
    ) -> None:
        delete_all(noun, noun.path, keys, output, yes=yes, dry_run=dry_run, url=url)

    return {
        "list": (list_all, f"All {noun.plural}."),
        "get": (get, f"One {noun.word}."),
        "apply": (apply, f"Declare the {noun.plural} in files: each replaces the one of its {noun.key}, or is new."),
        "delete": (delete, f"Delete {noun.plural}."),
    }


def show_all(
    noun: Noun,
    path: str,
    output: Format,
    *,
    parameters: Sequence[tuple[str, str]] = (),
    limit: int | None,
    url: str | None,
) -> None:
    """The list at the path, in the noun's columns."""
    from api.commands.connection import connect
    from api.commands.output import show_list, warn

    items = connect(url).items(path, parameters, limit=limit, warn=warn)
    show_list(items, noun.columns, output, nothing=f"no {noun.plural}")


def show_one(path: str, key: str, output: Format, *, url: str | None) -> None:
    """The object with this key below the path."""
    from api.commands.connection import connect, segment

    show_answer(connect(url).get(f"{path}/{segment(key)}"), output)


def show_answer(answer: Mapping[str, object], output: Format) -> None:
    """One object as it was answered; field by field for people."""
    from api.commands.output import show, show_fields

    show(answer, output, lambda: show_fields(answer))


def apply_files(noun: Noun, path: str, files: Sequence[str], output: Format, *, dry_run: bool, url: str | None) -> None:
    """Declare every object in the files below the path; exit 1 when one was refused."""
    from api.commands import applying, documents
    from api.commands.connection import connect

    objects = documents.read(files)
    report = applying.Report(noun=noun, output=output)
    try:
        applying.declare(connect(url), noun, path, objects, dry_run=dry_run, report=report)
    finally:
        status = report.close()
    raise typer.Exit(status)


def delete_all(
    noun: Noun,
    path: str,
    keys: Sequence[str],
    output: Format,
    *,
    yes: bool,
    dry_run: bool,
    url: str | None,
    done: str = "deleted",
) -> None:
    """Delete what has these keys below the path, after asking on a terminal; exit 1 when one was refused."""
    from api.commands import applying
    from api.commands.connection import connect, segment

    paths = {key: f"{path}/{segment(key)}" for key in keys}
    if not (yes or dry_run) and sys.stdin.isatty():
        what = noun.word if len(paths) == 1 else f"these {len(paths)} {noun.plural}"
        typer.confirm(f"Delete {what} {', '.join(paths)}?", abort=True, err=True)
    report = applying.Report(noun=noun, output=output)
    try:
        applying.remove(connect(url), paths, done=done, dry_run=dry_run, report=report)
    finally:
        status = report.close()
    raise typer.Exit(status)
