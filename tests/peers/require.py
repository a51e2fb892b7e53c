"""Whether a real peer is installed: a test that needs one is skipped loudly, and fails where peers are promised."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

POSTGRESQL = Path("/usr/lib/postgresql")
"""Debian keeps each major version's programs here, outside PATH."""


def find_binary(name: str) -> Path | None:
    """The program's path: from PATH, else from the newest PostgreSQL of Debian; `None` when it is not installed."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    installed = sorted(POSTGRESQL.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return installed[-1] if installed else None


def require_peer(*binaries: str) -> None:
    """Skips the calling test when a program is missing; under TOCSIN_REQUIRE_PEERS=1 fails it instead."""
    missing = [name for name in binaries if find_binary(name) is None]
    if not missing:
        return
    message = f"real peer missing: install {', '.join(missing)} to run this test"
    if os.environ.get("TOCSIN_REQUIRE_PEERS") == "1":
        pytest.fail(f"{message} (TOCSIN_REQUIRE_PEERS=1 forbids skipping)")
    pytest.skip(message)
