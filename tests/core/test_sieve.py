"""Which of many lists of matchers match: the sieve says what trying each of them says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.sieve import Sieve
from rules.labels import Labels
from rules.matchers import Matcher, Operator

NAMES, VALUES = st.sampled_from("abc"), st.sampled_from(["", "x", "y", "z"])
MATCHERS = st.builds(Matcher, NAMES, st.sampled_from(Operator), VALUES)
LISTS = st.lists(st.lists(MATCHERS, max_size=3).map(tuple), max_size=12)


@given(LISTS, st.dictionaries(NAMES, VALUES.filter(bool)).map(Labels))
def test_the_lists_that_match_are_those_found_by_trying_each(lists: list[tuple[Matcher, ...]], labels: Labels) -> None:
    plain = [place for place, one in enumerate(lists) if all(matcher.matches(labels) for matcher in one)]
    assert Sieve(lists).matching(labels) == plain
