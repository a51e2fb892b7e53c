"""The breaks of `make mutants` fit the code as it is."""

from __future__ import annotations

import pytest

from tests.mutants.breaks import BREAKS, Break
from tests.mutants.trying import ROOT


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_what_a_break_replaces_stands_once_in_its_file(one: Break) -> None:
    text = (ROOT / one.file).read_text("utf-8")
    assert text.count(one.before) == 1
    compile(text.replace(one.before, one.after), one.file, "exec")


def test_every_break_has_a_name_of_its_own() -> None:
    assert len({one.name for one in BREAKS}) == len(BREAKS)
