"""Queries with nothing in common in one request, and the answer taken apart again.

Each rides under a label of its own. `label_replace` gives every sample of a vector the same new label; `or` keeps all of its
left side, and of its right side what has no equal there: with the labels different, everything. One that fails fails all of
them, so a batch that fails is asked again one by one (engine/replies.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from engine.core.alert import Sample
from engine.core.planning import MAX_BYTES, Shared
from engine.core.remembering import Remembered
from rules.labels import Labels

RESERVED: Final = "__tocsin_rule__"
"""The label under which the queries of a batch are told apart."""
BATCH: Final = 24
"""Queries in one batch: enough to save most requests, and few enough that one which fails costs little to ask again.

Far longer ones cost more than they save: what Prometheus spends on a part grows with the number of parts.
"""
_SERIES: Final = 20_000
"""So many series of a batch are known from last time."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent: the query of one part, or several under labels of their own."""

    text: str
    parts: tuple[Shared, ...]

    @cached_property
    def apart(self) -> Remembered[Labels, tuple[str, Labels]]:
        """The tag a series of a batch has, and its labels without it."""
        return Remembered(lambda series: (series.get(RESERVED, ""), series.without(RESERVED)), room=_SERIES)

    @cached_property
    def tagged(self) -> Mapping[str, Shared]:
        """The parts of a batch by their tags."""
        return {part.tag: part for part in self.parts}


def requests(queries: Iterable[Shared], *, batch: int = BATCH, apart: Collection[str] = ()) -> tuple[Request, ...]:
    """The queries as they are sent; `apart` are the keys of those that may not ride with others, `batch` 1 lets none."""
    riding: list[Shared] = []
    found: list[Request] = []
    for query in queries:
        if batch > 1 and query.batchable and query.key not in apart:
            riding.append(query)
        else:
            found.append(Request(text=query.text, parts=(query,)))
    for parts in _batches(riding, batch):
        text = parts[0].text if len(parts) == 1 else batched(parts)
        found.append(Request(text=text, parts=tuple(parts)))
    return tuple(found)


def batched(parts: Sequence[Shared]) -> str:
    """The queries as one, each under its tag; a balanced tree, because parsers recurse.

    `or` binds to the left by itself: a bracket that is not needed costs the server time for every one that is open.
    """
    if len(parts) == 1:
        [part] = parts
        return f'label_replace({part.text}\n, "{RESERVED}", "{part.tag}", "", "")'
    middle = (len(parts) + 1) // 2
    last = batched(parts[middle:])
    return f"{batched(parts[:middle])}\nor {last if len(parts) - middle == 1 else f'({last})'}"


def unbatched(request: Request, samples: Sequence[Sample]) -> Mapping[str, Sequence[Sample]]:
    """The samples of each part that has any, by its key. Raises LabelError as `planning.answers` does."""
    if not samples:
        return {}
    if len(request.parts) == 1:
        return {request.parts[0].key: samples}
    apart, tagged = request.apart, request.tagged
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        tag, own = apart[sample.labels]
        if tag in tagged:
            found.setdefault(tagged[tag].key, []).append(Sample(labels=own, value=sample.value))
    return found


def _batches(queries: Sequence[Shared], batch: int) -> Iterator[list[Shared]]:
    """As few as can be, and all about as long."""
    ordered = sorted(queries, key=lambda query: query.tag)
    most = -(-len(ordered) // max(1, -(-len(ordered) // batch)))
    part: list[Shared] = []
    size = 0
    for query in ordered:
        length = len(query.text.encode())
        if part and (len(part) >= most or size + length > MAX_BYTES):
            yield part
            part, size = [], 0
        part.append(query)
        size += length
    if part:
        yield part
