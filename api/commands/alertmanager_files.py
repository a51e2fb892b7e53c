"""`tocsin import alertmanager` and `tocsin export alertmanager`: its configuration file into the database, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.commands import options, output, words
from api.commands.failures import CommandError, UsageError
from api.commands.nouns import Fields, Fit, column

if TYPE_CHECKING:
    from engine.alertmanager_file import Brought, Wish
    from engine.core.importing_configuration import Change
    from engine.store.database import Database
    from rules.formats.reading import Flaw
    from rules.matchers import Matcher
    from rules.routing import Route

Opened = Callable[[], AbstractContextManager["Database"]]
"""Opens the migrated database that the environment names."""
Environment = Callable[[], Mapping[str, str]]
"""What references are read from, with the keys of sealed secrets."""
AUTHOR: Final = "tocsin import"
_COLUMNS: Final = (
    column("WHAT", "what", Fit.WHOLE),
    column("KIND", "kind", Fit.WHOLE),
    column("NAME", "name"),
    column("DETAIL", "detail"),
)
_File = Annotated[Path, typer.Argument(metavar="FILE", help="Alertmanager's configuration file.", show_default=False)]
_Name = Annotated[
    str, typer.Option("--name", help="The import's name: it owns what it brings in, and touches nothing else.")
]
_Force = Annotated[bool, typer.Option("--force", help="Even if that replaces a root route that somebody else owns.")]
_Shown = Annotated[output.Format, typer.Option("--output", "-o", help="How to write what is different.")]
_To = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write; stdout by default.")]
_Secrets = Annotated[
    bool,
    typer.Option(
        "--secrets", help="Write secrets as they are, for an Alertmanager to use; a new file is its owner's alone."
    ),
]


def add_import(app: typer.Typer, opened: Opened, environment: Environment) -> None:
    """Add the command that brings the file into the database that `opened` opens."""

    @app.command()
    def alertmanager(
        file: _File,
        name: _Name = "default",
        *,
        force: _Force = False,
        dry_run: options.DryRun = False,
        output_format: _Shown = output.Format.TABLE,
    ) -> None:
        """Make routes, receivers, inhibit rules and time intervals those of the file; a route keeps its id when it is edited."""
        from engine.alertmanager_file import ORIGIN, Wish, bring_in
        from engine.importing import ImportRefusedError

        if not name.isprintable() or not name.strip():
            raise UsageError("--name: give the import a name of printable characters, such as shop")
        wish = Wish(origin=ORIGIN + name, author=AUTHOR, force=force, dry_run=dry_run)
        try:
            with opened() as database:
                done = bring_in(database, file, wish, environment())
        except ImportRefusedError as error:
            hint = ("say --force if that is meant",) if error.reasons else ()
            raise CommandError(error.message, *error.lines(), *hint) from error
        _show(done, wish, output_format)


def add_export(app: typer.Typer, opened: Opened, environment: Environment) -> None:
    """Add the command that writes what is in the database that `opened` opens."""

    @app.command()
    def alertmanager(to: _To = None, *, secrets: _Secrets = False) -> None:
        """Write routes, channels, inhibit rules and time intervals as Alertmanager's file; secrets are left out."""
        from engine.alertmanager_file import written

        with opened() as database:
            text = written(database, environment() if secrets else None)
        if to is None:
            typer.echo(text, nl=False)
            return
        try:
            to.touch(mode=0o600)
            to.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{to}: {(error.strerror or str(error)).lower()}") from error


def _show(done: Brought, wish: Wish, shown: output.Format) -> None:
    output.show_list(_rows(done), _COLUMNS, shown, nothing="nothing is different")
    for flaw in (flaw for flaw in done.warnings if not _is_unsupported(flaw)):
        output.note(words.printable(str(flaw)))
    for note in done.plan.notes:
        output.note(words.printable(note))
    plan = done.plan
    would = "Nothing was changed. The import would do: " if wish.dry_run else ""
    counts = f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.removed)} removed, {plan.unchanged} as they were"
    output.note(f"{would}{counts} ({wish.origin})")


def _rows(done: Brought) -> Iterator[Fields]:
    plan = done.plan
    for what, changes in (("added", plan.added), ("changed", plan.changed), ("removed", plan.removed)):
        for change in changes:
            name, detail = _described(change)
            yield {"what": what, "kind": change.noun.value, "name": name, "detail": detail}
    for flaw in done.warnings:
        if _is_unsupported(flaw):
            place = f"{flaw.file}:{flaw.line}: {flaw.problem.message}"
            yield {"what": "unsupported", "kind": "", "name": flaw.problem.field, "detail": place}


def _described(change: Change) -> tuple[str, str]:
    """What people know the definition by, and what is said of it: where a route leads, and which fields differ."""
    from rules.inhibition import InhibitRule
    from rules.routing import Route

    one, differ = change.after or change.before, ", ".join(change.differences)
    match one:
        case Route():
            leads = _leads(one)
            return _matching(one.matchers) or one.id, f"{leads}; {differ}" if differ else leads
        case InhibitRule():
            return f"{_matching(one.source_matchers)} inhibits {_matching(one.target_matchers)}", differ
        case _:
            return change.key, differ


def _leads(route: Route) -> str:
    return f"receiver {route.receiver}" if route.receiver else "the receiver above it"


def _matching(matchers: Iterable[Matcher]) -> str:
    return " ".join(map(str, matchers))


def _is_unsupported(flaw: Flaw) -> bool:
    return "not carried over" in flaw.problem.message
