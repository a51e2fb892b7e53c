"""JSON columns read back what was written, also what the quick library refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.store.json_text import dumps, loads


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a": ["é", 1, 0.1, None, True], "b": {}}, id="plain"),
        pytest.param({"half": "\ud83d"}, id="half-a-surrogate-pair"),
        pytest.param([2**70], id="a-large-number"),
        pytest.param({"nul": "\x00"}, id="nul"),
    ],
)
def test_what_is_written_reads_back(value: Any) -> None:
    assert loads(dumps(value)) == value


def test_what_another_hand_wrote_is_read() -> None:
    assert loads('{"a": Infinity}') == {"a": float("inf")}


def test_what_json_has_not_is_refused() -> None:
    with pytest.raises(TypeError):
        dumps(datetime(2026, 1, 1, tzinfo=UTC))
