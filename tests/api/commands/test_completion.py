"""Tab: in a real bash commands, options and ids are offered, and nothing at all when the server is away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.commands.asking import NOWHERE, answer, asked, page, problem, serving, tocsin
from tests.servers import Response

ROOT = Path(__file__).parents[3]
SCRIPT = """
source completion.bash
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_tocsin_completion tocsin
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the command `tocsin`, and the completion that it shows for bash."""
    command = tmp_path / "tocsin"
    lines = (
        f"#!{sys.executable}",
        f"import sys; sys.path.insert(0, {str(ROOT)!r})",
        "import tocsin_boot",
        "tocsin_boot.main()",
    )
    command.write_text("\n".join(lines))
    command.chmod(0o755)
    # The last command keeps bash from making way for the one before it, which looks for the shell it was called from.
    in_bash(tmp_path, "tocsin --show-completion > completion.bash; true")
    return tmp_path


def offered(home: Path, *words: str, url: str = NOWHERE) -> list[str]:
    """What bash offers after these words, the last of them half typed; nothing may be said besides."""
    return in_bash(home, SCRIPT, "tocsin", *words, url=url).split()


def in_bash(home: Path, script: str, *arguments: str, url: str = NOWHERE) -> str:
    """What a script says in a real bash that finds the command `tocsin`; it must end well and complain of nothing."""
    bash = shutil.which("bash")
    assert bash is not None
    variables = {"PATH": f"{home}:{os.environ['PATH']}", "TOCSIN_URL": url}
    command = (bash, "--norc", "-c", script, "bash", *arguments)
    run = subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def test_bash_completes_nouns_and_their_commands(home: Path) -> None:
    assert offered(home, "sil") == ["silences"]
    assert offered(home, "rules", "e") == ["evaluate"]
    assert offered(home, "rules", "list", "--li") == ["--limit"]


def test_bash_completes_ids_that_the_server_knows(home: Path) -> None:
    rules = page({"id": "cpu", "name": "HighCpu"}, {"id": "cpu two"}, {"id": "disk"}, {"id": "cpu-idle"})
    with serving({"GET /rules": rules, "GET /rules/cpu/thresholds": page({"id": "t1"})}) as server:
        assert offered(home, "rules", "get", "cp", url=server.url) == ["cpu", "cpu-idle"]
        assert offered(home, "thresholds", "get", "cpu", "", url=server.url) == ["t1"]
    assert asked(server) == ["GET /rules?limit=1000", "GET /rules/cpu/thresholds?limit=1000"]


def test_bash_offers_nothing_while_the_server_is_away(home: Path) -> None:
    assert offered(home, "rules", "get", "cp") == []


@pytest.mark.parametrize(
    ("arguments", "path", "key"),
    [
        ("channels test ", "/channels", "name"),
        ("time-intervals get ", "/time_intervals", "name"),
        ("silences expire ", "/silences", "id"),
        ("alerts get ", "/alerts", "fingerprint"),
        ("alerts list --rule ", "/rules", "id"),
        ("notifications list --channel ", "/channels", "name"),
    ],
)
def test_every_noun_offers_its_own(arguments: str, path: str, key: str) -> None:
    with serving({f"GET {path}": page({key: "one"}, {key: "two"})}) as server:
        assert completed(f"tocsin {arguments}", server.url) == "one\ntwo"


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(problem(401, "this needs a key"), id="no-key"),
        pytest.param(Response(status=500, body=b"oops"), id="broken"),
        pytest.param(answer({"rules": []}), id="another-program"),
        pytest.param(answer(["rules"]), id="yet-another"),
    ],
)
def test_a_server_that_cannot_tell_is_passed_over_in_silence(response: Response) -> None:
    with serving({"GET /rules": response}) as server:
        assert completed("tocsin rules get ", server.url) == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    shown = tocsin(_TOCSIN_COMPLETE=f"source_{shell}")
    assert shown.status == 0
    assert f"_TOCSIN_COMPLETE=complete_{shell}" in shown.out


def completed(line: str, url: str) -> str:
    """What zsh's and bash's scripts get for this line, the cursor at its end."""
    words = line.split(" ")
    told = tocsin(
        url=url, _TOCSIN_COMPLETE="complete_bash", COMP_WORDS=line.strip(), COMP_CWORD=str(len(words) - 1)
    )  # fmt: skip
    assert (told.status, told.err) == (0, "")
    return told.out.strip()
