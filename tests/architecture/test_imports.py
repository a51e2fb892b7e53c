"""Who may import whom: the contracts in pyproject.toml hold, and each outside library has one door."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict

import pytest

from tests.architecture.sources import ROOT, SOURCE, imported_names, sources

PURE = ("rules", "engine/core")
DOORS = {
    "sqlalchemy": ("engine/store/", "migrations/"),
    "alembic": ("engine/store/", "migrations/"),
    "prometheus_api_client": ("engine/prometheus",),
    "apprise": ("engine/delivery/",),
    "cryptography": ("engine/delivery/sealing",),
    "fastapi": ("api/",),
    "typer": ("api/cli", "api/commands/", "api/demo"),
    "rich": ("api/commands/",),
}
"""Outside library → where it may be imported. A second place would be a second place to mend when it changes."""


def third_party(*folders: str) -> dict[str, set[str]]:
    """Outside packages and the files below `folders` that import them."""
    ours = {*SOURCE, "migrations", "tests", "benchmarks", "tocsin_boot"}
    importers = defaultdict(set)
    for source in sources(*folders):
        for name, _ in imported_names(source.tree):
            package = name.split(".")[0]
            if package not in ours and package not in sys.stdlib_module_names:
                importers[package].add(source.path)
    return importers


def test_the_contracts_in_pyproject_hold() -> None:
    command = "from importlinter.cli import lint_imports_command as check; check()"
    checked = subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_pure_parts_stand_on_four_libraries_at_most() -> None:
    assert set(third_party(*PURE)) <= {"yaml", "promql_parser", "re2", "gotpl", "numpy", "msgspec"}


def test_each_library_of_rules_is_behind_one_file() -> None:
    # The template engine, its functions and its limits are three files; docs/why/decisions.md says why. Messages have an engine,
    # functions and data of their own on top of them.
    templates = {"rules/templates.py", "rules/template_functions.py", "rules/template_budget.py"}
    templates |= {"rules/message_templates.py", "rules/message_functions.py", "rules/message_data.py"}
    # One file checks and cuts the text of an expression, the other reads the parser's tree into one of ours.
    promql = {"rules/promql.py", "rules/promql_tree.py"}
    crowded = {package: files for package, files in third_party("rules").items() if len(files) > 1}
    assert crowded == {"gotpl": templates, "promql_parser": promql}


def test_arrays_stay_out_of_rules() -> None:
    assert not set(third_party("rules")) & {"numpy", "msgspec"}


@pytest.mark.parametrize(("package", "doors"), DOORS.items(), ids=DOORS)
def test_a_library_is_imported_at_its_door_only(package: str, doors: tuple[str, ...]) -> None:
    importers = third_party(*SOURCE, "migrations")[package]
    assert [path for path in sorted(importers) if not path.startswith(doors)] == []
