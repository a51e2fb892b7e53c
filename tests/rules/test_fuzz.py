"""Whatever text arrives, the language of rules reads it or refuses it in its own words, soon, and keeps nothing of it."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rules
from rules import durations, go_strings, lints, promql, promql_tree, regexes, templates, time_intervals
from rules.errors import DurationError, MatcherError, PromqlError, TemplateError, TimeIntervalError
from rules.matchers import parse_matcher, parse_matchers
from rules.templates import TemplateData

ROOT: Final = Path(__file__).parents[2]
DATA: Final = TemplateData(labels={"a": "b"}, value=1.0)

Reader = Callable[[str], object]
READERS: Final[Mapping[str, tuple[Reader, type[ValueError]]]] = {
    "a matcher": (parse_matcher, MatcherError),
    "matchers": (parse_matchers, MatcherError),
    "an expression": (promql.check, PromqlError),
    "an expression to cut": (promql.split, PromqlError),
    "the metrics of an expression": (promql.metric_names, PromqlError),
    "an expression as a tree": (promql_tree.tree, PromqlError),
    "what is odd about an expression": (lambda text: lints.check_expression(text, frozenset(lints.Lint)), PromqlError),
    "a skeleton": (promql.skeleton, PromqlError),
    "a metric's name": (promql.metric, PromqlError),
    "a template": (lambda text: templates.render(text, DATA), TemplateError),
    "a template that is only checked": (templates.check, TemplateError),
    "whether a template queries": (templates.uses_query, TemplateError),
    "a duration": (durations.parse, DurationError),
    "a string": (go_strings.unquote, ValueError),
    "a regex": (regexes.compiled, ValueError),
    "a weekday": (lambda text: time_intervals.parse_period({"weekdays": [text]}), TimeIntervalError),
    "a day": (lambda text: time_intervals.parse_period({"days_of_month": [text]}), TimeIntervalError),
    "a month": (lambda text: time_intervals.parse_period({"months": [text]}), TimeIntervalError),
    "a year": (lambda text: time_intervals.parse_period({"years": [text]}), TimeIntervalError),
    "a time zone": (lambda text: time_intervals.parse_period({"location": text}), TimeIntervalError),
    "a time of day": (
        lambda text: time_intervals.parse_period({"times": [{"start_time": text, "end_time": "24:00"}]}),
        TimeIntervalError,
    ),
}
"""What reads text, by the name of what it reads, with the one error it may raise."""

PIECES: Final = (
    *"{}()[]\"'`,=~!\\:;#@^%*+?.|&$<>-/_ 0aé\n\r\t\x00\x7f\x85\xa0\u2028\ud800\udfff\U0010ffff",
    *("=~", "!~", "!=", "==", '\\"', "\\\\", "\\x", "\\ud800", "\\U00110000", '"a"', 'a="b"', 'a=~"(a*)*"', "{{", "}}"),
    *("{{ .Value }}", "{{ range 9 }}", "{{ end }}", "{{ if 1 }}", '{{ template "a" }}', "$labels", "| printf", "%999d"),
    *(
        "5m",
        "1h",
        "99999999999999999999s",
        "0",
        "1e999",
        "0x",
        "Inf",
        "NaN",
        "[5m]",
        "offset",
        "by (a)",
        "rate(",
        "and",
    ),
    *("monday:", "january", "-1:", "24:00", "Europe/", "../", "9999"),
)
"""What the languages are made of, and what they are not."""

TEXTS: Final = (
    st.text(st.characters(), max_size=40)
    | st.binary(max_size=40).map(lambda content: content.decode("utf-8", "surrogateescape"))
    | st.binary(max_size=40).map(lambda content: content.decode("latin-1"))
    | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
    | st.tuples(st.sampled_from(PIECES), st.integers(0, 300)).map(lambda piece: piece[0] * piece[1])
)


def is_read(reader: Reader, error: type[ValueError], text: str) -> bool:
    """Whether the reader understands it; any other error than its own comes out."""
    try:
        reader(text)
    except error as raised:
        refusal = raised
    else:
        return True
    assert type(refusal) is error or error is ValueError
    assert len(str(refusal)) < 2000
    return False


@pytest.mark.parametrize("name", READERS)
@given(text=TEXTS)
def test_any_text_is_read_or_refused_by_the_readers_own_error(name: str, text: str) -> None:
    assert is_read(*READERS[name], text) in (True, False)


WORDS: Final = st.sampled_from(
    ["times", "weekdays", "days_of_month", "months", "years", "location", "start_time", "end_time", "monday", "1:5"]
)
HUGE: Final = st.builds(pow, st.just(10), st.just(5000))
"""An integer of more digits than Python is willing to print."""
DOCUMENTS: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | HUGE | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(DOCUMENTS | st.dictionaries(WORDS, DOCUMENTS, max_size=3))
def test_any_document_is_a_period_or_refused(content: object) -> None:
    try:
        period = time_intervals.parse_period(content)
    except TimeIntervalError:
        return
    assert time_intervals.parse_period(time_intervals.document(period)) == period


@pytest.mark.parametrize(
    "content",
    [{"years": [10**5000]}, {"months": [[10**5000]]}, {"location": 10**5000}],
    ids=["a year", "a month", "a zone"],
)
def test_an_integer_beyond_any_size_is_refused_like_any_other(content: object) -> None:
    with pytest.raises(TimeIntervalError):
        time_intervals.parse_period(content)


def test_the_reason_of_a_bad_regex_is_cut() -> None:
    with pytest.raises(ValueError, match="missing") as refusal:
        regexes.compiled("(" * 4000)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    "text", ["{{ 0000000000000000000000000000000000000000 }}", '{{ print "}}" 1+0_777777777777i }}']
)
def test_a_number_that_would_occupy_the_lexer_for_ever_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match="begins with 0"):
        templates.check(text)


@pytest.mark.parametrize(
    "text",
    [
        "0000000000000000 {{ 1 }}",
        "{{ 1000000000000000 }}",
        "{{ 0.000000000000001 }}",
        "{{ 017 }} 00000000-000000000000",
    ],
)
def test_other_numbers_of_many_zeros_are_fine(text: str) -> None:
    templates.check(text)


# --- no reader takes long ---

SIZES: Final = (4000,)
"""Near the most of an expression; what backtracks takes for ever over it."""


def hostile() -> Iterator[str]:
    """Texts that repeat one piece: what costs a backtracking or a quadratic reader the most."""
    for piece in PIECES:
        for size in SIZES:
            body = piece * (size // len(piece))
            yield body
            yield f'{{a="{body}'
            yield f"{{{{ {body}"


def read_all() -> None:
    """Give everything hostile to every reader."""
    for text in hostile():
        for reader, error in READERS.values():
            is_read(reader, error, text)


@pytest.mark.timeout(700)
def test_no_text_however_long_occupies_a_reader() -> None:
    command = [sys.executable, "-c", "from tests.rules.test_fuzz import read_all; read_all()"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=600)


# --- no reader keeps what it was given ---


def caches() -> dict[str, Any]:
    """Every cache in `rules`, by its name."""
    modules = [import_module(f"rules.{module.name}") for module in iter_modules(rules.__path__)]
    return {
        f"{module.__name__}.{name}": found
        for module in modules
        for name, found in vars(module).items()
        if hasattr(found, "cache_info") and found.__module__ == module.__name__
    }


def test_every_cache_is_bounded() -> None:
    sizes = {name: cache.cache_info().maxsize for name, cache in caches().items()}
    assert sizes
    assert [name for name, size in sizes.items() if size is None or size > 32_768] == []


def kept(name: str) -> int:
    """The least number of bytes that 200 texts have left behind, in five rounds of them."""
    reader, error = READERS[name]

    def read(start: int) -> None:
        for number in range(start, start + 50):
            for text in (
                f'a{number}="{number}"',
                f"{number}",
                f"rate(a{number}[5m]) > {number}",
                f"{{{{ {number} }}}}",
            ):
                is_read(reader, error, text)
        for cache in caches().values():
            cache.cache_clear()
        gc.collect()

    read(0)
    tracemalloc.start()
    try:
        sizes = []
        for round_ in range(1, 6):
            read(1000 * round_)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # What the interpreter itself sets aside comes in one round or another; what a reader keeps comes in each.
    return min(after - before for before, after in pairwise(sizes))


def tell_kept() -> None:
    """Print what each reader keeps, by name."""
    sys.stdout.write(json.dumps({name: kept(name) for name in READERS}))


def test_no_reader_keeps_what_it_was_given() -> None:
    # By itself: in a process of many tests, threads of others set memory aside at the same time.
    command = [sys.executable, "-c", "from tests.rules.test_fuzz import tell_kept; tell_kept()"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=110)
    found = json.loads(told.stdout)
    assert found.keys() == READERS.keys()
    assert {name: grown for name, grown in found.items() if grown >= 10_000} == {}, "more than 50 bytes of each text"
