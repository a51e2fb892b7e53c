"""Bring Alertmanager's configuration file into the database: read, compare, ask whether that may be, write as one.

The file comes with its template files: the definitions that a receiver's texts call are put into those texts, so that a
channel stands for itself. All of an import is one transaction, and becomes one configuration.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from engine.core import importing_configuration
from engine.core.importing import Why
from engine.core.importing_configuration import Plan, Standing
from engine.delivery import custody
from engine.importing import ATTEMPTS, ImportRefusedError, text_of
from engine.store import configuration_imports
from engine.store.database import Database
from rules import routing
from rules.channels import Channel
from rules.errors import RouteError
from rules.formats import alertmanager_export, alertmanager_templates, alertmanager_yaml
from rules.formats.alertmanager_form import SECRET
from rules.formats.alertmanager_yaml import AlertmanagerFile
from rules.formats.reading import Flaw
from rules.inhibition import InhibitRule
from rules.routing import Tree
from rules.time_intervals import TimeInterval

ORIGIN: Final = "import:alertmanager:"
OWN_ORIGIN: Final = f"{ORIGIN}file"
AUTHOR: Final = "TOCSIN_ALERTMANAGER_FILE"
"""Who the record of changes names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the file is imported: under which origin and author, whatever it replaces, and whether anything is written."""

    origin: str
    author: str
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an import did, or would do, and what it warns of."""

    plan: Plan
    warnings: tuple[Flaw, ...] = ()


class _ChangedMeanwhileError(Exception):
    """Somebody else has written one of the definitions since the import was worked out."""


def bring_in(
    database: Database,
    file: Path,
    wish: Wish,
    environment: Mapping[str, str],
    hear: Callable[[Plan], None] = lambda _plan: None,
) -> Brought:
    """Make the definitions of this origin those of the file. Raises ImportRefusedError, and then nothing is changed.

    `environment` has the keys that secrets in the file are sealed with. `hear` is told what is about to be done.
    """
    text = text_of(file)
    if isinstance(text, Flaw):
        raise ImportRefusedError("the file cannot be read, so nothing was changed", flaws=(text,))
    for _ in range(ATTEMPTS):
        with database.read() as connection:
            standing = configuration_imports.standing(connection)
        declared = read(text, file, taken=importing_configuration.taken(standing, wish.origin))
        plan = _worked_out(declared, standing, wish, environment)
        hear(plan)
        if not (wish.dry_run or plan.is_empty):
            try:
                _write(database, plan, standing, wish)
            except _ChangedMeanwhileError:
                continue
        return Brought(plan=replace(plan, notes=(*plan.notes, *_in_clear(plan, environment))), warnings=declared.flaws)
    raise ImportRefusedError(f"somebody keeps changing the configuration of {wish.origin}; run the import again")


def read(text: str, file: Path, *, taken: frozenset[str] = frozenset()) -> AlertmanagerFile:
    """What the file declares. Raises ImportRefusedError with all its mistakes."""
    found = alertmanager_yaml.parse(text, str(file), taken=taken)
    if not found.errors:
        found = _with_templates(found, file)
    if found.errors:
        raise ImportRefusedError("the file has mistakes, so nothing was changed", flaws=found.flaws)
    return found


def _with_templates(found: AlertmanagerFile, file: Path) -> AlertmanagerFile:
    """The channels with the definitions their texts call; paths are meant from where the file is."""
    paths = [Path(name) for pattern in found.templates for name in sorted(glob.glob(str(file.parent / pattern)))]  # noqa: PTH207
    texts = {str(path): text_of(path) for path in dict.fromkeys(paths)}
    unread = tuple(text for text in texts.values() if isinstance(text, Flaw))
    readable = {name: text for name, text in texts.items() if isinstance(text, str)}
    channels, flaws = alertmanager_templates.completed(found.channels, readable, str(file))
    return replace(found, channels=channels, flaws=(*found.flaws, *unread, *flaws))


def _worked_out(declared: AlertmanagerFile, standing: Standing, wish: Wish, environment: Mapping[str, str]) -> Plan:
    def keep(channel: Channel, before: Channel | None) -> Channel:
        return custody.channel_as_kept(channel, before, environment)

    plan = importing_configuration.plan(declared, standing, origin=wish.origin, keep=keep)
    orphaned = tuple(reason for reason in plan.reasons if reason.why is Why.ORPHANED)
    if orphaned:
        raise ImportRefusedError(f"move what hangs below it first, nothing was changed: {orphaned[0]}")
    if plan.reasons and not wish.force:
        raise ImportRefusedError(
            "the import would replace what is not its own, so nothing was changed", reasons=plan.reasons
        )
    return plan


def _in_clear(plan: Plan, environment: Mapping[str, str]) -> Iterator[str]:
    """How many secrets of the file stand in the database as they are, and what helps."""
    made = [change.after for change in (*plan.added, *plan.changed) if isinstance(change.after, Channel)]
    found = [warning for channel in made for warning in custody.channel_warnings(channel, environment)]
    if found:
        some = ", ".join(channel.name for channel in made if custody.channel_warnings(channel, environment))
        yield f"secrets of {some}: {found[0].message}"


def _write(database: Database, plan: Plan, seen: Standing, wish: Wish) -> None:
    try:
        with database.write(author=wish.author) as connection:
            configuration_imports.hold(connection)
            if configuration_imports.standing(connection) != seen:
                raise _ChangedMeanwhileError
            configuration_imports.write(connection, plan)
    except RouteError as error:
        raise ImportRefusedError(
            f"with the routes of others there is no tree, so nothing was changed: {error.message}"
        ) from error


def written(database: Database, environment: Mapping[str, str] | None) -> str:
    """What stands in the database as Alertmanager's file. `environment` has the keys of secrets; without it none is shown."""
    with database.read() as connection:
        standing = configuration_imports.standing(connection)
        own = configuration_imports.rules_with_channels(connection)
    stands = _Stands(
        channels={channel.name: _opened(channel, environment) for channel in standing.channels},
        tree=routing.build(standing.routes),
        inhibit_rules=tuple(standing.inhibit_rules),
        time_intervals={interval.name: interval for interval in standing.time_intervals},
    )
    return alertmanager_export.export(stands, _hidden if environment is None else str, own)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stands:
    """What stands, as the export asks for it."""

    channels: Mapping[str, Channel]
    tree: Tree
    inhibit_rules: tuple[InhibitRule, ...]
    time_intervals: Mapping[str, TimeInterval]


def _opened(channel: Channel, environment: Mapping[str, str] | None) -> Channel:
    """The channel with its sealed secrets in clear; one that no key opens is not there."""
    if environment is None:
        return channel
    return custody.with_channel_texts(channel, lambda _name, text: custody.in_clear(text, environment) or "")


def _hidden(_secret: str) -> str:
    return SECRET
