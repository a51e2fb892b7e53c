"""The files that the environment names, in force from the start on, and read again when somebody asks.

Rule files (`TOCSIN_RULE_FILES`) and Alertmanager's configuration file (`TOCSIN_ALERTMANAGER_FILE`) are imports of their own. What
cannot be read, and what would remove too much, changes nothing in either; what stands stays in force.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from engine import alertmanager_file
from engine.alertmanager_file import Brought, Wish
from engine.core.importing_configuration import Plan
from engine.importing import ImportRefusedError
from engine.rule_files import RuleFiles
from engine.store.database import Database
from engine.store.door import OUT_OF_REACH


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What reading the files again made different: how many definitions, and what was warned of."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerFile:
    """The file that this path names, `None` for none, and the way from it into the database."""

    database: Database
    file: Path | None
    environment: Mapping[str, str]

    def reload(self, *, force: bool = False, dry_run: bool = False) -> Brought:
        """Make the configuration that of the file. Raises ImportRefusedError, and then nothing is changed."""
        if self.file is None:
            return Brought(plan=Plan())
        wish = Wish(origin=alertmanager_file.OWN_ORIGIN, author=alertmanager_file.AUTHOR, force=force, dry_run=dry_run)
        return alertmanager_file.bring_in(self.database, self.file, wish, self.environment)


class Reloading:
    """Reads all the files again; one reload at a time."""

    def __init__(self, rule_files: RuleFiles, alertmanager: AlertmanagerFile) -> None:
        self._rule_files = rule_files
        self._alertmanager = alertmanager
        self._turn = threading.Lock()
        self._asked = threading.Event()

    @property
    def is_used(self) -> bool:
        """Whether any files are named at all."""
        return self._rule_files.is_used or self._alertmanager.file is not None

    def reload(self, *, force: bool = False) -> Reloaded:
        """Make rules and configuration those of the files. Raises ImportRefusedError, and then neither is changed."""
        with self._turn:
            self._alertmanager.reload(force=force, dry_run=True)
            rules = self._rule_files.reload(force=force)
            others = self._alertmanager.reload(force=force)
        return Reloaded(
            added=len(rules.plan.added) + len(others.plan.added),
            changed=len(rules.plan.changed) + len(others.plan.changed),
            removed=len(rules.plan.removed) + len(others.plan.removed),
            unchanged=rules.plan.unchanged + others.plan.unchanged,
            warnings=(*map(str, (*rules.warnings, *others.warnings)), *others.plan.notes),
        )

    def ask(self) -> None:
        """Have them read again soon; a signal handler may call it."""
        self._asked.set()

    def tick(self) -> None:
        """Read them again if somebody asked."""
        if not self._asked.is_set():
            return
        self._asked.clear()
        try:
            self.reload_and_tell()
        except OUT_OF_REACH:
            self._asked.set()
            raise

    def reload_and_tell(self) -> None:
        """Read them again; the log tells how that went."""
        if not self.is_used:
            return
        log = structlog.get_logger("tocsin")
        try:
            done = self.reload()
        except ImportRefusedError as error:
            problems = list(error.lines())
            log.error("files not loaded, what stands stays in force", because=error.message, problems=problems)
            return
        counts = {name: getattr(done, name) for name in ("added", "changed", "removed", "unchanged")}
        log.info("files loaded", **counts, warnings=list(done.warnings))
