"""Files of objects: what they mean, what is refused and where, and that what is written is read back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.commands.documents import parse, read, to_yaml
from api.commands.failures import UsageError

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from(["on", "17:00", "1e3", "0x1f", "012", "null", "~", "2026-11-21", "<<"])
)
VALUES = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


def written(folder: Path, text: str, name: str = "rules.yml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("on", "on", id="on-is-a-word"),
        pytest.param("yes", "yes", id="yes-is-a-word"),
        pytest.param("17:00", "17:00", id="a-time-of-day-is-no-number"),
        pytest.param("2026-11-21", "2026-11-21", id="a-date-stays-text"),
        pytest.param("2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z", id="an-instant-stays-text"),
        pytest.param("1_000", "1_000", id="no-digit-separators"),
        pytest.param("012", "012", id="no-octal"),
        pytest.param("5m", "5m", id="a-duration"),
        pytest.param("true", True, id="true"),
        pytest.param("~", None, id="null"),
        pytest.param("", None, id="nothing"),
        pytest.param("-90", -90, id="an-integer"),
        pytest.param("0.5", 0.5, id="a-fraction"),
        pytest.param("1e3", 1000.0, id="an-exponent"),
        pytest.param(".nan", ".nan", id="no-nan-for-json-has-none"),
    ],
)
def test_plain_values_mean_what_yaml_1_2_means(text: str, value: object) -> None:
    assert parse(f"x: {text}\n", "file") == [{"x": value}]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("- id: a\n- id: b\n", id="a-list"),
        pytest.param("id: a\n---\nid: b\n---\n", id="documents"),
        pytest.param("---\n[{id: a}]\n---\n[{id: b}]\n", id="documents-of-lists"),
        pytest.param('[{"id": "a"}, {"id": "b"}]', id="json"),
        pytest.param('\ufeff[{"id": "a"},\n\t{"id": "b"}]', id="json-with-tabs-and-a-mark"),
    ],
)
def test_a_file_holds_any_number_of_objects(tmp_path: Path, text: str) -> None:
    assert read([written(tmp_path, text)]) == [{"id": "a"}, {"id": "b"}]


def test_several_files_are_read_in_their_order(tmp_path: Path) -> None:
    files = [written(tmp_path, f"id: {name}", name) for name in "ba"]
    assert [one["id"] for one in read(files)] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("id: a\nid: b\n", "line 2, column 1: the key 'id' is given twice", id="a-key-twice"),
        pytest.param('{"id": "a", "id": "b"}', "the key 'id' is given twice", id="a-key-twice-in-json"),
        pytest.param("id: [a\n", "line 2, column 1: ", id="not-yaml"),
        pytest.param("just words", "has str 'just words' where an object should be", id="no-object"),
        pytest.param("- id: a\n- 5\n", "has int '5' where an object should be", id="one-is-no-object"),
        pytest.param("id: !!python/name:os.system x\n", "line 1, column 5: ", id="a-tag"),
        pytest.param("", "no object in it", id="empty"),
        pytest.param("[]", "no object in it", id="an-empty-list"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    name = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read([name])
    assert str(caught.value).startswith(f"{name}: ")
    assert words in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"id: \xff")
    with pytest.raises(UsageError, match=r"/x: is not UTF-8 at byte 4"):
        read([str(tmp_path / "x")])
    with pytest.raises(UsageError, match=r"/y: no such file or directory"):
        read([str(tmp_path / "y")])


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_as_yaml_is_read_back_the_same(value: dict[str, Any]) -> None:
    assert parse(to_yaml(value), "file") == [value]
