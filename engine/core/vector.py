"""An instant vector: its values as an array, and a sample only of an element that somebody looks at.

Most elements of a large answer breach nothing; they are compared here, and never become objects.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import compress, count, repeat
from typing import overload

from engine.core.alert import Sample
from rules import thresholds
from rules.labels import Labels
from rules.rule import Condition


class Vector(Sequence[Sample]):
    """Samples in the order of the answer, each made when somebody looks at it; equal to any sequence of the same samples.

    Looking at an element raises LabelError where its labels cannot be read.
    """

    __slots__ = ("_digest", "_sample", "_series", "values")

    def __init__(
        self, values: array[float], sample: Callable[[int], Sample], digest: Callable[[], bytes] | None = None
    ) -> None:
        self.values = values
        self._sample = sample
        self._digest = digest
        self._series: bytes | None = None

    @property
    def series(self) -> bytes | None:
        """Two vectors for which this is the same have the same series in the same order; `None` where nobody can tell."""
        if self._series is None and self._digest is not None:
            self._series = self._digest()
        return self._series

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Vector:
        """The samples as a vector; one that is a vector as it is."""
        if isinstance(samples, Vector):
            return samples
        return cls(array("d", [sample.value for sample in samples]), samples.__getitem__)

    @classmethod
    def lazily(
        cls, values: array[float], labels: Callable[[int], Labels], digest: Callable[[], bytes] | None = None
    ) -> Vector:
        """Elements whose labels are asked for when somebody looks at them; `digest` is to tell series apart, see `series`."""
        return cls(values, lambda index: Sample(labels=labels(index), value=values[index]), digest)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            return self.picked(range(*index.indices(len(self.values))))
        return self._sample(range(len(self.values))[index])

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Sample]:
        return map(self._sample, range(len(self.values)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # As a list's: it can be equal to one.

    def __repr__(self) -> str:
        return f"Vector({list(self)!r})"

    def picked(self, indexes: Iterable[int]) -> tuple[Sample, ...]:
        """The elements in these places."""
        return tuple(map(self._sample, indexes))

    def past(self, condition: Condition, bound: float) -> tuple[Sample, ...]:
        """The elements for which the comparison holds, as PromQL's does: NaN only ever satisfies `!=`."""
        return self.picked(self.places_past(condition, bound))

    def places_past(self, condition: Condition, bound: float) -> Iterator[int]:
        """The places of those elements."""
        return compress(count(), map(thresholds.COMPARED[condition], self.values, repeat(bound)))


class Present(Collection[Labels]):
    """The series of a vector. They are looked at when somebody first asks for one, and then only their hashes are kept."""

    def __init__(self, vector: Vector) -> None:
        self._vector = vector

    def __len__(self) -> int:
        return len(self._vector)

    def __iter__(self) -> Iterator[Labels]:
        return (sample.labels for sample in self._vector)

    def __contains__(self, labels: object) -> bool:
        places = self._places.get(hash(labels), ())
        return any(self._vector[place].labels == labels for place in places)

    @cached_property
    def _places(self) -> dict[int, tuple[int, ...]]:
        """The places of the series with a hash: one, but for chance."""
        found: dict[int, tuple[int, ...]] = {}
        for place, labels in enumerate(self):
            digest = hash(labels)
            found[digest] = (*found.get(digest, ()), place)
        return found
