"""What several threads want written at the same moment goes into one commit, and nobody goes on before it is written."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from engine.joint_writes import JointWrites
from tests.peers.processes import wait_until

SOON = timedelta(seconds=5)


class Book:
    """Remembers what was written together. The first commit waits until it is let go."""

    def __init__(self, *, bad: str = "") -> None:
        self.commits: list[list[str]] = []
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.bad = bad

    def commit(self, pieces: Sequence[str]) -> list[str]:
        first = not self.begun.is_set()
        self.begun.set()
        if first:
            assert self.may_end.wait(SOON.total_seconds())
        if self.bad in pieces:
            raise ValueError(self.bad)
        self.commits.append(list(pieces))
        return [piece.upper() for piece in pieces]


def written(book: Book, *late: str, most: int = 10) -> list[Future[str]]:
    """`a` is being committed while the `late` ones come in one after the other; how each of them ended."""
    writes = JointWrites(book.commit, most=most, refusals=(ValueError,))
    with ThreadPoolExecutor(len(late) + 1) as pool:
        ended = [pool.submit(writes.write, "a")]
        assert book.begun.wait(SOON.total_seconds())
        for place, piece in enumerate(late, start=1):
            ended.append(pool.submit(writes.write, piece))
            wait_until(lambda place=place: writes.waiting == place, what="it to wait", within=SOON)  # type: ignore[misc]
        book.may_end.set()
    return ended


def test_what_comes_in_during_a_commit_goes_together_in_the_next() -> None:
    book = Book()
    assert [one.result() for one in written(book, "b", "c", "d")] == ["A", "B", "C", "D"]
    assert book.commits == [["a"], ["b", "c", "d"]]


def test_no_more_than_the_most_go_together() -> None:
    book = Book()
    assert [one.result() for one in written(book, "b", "c", "d", most=2)] == ["A", "B", "C", "D"]
    assert book.commits == [["a"], ["b", "c"], ["d"]]


def test_one_that_is_refused_harms_nobody_else() -> None:
    book = Book(bad="c")
    ended = written(book, "b", "c", "d")
    assert [type(one.exception()) for one in ended] == [type(None), type(None), ValueError, type(None)]
    assert book.commits == [["a"], ["b"], ["d"]]


def test_what_nobody_foresaw_reaches_everybody_and_stops_nobody_after_it() -> None:
    book = Book()

    def breaking(pieces: Sequence[str]) -> list[str]:
        if len(pieces) > 1:
            raise KeyError("a bug")
        return book.commit(pieces)

    writes = JointWrites(breaking, most=10, refusals=(ValueError,))
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(writes.write, "a")
        assert book.begun.wait(SOON.total_seconds())
        late = [pool.submit(writes.write, piece) for piece in ("b", "c")]
        wait_until(lambda: writes.waiting == 2, what="both to wait", within=SOON)
        book.may_end.set()
        assert first.result() == "A"
        assert {type(one.exception()) for one in late} == {KeyError, RuntimeError}
    assert writes.write("d") == "D"


@pytest.mark.parametrize("threads", [2, 8])
def test_of_many_threads_each_gets_the_result_of_its_own(threads: int) -> None:
    writes: JointWrites[int, int] = JointWrites(lambda pieces: [piece * 2 for piece in pieces], most=3, refusals=())
    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(writes.write, range(500))) == [number * 2 for number in range(500)]
