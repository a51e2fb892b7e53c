"""The help: every noun is in it, and it waits for nothing that only a command needs."""

from __future__ import annotations

import subprocess
import sys

from api.commands.groups import ABOUT
from api.commands.nouns import NOUNS
from tests.api.commands.asking import tocsin
from tests.architecture.sources import ROOT


def test_every_noun_is_in_the_help() -> None:
    assert list(ABOUT) == list(NOUNS)
    lines = tocsin("--help").out.splitlines()
    assert [name for name in NOUNS if not any(line.startswith(f"│ {name} ") for line in lines)] == []


def test_the_commands_of_a_noun_are_in_its_help() -> None:
    shown = tocsin("rules", "--help").out
    names = [
        line.split()[1]
        for line in shown.partition("Commands")[2].splitlines()
        if line.startswith("│ ") and line[2] != " "
    ]
    assert names == ["list", "get", "apply", "delete", "patch", "evaluate", "versions", "restore"]


def test_the_help_waits_for_no_client_and_makes_no_command() -> None:
    program = (
        "import sys; from typer.main import get_command; import api.cli; get_command(api.cli.app);"
        "print({'requests', 'yaml', 'rich.table', 'api.commands.rules', 'api.commands.connection'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
