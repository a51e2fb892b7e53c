"""docs/cli.md and the commands that there are say the same, and the variables of the client are where they are looked for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from api.cli import app
from api.commands.connection import KEY, URL
from engine.settings import CLIENT, load
from tests.api.commands.asking import tocsin
from tests.architecture.sources import ROOT

DOCUMENT = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
EXAMPLES = [
    line.strip().split(" | ")[0].split(" > ")[0] for line in DOCUMENT.splitlines() if line.startswith("    tocsin ")
]


def commands(command: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that can be run, by the words that call it."""
    if not hasattr(command, "list_commands"):
        yield above
        return
    for name in command.list_commands(None):
        yield from commands(command.get_command(None, name), (*above, name))


def test_every_command_has_an_example() -> None:
    shown = [tuple(shlex.split(example)[1:]) for example in EXAMPLES]
    missing = [
        " ".join(one) for one in commands(get_command(app)) if not any(words[: len(one)] == one for words in shown)
    ]
    assert missing == []


@pytest.mark.parametrize("example", [one for one in EXAMPLES if " --install" not in one])
def test_an_example_can_be_typed_as_it_stands(example: str) -> None:
    told = tocsin(*shlex.split(example)[1:], "--help")
    assert told.status == 0, told.err


def test_every_option_of_an_example_is_known() -> None:
    unknown = []
    for example in EXAMPLES:
        words = shlex.split(example)[1:]
        named = next((one for one in commands(get_command(app)) if tuple(words[: len(one)]) == one), ())
        options = {option for parameter in _command(named).params for option in parameter.opts}
        unknown += [f"{example}: {word}" for word in words if re.match(r"--?[a-z]", word) and word not in options]
    assert unknown == []


def test_the_exit_codes_are_documented() -> None:
    table = DOCUMENT.partition("## Exit codes")[2].partition("##")[0]
    assert re.findall(r"^\| (\d) \|", table, re.MULTILINE) == ["0", "1", "2", "3"]


def test_the_variables_of_the_client_disturb_no_server_and_are_documented() -> None:
    assert set(CLIENT) == {URL, KEY}
    load({URL: "http://127.0.0.1:9099", KEY: "0123456789abcdef"})
    table = DOCUMENT.partition("| client variable |")[2].partition("\n\n")[0]
    settings = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(CLIENT)
    assert all(f"`{name}`" in settings for name in CLIENT)


def _command(words: tuple[str, ...]) -> Any:
    command: Any = get_command(app)
    for word in words:
        command = command.get_command(None, word)
    return command
