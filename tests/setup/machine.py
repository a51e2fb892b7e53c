"""A machine of our making to run the set-up scripts on: only the programs named here are on its PATH."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASICS = ("sh", "cat", "cksum", "cp", "dirname", "id", "ln", "mkdir", "mv", "rm", "tr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A checkout (`checkout`) and a folder of programs (`programs`), both below one temporary folder."""

    checkout: Path
    programs: Path

    def provide(self, name: str, script: str) -> Path:
        """Puts a program on PATH, written as a shell script."""
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        program.chmod(0o755)
        return program

    def be_root(self, *, root: bool) -> None:
        """What `id` says of the user; that of the test does not matter."""
        (self.programs / "id").unlink(missing_ok=True)
        self.provide("id", f"echo {0 if root else 1000}")

    def run(self, script: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs deploy/setup/SCRIPT of the checkout."""
        return subprocess.run(
            [self.programs / "sh", f"deploy/setup/{script}", *arguments],
            cwd=self.checkout,
            env={"PATH": str(self.programs), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def fresh_machine(folder: Path) -> Machine:
    """A machine with the basics of any Debian and nothing else: no Python, no apt-get, no Prometheus."""
    machine = Machine(checkout=folder / "checkout", programs=folder / "programs")
    machine.programs.mkdir()
    for name in BASICS:
        program = shutil.which(name)
        assert program is not None, f"{name} is missing on this machine"
        (machine.programs / name).symlink_to(program)
    shutil.copytree(ROOT / "deploy/setup", machine.checkout / "deploy/setup")
    shutil.copytree(ROOT / "requirements", machine.checkout / "requirements")
    shutil.copy(ROOT / "pyproject.toml", machine.checkout)
    return machine
