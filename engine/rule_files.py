"""The rule files that `TOCSIN_RULE_FILES` names.

They are an import of their own, and the files are all there is to it: a rule that is gone from them is removed. What cannot be
read, and what would remove too much, changes nothing; the rules that stand stay in force.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from engine import importing
from engine.core.importing import Plan
from engine.importing import Imported, Wish
from engine.store.database import Database

ORIGIN: Final = f"{importing.ORIGIN}files"
AUTHOR: Final = "TOCSIN_RULE_FILES"
"""Who the record of changes names."""


class RuleFiles:
    """The files that these patterns name now, and the way from them into the database."""

    def __init__(self, database: Database, patterns: Sequence[str]) -> None:
        self.database = database
        self._patterns = tuple(patterns)

    @property
    def is_used(self) -> bool:
        """Whether any files are named at all."""
        return bool(self._patterns)

    def reload(self, *, force: bool = False) -> Imported:
        """Make the rules those of the files. Raises ImportRefusedError, and then nothing is changed."""
        if not self.is_used:
            return Imported(plan=Plan())
        wish = Wish(origin=ORIGIN, author=AUTHOR, prune=True, force=force)
        rules, warnings = importing.read(self.files())
        return Imported(plan=importing.bring_in(self.database, rules, wish), warnings=warnings)

    def files(self) -> list[Path]:
        """Each file once, in the order of the patterns and then of the names; a name without a wildcard has to exist."""
        return list(dict.fromkeys(self._matching()))

    def _matching(self) -> Iterator[Path]:
        for pattern in self._patterns:
            if glob.has_magic(pattern):
                yield from (Path(name) for name in sorted(glob.glob(pattern)))  # noqa: PTH207 - a pattern may be absolute
            else:
                yield Path(pattern)
