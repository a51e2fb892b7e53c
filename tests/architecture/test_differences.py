"""docs/differences.md names a test for every difference; each of them exists where it says."""

from __future__ import annotations

import re

from tests.architecture.sources import ROOT

PAGE = (ROOT / "docs/differences.md").read_text("utf-8")
NAMED = re.compile(r"`(test_\w+)`|\((tests/[\w/]+\.py)\)")


def test_every_difference_names_its_tests_and_their_file() -> None:
    _, *parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    silent = [title for title, text in zip(parts[::2], parts[1::2], strict=True) if not NAMED.search(text)]
    assert parts
    assert not silent


def test_every_test_that_is_named_is_in_the_file_named_after_it() -> None:
    waiting: list[str] = []
    for match in NAMED.finditer(PAGE):
        name, path = match.groups()
        if name is not None:
            waiting.append(name)
            continue
        source = (ROOT / path).read_text("utf-8")
        missing = [each for each in waiting if f"def {each}(" not in source]
        assert not missing, f"{path} has no {missing}"
        waiting.clear()
    assert not waiting
