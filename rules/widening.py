"""Where an expression names a label, and what is written there when it is to be asked for many values of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from rules import go_strings

_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


class What(Enum):
    """What stands there."""

    MATCHER = auto()
    """From the operator to the end of the value."""
    LIST = auto()
    """Behind the bracket that opens a list of labels."""
    EMPTY_LIST = auto()
    CLAUSE = auto()
    """Behind the name of an aggregation that has no list."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A place in the text, and the label that it is about."""

    what: What
    label: str
    start: int
    end: int


def alternatives(values: Iterable[str]) -> str:
    """The regex that matches exactly these values, as Prometheus' own look-up of alternatives understands it."""
    return "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values)


def places(edits: Iterable[Edit], labels: Collection[str]) -> Iterator[tuple[int, int, list[Edit]]]:
    """From where to where the text changes for these labels, in order, and the edits there."""
    found: dict[tuple[int, int], list[Edit]] = {}
    for edit in edits:
        if edit.label in labels:
            found.setdefault((edit.start, edit.end), []).append(edit)
    for start, end in sorted(found):
        yield start, end, found[start, end]


def written(edits: Sequence[Edit], values: Mapping[str, Collection[str]]) -> str:
    """What is written in a place that all these edits are about."""
    names = ", ".join(edit.label for edit in edits)
    match edits[0].what:
        case What.MATCHER:
            return f"=~{go_strings.quote(alternatives(values[edits[0].label]))}"
        case What.LIST:
            return f"{names}, "
        case What.EMPTY_LIST:
            return names
        case _:
            return f" by ({names}) "
