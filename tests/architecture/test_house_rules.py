"""The rules of the house that hold for every file: time, environment, errors, docstrings, stand-ins in tests."""

from __future__ import annotations

from tests.architecture import finders
from tests.architecture.sources import EVERYTHING, SOURCE, breaches, sources


def test_the_checks_below_see_the_files_of_every_layer() -> None:
    seen = {source.path for source in sources(*EVERYTHING)}
    assert {"rules/labels.py", "engine/clock.py", "api/__init__.py", "tests/architecture/sources.py"} <= seen


def test_only_the_clock_and_the_demo_read_the_time_or_sleep() -> None:
    assert breaches(finders.clock_reads, *SOURCE, allowed=("engine/clock.py", "api/demo/")) == []


def test_only_the_composition_root_and_the_command_line_read_the_environment() -> None:
    allowed = ("engine/settings.py", "engine/service.py", "api/cli.py", "api/demo/", "api/commands/connection.py")
    assert breaches(finders.environment_reads, *SOURCE, allowed=allowed) == []


def test_only_the_loop_driver_and_delivery_catch_everything() -> None:
    assert breaches(finders.catch_alls, *SOURCE, allowed=("engine/loop.py", "engine/delivery/")) == []


def test_every_module_says_what_it_is_for() -> None:
    assert breaches(finders.missing_docstrings, *EVERYTHING) == []


def test_tests_pass_stand_ins_in_and_replace_nothing() -> None:
    assert breaches(finders.replacements, "tests") == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
    assert [source.path for source in sources(*EVERYTHING) if vague & set(source.path[:-3].split("/"))] == []
