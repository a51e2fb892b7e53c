"""docs/messages holds what is really sent; `make messages` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shown.incident import files

FOLDER = Path(__file__).parents[2] / "docs" / "messages"


@pytest.mark.parametrize("name", sorted(files()))
def test_what_the_docs_show_is_what_is_sent(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == files()[name], "run make messages"


def test_nothing_else_is_shown_and_no_picture_is_large() -> None:
    found = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    pictures = {name: size for name, size in found.items() if name.endswith(".png")}
    assert found.keys() - pictures.keys() == set(files())
    assert {name: size for name, size in pictures.items() if size > 100_000} == {}
    assert len(pictures) == 6
