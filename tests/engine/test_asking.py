"""What templates may ask: once each, so many and for so long, and never an error that is not a text."""

from __future__ import annotations

import pytest

from engine.asking import MOST, PATIENCE, Asking, Deadline
from engine.core.alert import Sample
from engine.prometheus import QueryError, QueryErrorKind
from engine.querying import Reply
from rules.labels import Labels

ONE = Reply(samples=(Sample(labels=Labels({"host": "a"}), value=1.0),))


class Prometheus:
    """Answers everything alike, and takes its time."""

    def __init__(self, reply: Reply = ONE, *, seconds: float = 0.0) -> None:
        self.asked: list[str] = []
        self.now = 0.0
        self._reply = reply
        self._seconds = seconds

    def ask(self, expr: str) -> Reply:
        self.asked.append(expr)
        self.now += self._seconds
        return self._reply


def asking(prometheus: Prometheus) -> Asking:
    return Asking(prometheus.ask, Deadline(lambda: prometheus.now))


def test_a_question_is_asked_once() -> None:
    prometheus = Prometheus()
    ask = asking(prometheus)
    assert ask("up") == ask("up") == ONE.samples
    assert prometheus.asked == ["up"]


def test_a_query_that_fails_says_why_each_time_and_is_not_asked_again() -> None:
    prometheus = Prometheus(Reply(error=QueryError(QueryErrorKind.EXECUTION, "many-to-many")))
    ask = asking(prometheus)
    for _ in range(2):
        with pytest.raises(ValueError, match="many-to-many"):
            ask("a * b")
    assert prometheus.asked == ["a * b"]


def test_a_rule_may_ask_so_many_different_questions() -> None:
    prometheus = Prometheus()
    ask = asking(prometheus)
    for number in range(MOST):
        ask(f"up * {number}")
    with pytest.raises(ValueError, match=f"may ask {MOST} queries at a time"):
        ask("up")
    assert ask("up * 0") == ONE.samples


def test_rules_of_a_slot_share_the_time_their_templates_may_take() -> None:
    prometheus = Prometheus(seconds=PATIENCE.total_seconds() / 2)
    deadline = Deadline(lambda: prometheus.now)
    first, second = Asking(prometheus.ask, deadline), Asking(prometheus.ask, deadline)
    first("a")
    first("b")
    with pytest.raises(ValueError, match="took more than 10 s at this time"):
        second("c")
    assert prometheus.asked == ["a", "b"]
