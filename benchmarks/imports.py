"""`python -m benchmarks import`: what an import of 20,000 rules costs, beside `promtool check rules`, in two minutes.

Each run is a process of its own, as an operator starts it. CPU seconds (user and system) and the most memory are the
kernel's count.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from api.demo.stage import neutral
from tests import corpus
from tests.peers.postgres_server import PostgresServer
from tests.peers.require import find_binary

HEADING: Final = "Importing rules"
ROOT: Final = Path(__file__).parents[1]
TOCSIN: Final = (sys.executable, "-c", "from api.cli import main; main()", "import", "prometheus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a program: what it did, CPU and wall seconds, and the most memory it had at once, in MiB."""

    what: str
    cpu: float
    wall: float
    memory: float


def rule_file(rules: int) -> str:
    """So many rules: those of the corpus again and again, each time in groups and with a threshold of their own."""
    groups = json.loads(corpus.rule_file())["groups"]
    found: list[dict[str, Any]] = []
    for number, group in enumerate(islice(cycle(groups), rules)):
        turn = number // len(groups)
        own = [_own(rule, turn) for rule in group["rules"]][: rules - sum(len(one["rules"]) for one in found)]
        if not own:
            break
        found.append({**group, "name": f"{group['name']}-{turn}", "rules": own})
    return json.dumps({"groups": found}, ensure_ascii=False, indent=1)


def measure(rules: int, folder: Path) -> list[Run]:
    """promtool's check, and Tocsin's import on both databases: of new rules, of the same again, and with each one edited."""
    promtool = find_binary("promtool")
    assert promtool is not None, "promtool is not installed; there is nothing to compare with"
    given, edited = folder / "rules.yml", folder / "edited.yml"
    given.write_text(rule_file(rules), encoding="utf-8")
    edited.write_text(re.sub(r'"summary": "', '"summary": "now: ', given.read_text("utf-8")), encoding="utf-8")
    found = [_run("`promtool check rules`", [str(promtool), "check", "rules", str(given)], {}, folder)]
    with PostgresServer() as postgres:
        for name, address in (("SQLite", f"sqlite:///{folder}/tocsin.db"), ("PostgreSQL", postgres.create_database())):
            environment = {"TOCSIN_DATABASE_URL": address, "PYTHONPATH": str(ROOT)}
            for what, file in (("all new", given), ("nothing different", given), ("each one edited", edited)):
                found.append(_run(f"`tocsin import`, {name}: {what}", [*TOCSIN, str(file)], environment, folder))
    return found


def table(found: Sequence[Run]) -> str:
    """The runs as a Markdown table."""
    rows = [f"| {one.what} | {one.cpu:.1f} | {one.wall:.1f} | {one.memory:.0f} |" for one in found]
    return "\n".join(["| | CPU seconds | seconds in all | MiB at most |", "|---|---:|---:|---:|", *rows])


def section(rules: int, found: Sequence[Run], where: Sequence[str], command: str) -> str:
    """The measurement as a section of docs/performance.md."""
    lines = "\n".join(f"- {line}" for line in where)
    return SECTION.format(heading=HEADING, rules=f"{rules:,}", table=table(found), where=lines, command=command)


def _own(rule: dict[str, object], turn: int) -> dict[str, object]:
    return {**rule, "expr": f"({rule['expr']}) > {-turn}"}


def _run(what: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Run:
    began = time.monotonic()
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=folder, env={**neutral(os.environ), **environment}
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{what} ended with {process.returncode}: {(folder / 'output').read_text()[-2000:]}")
    return Run(
        what=what, cpu=used.ru_utime + used.ru_stime, wall=time.monotonic() - began, memory=used.ru_maxrss / 1024
    )


SECTION: Final = """\
## {heading}

{rules} rules of the kinds people collect (joins, quantiles, predictions, templates …) in one file. `tocsin import` reads it
with the position of each value, checks and lints every expression and template, compares the rules with those that stand,
and writes what is different, each row with its record of the change.

{table}

{where}
- Command: `{command}`
"""
