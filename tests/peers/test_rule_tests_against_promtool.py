"""`tocsin test` against the real `promtool test rules`: the same files pass and fail, and fail over the same expectations."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from engine import rule_tests
from rules import durations
from tests.peers.require import find_binary, require_peer
from tests.peers.rule_test_cases import CASES

pytestmark = [pytest.mark.peer("promtool"), pytest.mark.peer("prometheus")]

FAILED = re.compile(r'^ +(?:alertname: (?P<alert>\S+), time: (?P<at>\w+),|expr: "(?P<expr>.*)", time: (?P<when>\w+),'
    r'|rule: (?P<rule>\S+), time: (?P<step>\w+), err)', re.MULTILINE)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What a file came to; `failures` are the expectations that were not met, with their times."""

    passed: bool
    failures: Counter[tuple[str, timedelta]]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Verdict, Verdict]]:
    """Promtool's verdict and ours, by case."""
    require_peer("promtool")
    require_peer("prometheus")
    folder = tmp_path_factory.mktemp("tests")
    files = {name: _written(folder / str(at), *CASES[name]) for at, name in enumerate(CASES)}
    with ThreadPoolExecutor(4) as pool:
        theirs = pool.map(_promtool, files.values())
        ours = pool.map(_tocsin, files.values())
        return dict(zip(files, zip(theirs, ours, strict=True), strict=True))


def _written(folder: Path, rules: str, tests: str, above: str = "") -> Path:
    folder.mkdir()
    (folder / "rules.yml").write_text(rules, encoding="utf-8")
    file = folder / "tests.yml"
    file.write_text(f"rule_files: [rules.yml]\n{above}tests:\n{tests}", encoding="utf-8")
    return file


def _promtool(file: Path) -> Verdict:
    command = [str(find_binary("promtool")), "test", "rules", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
    told = done.stdout.decode()
    assert done.returncode == ("SUCCESS" not in told), told
    found: Counter[tuple[str, timedelta]] = Counter()
    for one in FAILED.finditer(told):
        kind = next(kind for kind in ("alert", "expr", "rule") if one[kind] is not None)
        at = one["at"] or one["when"] or one["step"]
        found[f"{kind} {one[kind]}", durations.parse(re.sub(r"(?<=m)0s$", "", at))] += 1
    return Verdict(done.returncode == 0, found)


def _tocsin(file: Path) -> Verdict:
    suite = rule_tests.load(file)
    if suite.flawed:
        return Verdict(False, Counter())
    program = find_binary("prometheus")
    assert program is not None
    outcomes = [rule_tests.run(suite, test, program) for test in suite.declared.tests]
    found = Counter((failure.subject, failure.at) for outcome in outcomes for failure in outcome.failures)
    return Verdict(not found, found)


@pytest.mark.parametrize("name", CASES)
def test_promtool_and_tocsin_judge_a_file_of_tests_alike(
    name: str, verdicts: dict[str, tuple[Verdict, Verdict]]
) -> None:
    theirs, ours = verdicts[name]
    assert ours == theirs


def test_the_files_are_of_both_kinds(verdicts: dict[str, tuple[Verdict, Verdict]]) -> None:
    passed = sum(theirs.passed for theirs, _ in verdicts.values())
    assert passed >= 25
    assert len(verdicts) - passed >= 20
