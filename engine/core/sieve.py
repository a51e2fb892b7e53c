"""Many lists of matchers at once: which of them match an alert's labels, without trying all of them.

Silences and both sides of inhibit rules are asked so. The plain answer is to try every list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rules.labels import Labels
from rules.matchers import Matcher, Operator

Pair = tuple[str, str]
"""A label's name and value."""


class Sieve:
    """Lists of matchers by their place; one that demands a label's value is only tried for labels that have it."""

    def __init__(self, lists: Sequence[tuple[Matcher, ...]]) -> None:
        self._lists = lists
        self._by_pair: dict[Pair, list[int]] = {}
        self._others: list[int] = []
        demanded = [[(matcher.name, matcher.value) for matcher in one if _demands(matcher)] for one in lists]
        common = Counter(pair for pairs in demanded for pair in pairs)
        for index, pairs in enumerate(demanded):
            rarest = min(pairs, key=lambda pair: common[pair], default=None)
            (self._others if rarest is None else self._by_pair.setdefault(rarest, [])).append(index)

    @property
    def demanded(self) -> frozenset[Pair] | None:
        """The pairs of which labels must have one for any list to match; `None` where a list demands none."""
        return None if self._others else frozenset(self._by_pair)

    def matching(self, labels: Labels) -> list[int]:
        """The places of the lists of which every matcher matches, in order."""
        candidates = list(self._others)
        for pair in labels.items():
            candidates += self._by_pair.get(pair, ())
        return sorted(index for index in candidates if all(matcher.matches(labels) for matcher in self._lists[index]))


def _demands(matcher: Matcher) -> bool:
    """Whether only labels that have exactly this value can match; `x=""` also matches those without x."""
    return matcher.operator is Operator.EQUAL and matcher.value != ""
