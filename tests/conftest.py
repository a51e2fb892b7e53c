"""How Hypothesis runs here: never against the clock, and in CI the same examples every time; and in which order tests run.

A developer's run looks for new examples; a run of CI must not turn red for what its change did not touch. `make fuzz`
looks for many new ones. Sixty examples a property, not Hypothesis' hundred, keep a run of everything within a quarter of an hour.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

settings.register_profile("here", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("fuzz", deadline=None, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "here")


WAITING: Final = frozenset({"faults", "peers", "setup"})
"""Folders whose tests mostly wait for other processes."""
HEAVY: Final = ("timelines", "scenarios", "store", "api")
"""Folders whose files compute for long, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files that wait among those that compute, so that several processes keep the cores busy to the end.

    Those that wait are through a little earlier, and among the others what is long comes first: no process is left alone
    with a long file. The order within a file stays.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [path for path in files if _folder(path) in WAITING]
    computing = sorted((path for path in files if _folder(path) not in WAITING), key=_lightness)
    places = {path: (at + 0.5) / len(waiting) * 0.85 for at, path in enumerate(waiting)}
    places |= {path: (at + 0.5) / len(computing) for at, path in enumerate(computing)}
    items[:] = [item for path in sorted(files, key=places.__getitem__) for item in files[path]]


def _folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


def _lightness(path: Path) -> int:
    folder = _folder(path)
    return HEAVY.index(folder) if folder in HEAVY else len(HEAVY)
