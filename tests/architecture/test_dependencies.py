"""Every dependency is explained, pinned and hashed, and nothing that only tests need is needed to run."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = PROJECT["project"]["dependencies"]
DEV = PROJECT["project"]["optional-dependencies"]["dev"]
BUILD = PROJECT["build-system"]["requires"]
LOCKS = ("build", "runtime", "dev")


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    """Package → the one version that requirements/NAME.txt allows."""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", re.sub(r"\[[^]]*\]", "", lock(name)), re.MULTILINE))


def names(requirements: Iterable[str]) -> set[str]:
    return {str(canonicalize_name(Requirement(text).name)) for text in requirements}


def explained() -> set[str]:
    """The packages that have a row in docs/why/dependencies.md."""
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/why/dependencies.md").read_text("utf-8"), re.MULTILINE)
    return names(rows)


def test_exactly_the_packages_we_ask_for_are_explained() -> None:
    assert explained() == names([*RUNTIME, *DEV, *BUILD])


@pytest.mark.parametrize(
    ("requirements", "name"), [(RUNTIME, "runtime"), (RUNTIME + DEV, "dev"), (BUILD, "build")], ids=LOCKS
)
def test_the_pins_answer_what_pyproject_asks_for(requirements: list[str], name: str) -> None:
    pinned = pins(name)
    wanted = [Requirement(text) for text in requirements]
    unmet = [str(one) for one in wanted if not one.specifier.contains(pinned.get(canonicalize_name(one.name), "0"))]
    assert unmet == []


@pytest.mark.parametrize("name", ["runtime", "build"])
def test_what_is_tested_is_what_runs(name: str) -> None:
    assert pins(name).items() <= pins("dev").items()


def test_nothing_that_only_tests_need_is_needed_to_run() -> None:
    assert (names(DEV) & pins("runtime").keys()) == set()


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash(name: str) -> None:
    entries = re.split(r"^(?=[\w.-]+(?:\[[^]]*\])?==)", lock(name), flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins(name)) > 0
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index_and_no_place_on_anybodys_machine(name: str) -> None:
    lines = [line for line in lock(name).splitlines() if not line.startswith(" ")]
    assert [line for line in lines if not re.match(r"[\w.-]+(\[[\w,-]+\])?==", line)] == []
    assert not re.search(r"https?:|file:|(^|\s)/\w", lock(name))
