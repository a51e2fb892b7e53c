"""`tocsin import` and `tocsin export`: Prometheus' rule files into the database, and the rules as such a file.

They work on the database itself, like `keys`: an import is the owner of its rules, which the API lets nobody else change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.commands import alertmanager_files, options, output, words
from api.commands.alertmanager_files import Environment, Opened
from api.commands.failures import CommandError, UsageError
from api.commands.nouns import Fields, Fit, column

if TYPE_CHECKING:
    from engine.core.importing import Plan
    from engine.importing import Imported, Wish
    from engine.store.database import Database
    from rules.formats.reading import Flaw

AUTHOR: Final = "tocsin import"
"""Who the record of changes names."""
UNTIL_BAR: Final = 1 << 20
"""Bytes of rule files up to which they are read before a bar could be."""
UNTIL_PROGRESS: Final = 500
"""Rules up to which an import is over before a bar could be read."""

_COLUMNS: Final = (
    column("WHAT", "what", Fit.WHOLE),
    column("GROUP", "group"),
    column("RULE", "name"),
    column("ID", "id", Fit.WHOLE),
    column("DETAIL", "detail"),
)

_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Rule files of Prometheus.", show_default=False)]
_Name = Annotated[
    str, typer.Option("--name", help="The import's name: it owns its rules, and touches no other import's.")
]
_Prune = Annotated[bool, typer.Option("--prune", help="Remove this import's rules that are not in the files.")]
_Force = Annotated[bool, typer.Option("--force", help="Even if that removes firing rules, or a tenth of all rules.")]
_To = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write; stdout by default.")]
_Shown = Annotated[output.Format, typer.Option("--output", "-o", help="How to write what is different.")]


def import_commands(opened: Opened, environment: Environment = dict) -> typer.Typer:
    """The commands that bring rules into the database that `opened` opens."""
    app = options.group("Bring rules and routes in from other programs' files, into the database itself.")

    @app.callback()
    def _imports() -> None:
        """Bring rules and routes in from other programs' files, into the database itself."""

    @app.command()
    def prometheus(
        files: _Files,
        name: _Name = "default",
        *,
        prune: _Prune = False,
        force: _Force = False,
        dry_run: options.DryRun = False,
        output_format: _Shown = output.Format.TABLE,
    ) -> None:
        """Make this import's rules those of the files; a rule keeps its id, and so its alerts, when it is edited."""
        from engine.importing import ORIGIN, Wish

        if not name.isprintable() or not name.strip():
            raise UsageError("--name: give the import a name of printable characters, such as shop")
        wish = Wish(origin=ORIGIN + name, author=AUTHOR, prune=prune, force=force, dry_run=dry_run)
        _import(opened, files, wish, output_format)

    alertmanager_files.add_import(app, opened, environment)
    return app


def export_commands(opened: Opened, environment: Environment = dict) -> typer.Typer:
    """The commands that write what is in the database that `opened` opens."""
    app = options.group("Write rules and routes as other programs' files, from the database itself.")

    @app.callback()
    def _exports() -> None:
        """Write rules and routes as other programs' files, from the database itself."""

    @app.command()
    def prometheus(to: _To = None) -> None:
        """Write all rules as a rule file; comments in it name what such a file cannot say."""
        with opened() as database, _written(to) as write:
            _export(database, write)

    alertmanager_files.add_export(app, opened, environment)
    return app


def _import(opened: Opened, files: list[Path], wish: Wish, shown: output.Format) -> None:
    from engine import importing

    try:
        with _progress(files) as progress:
            rules, warnings = importing.read(files)
        with opened() as database, _progress() as progress:
            plan = importing.bring_in(database, rules, wish, progress)
    except importing.ImportRefusedError as error:
        hint = ("say --force if that is meant",) if error.reasons else ()
        raise CommandError(error.message, *error.lines(), *hint) from error
    _show(importing.Imported(plan=plan, warnings=warnings), wish, shown)


def _show(done: Imported, wish: Wish, shown: output.Format) -> None:
    output.show_list(_rows(done, prune=wish.prune), _COLUMNS, shown, nothing="nothing is different")
    for flaw in done.warnings:
        output.note(words.printable(str(flaw)))
    output.note(_summary(done.plan, wish))


def _rows(done: Imported, *, prune: bool) -> Iterator[Fields]:
    from engine.core.importing import differences

    plan = done.plan
    for rule in plan.added:
        yield {"what": "added", "group": rule.group, "name": rule.name, "id": rule.id, "detail": ""}
    for change in plan.changed:
        rule = change.after
        detail = ", ".join(differences(change))
        yield {"what": "changed", "group": rule.group, "name": rule.name, "id": rule.id, "detail": detail}
    for rule in plan.removed:
        detail = "" if prune else "kept: only --prune removes it"
        yield {"what": "removed", "group": rule.group, "name": rule.name, "id": rule.id, "detail": detail}
    for flaw in done.warnings:
        if flaw.problem.field == "record":
            yield {"what": "unsupported", "group": "", "name": "", "id": "", "detail": _place(flaw)}


def _place(flaw: Flaw) -> str:
    return f"{flaw.file}:{flaw.line}: a recording rule stays in Prometheus"


def _summary(plan: Plan, wish: Wish) -> str:
    counts = f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.removed)} "
    removed = "removed" if wish.prune else "gone from the files but kept"
    would = "Nothing was changed. The import would do: " if wish.dry_run else ""
    return f"{would}{counts}{removed}, {plan.unchanged} as they were ({wish.origin})"


@contextmanager
def _progress(read: Sequence[Path] = ()) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, for an import that takes long enough to be watched; while files are read nobody knows its end."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        large = sum(file.stat().st_size for file in read if file.is_file()) > UNTIL_BAR
        task = bar.add_task("reading" if read else "writing rules", total=None, visible=large)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=total > UNTIL_PROGRESS)

        yield tell


@contextmanager
def _written(to: Path | None) -> Iterator[Callable[[str], object]]:
    if to is None:
        yield sys.stdout.write
        return
    try:
        with to.open("w", encoding="utf-8") as file:
            yield file.write
    except OSError as error:
        raise UsageError(f"{to}: {(error.strerror or str(error)).lower()}") from error


def _export(database: Database, write: Callable[[str], object]) -> None:
    from engine.store import rule_imports
    from rules.formats.prometheus_export import export

    with database.read() as connection:
        rules = list(rule_imports.every(connection))
        thresholds = rule_imports.threshold_counts(connection)
    for piece in export(rules, thresholds):
        write(piece)
