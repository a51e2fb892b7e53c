"""The rule files that `TOCSIN_RULE_FILES` names: in force from the start on, and read again when somebody asks.

They are an import of their own, and the files are all there is to it: a rule that is gone from them is removed. What cannot be
read, and what would remove too much, changes nothing; the rules that stand stay in force.
"""

from __future__ import annotations

import glob
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog

from engine import importing
from engine.core.importing import Plan
from engine.importing import Imported, ImportRefusedError, Wish
from engine.store.database import Database
from engine.store.door import OUT_OF_REACH

ORIGIN: Final = f"{importing.ORIGIN}files"
AUTHOR: Final = "TOCSIN_RULE_FILES"
"""Who the record of changes names."""


class RuleFiles:
    """The files that these patterns name now, and the way from them into the database; one reload at a time."""

    def __init__(self, database: Database, patterns: Sequence[str]) -> None:
        self._database = database
        self._patterns = tuple(patterns)
        self._turn = threading.Lock()
        self._asked = threading.Event()

    @property
    def is_used(self) -> bool:
        """Whether any files are named at all."""
        return bool(self._patterns)

    def reload(self, *, force: bool = False) -> Imported:
        """Make the rules those of the files. Raises ImportRefusedError, and then nothing is changed."""
        if not self.is_used:
            return Imported(plan=Plan())
        wish = Wish(origin=ORIGIN, author=AUTHOR, prune=True, force=force)
        with self._turn:
            rules, warnings = importing.read(self.files())
            return Imported(plan=importing.bring_in(self._database, rules, wish), warnings=warnings)

    def files(self) -> list[Path]:
        """Each file once, in the order of the patterns and then of the names; a name without a wildcard has to exist."""
        return list(dict.fromkeys(self._matching()))

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
            log.error("rule files not loaded, what stands stays in force", because=error.message, problems=problems)
            return
        counts = {name: len(getattr(done.plan, name)) for name in ("added", "changed", "removed")}
        log.info(
            "rule files loaded", **counts, unchanged=done.plan.unchanged, warnings=[str(one) for one in done.warnings]
        )

    def _matching(self) -> Iterator[Path]:
        for pattern in self._patterns:
            if glob.has_magic(pattern):
                yield from (Path(name) for name in sorted(glob.glob(pattern)))  # noqa: PTH207 - a pattern may be absolute
            else:
                yield Path(pattern)
