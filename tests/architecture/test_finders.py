"""The finders find: each is shown code that breaks its rule, and code that looks alike and does not."""

from __future__ import annotations

import ast

import pytest

from tests.architecture import finders
from tests.architecture.sources import Finder


@pytest.mark.parametrize(
    ("find", "code"),
    [
        pytest.param(finders.clock_reads, "datetime.now(UTC)", id="now"),
        pytest.param(finders.clock_reads, "dt.datetime.utcnow()", id="now through a module"),
        pytest.param(finders.clock_reads, "f = time.time", id="clock passed on uncalled"),
        pytest.param(finders.clock_reads, "from time import sleep", id="sleep imported by name"),
        pytest.param(finders.environment_reads, "os.environ['HOME']", id="environ"),
        pytest.param(finders.environment_reads, "os.environ.get('HOME')", id="environ.get"),
        pytest.param(finders.environment_reads, "from os import getenv", id="getenv imported by name"),
        pytest.param(finders.catch_alls, "try: f()\nexcept Exception: pass", id="except Exception"),
        pytest.param(finders.catch_alls, "try: f()\nexcept: pass", id="bare except"),
        pytest.param(finders.catch_alls, "try: f()\nexcept (OSError, BaseException): pass", id="one of several"),
        pytest.param(finders.missing_docstrings, "import os", id="no docstring"),
        pytest.param(finders.missing_docstrings, "", id="empty module"),
        pytest.param(finders.replacements, "from unittest import mock", id="mock"),
        pytest.param(finders.replacements, "def test(monkey): monkey.setattr(a, 'b', c)", id="setattr of the fixture"),
    ],
)
def test_a_breach_is_found_once(find: Finder, code: str) -> None:
    assert len(list(find(ast.parse(code)))) == 1


@pytest.mark.parametrize(
    ("find", "code"),
    [
        pytest.param(finders.clock_reads, "self.clock.now()", id="a clock that was passed in"),
        pytest.param(finders.clock_reads, "datetime.time(12, 30)", id="a time of day"),
        pytest.param(finders.clock_reads, "time.monotonic()", id="measuring a span"),
        pytest.param(finders.environment_reads, "jinja.environ", id="another environ"),
        pytest.param(finders.catch_alls, "try: f()\nexcept ApiException: pass", id="a name that ends alike"),
        pytest.param(finders.missing_docstrings, '"""Says what it is for."""', id="docstring"),
        pytest.param(finders.replacements, "monkey.setenv('A', 'b')", id="setting the environment"),
        pytest.param(finders.replacements, "setattr(value, 'name', 1)", id="plain setattr"),
    ],
)
def test_what_only_looks_alike_is_left_alone(find: Finder, code: str) -> None:
    assert list(find(ast.parse(code))) == []
