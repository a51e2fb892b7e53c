"""`make mutants`: breaks the code on purpose, one break at a time, and names the tests that notice.

Arguments are parts of breaks' names; without any, all are tried. Fails when a break is noticed by nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.breaks import BREAKS
from tests.mutants.trying import ROOT, STAGES, broken, tried


def main(wanted: list[str]) -> int:
    chosen = [one for one in BREAKS if not wanted or any(part in one.name for part in wanted)]
    survivors = []
    with tempfile.TemporaryDirectory(prefix="tocsin-mutants-") as name:
        folder = Path(name)
        _copy(folder)
        for one in chosen:
            with broken(folder, one):
                found = [tried(folder, stage, tests) for stage, tests in STAGES]
            print(f"{one.name}")
            for caught in found:
                print(f"    {caught.stage}: {caught.by or 'nothing noticed'} ({caught.seconds:.0f} s)", flush=True)
            if not any(caught.by for caught in found):
                survivors.append(one.name)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} breaks are noticed")
    for name in survivors:
        print(f"nothing notices: {name}")
    return 1 if survivors else 0


def _copy(folder: Path) -> None:
    """What git knows of the project, as it stands on the disk."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for path in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
