"""The languages a rule's `expr` may be written in, as far as Tocsin has to know each: checked, compared with a number, hashed.

PromQL is read in full. LogQL and LogsQL stay text that their server reads: only what can never be an alert's query is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rules import promql
from rules.errors import PromqlError
from rules.rule import Condition, Language, Rule

_QUOTED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*')
_OPEN: Final = {"(": ")", "[": "]", "{": "}"}
_STATS: Final = re.compile(r"(?:^|\|)\s*(?:stats\b|count\s*\(|by\b)")


def check(text: str, language: Language) -> None:
    """Refuse what no rule can evaluate. Raises PromqlError, which names the position where there is one."""
    match language:
        case Language.PROMQL:
            _check_promql(text)
        case Language.LOGQL:
            _check_logql(text)
        case Language.LOGSQL:
            _check_logsql(text)


def compared(lhs: str, condition: Condition, threshold: float, language: Language) -> str | None:
    """The query that compares `lhs` with a number; `None` where the language has no such query. Raises PromqlError."""
    if language is Language.PROMQL:
        return promql.compared(lhs, condition, threshold)
    check(lhs, language)
    if language is Language.LOGSQL:
        return None
    return f"({lhs}\n) {condition} {promql.number(threshold)}"


def split(rule: Rule, text: str) -> promql.Comparison | None:
    """The text cut at its threshold, as `promql.split` does; other languages are not cut. Raises PromqlError."""
    if rule.language is Language.PROMQL:
        return promql.split(text)
    check(text, rule.language)
    return None


def _check_promql(text: str) -> None:
    try:
        promql.check(text)
    except PromqlError as error:
        if "|" in _QUOTED.sub("", text):
            hint = "a query with a pipe is LogQL or LogsQL, which language = logql or logsql says"
            raise PromqlError(f"{error.message}; {hint}", field=error.field, position=error.position) from error
        raise


def _check_logql(text: str) -> None:
    if not text.strip():
        raise PromqlError('expr is empty; write a LogQL query, such as sum(rate({app="shop"} |= "error" [5m])) > 1')
    blank = _QUOTED.sub(lambda found: " " * len(found[0]), text)
    for at in _unbalanced(blank):
        raise PromqlError(f"{text[at]!r} has no partner in this LogQL query; close or remove it", position=at)
    if blank.lstrip().startswith("{"):
        hint = 'count them, as in count_over_time({app="shop"} |= "error" [5m]) > 0'
        raise PromqlError(f"{text[:80]!r} returns log lines, and a rule needs numbers: {hint}")


def _check_logsql(text: str) -> None:
    blank = _QUOTED.sub(lambda found: " " * len(found[0]), text)
    if not _STATS.search(blank):
        hint = "end it in a stats pipe and a filter, as in _time:5m error | stats by (app) count() errors | filter errors:>10"
        raise PromqlError(f"{text[:80]!r} returns log lines, and a rule needs numbers: {hint}")


def _unbalanced(text: str) -> Iterator[int]:
    """Where a bracket or a quote stands that has no partner."""
    waiting: list[int] = []
    for at, character in enumerate(text):
        if character in _OPEN:
            waiting.append(at)
        elif character in _OPEN.values():
            if not waiting or _OPEN[text[waiting.pop()]] != character:
                yield at
        elif character in '"`':
            yield at
    yield from waiting
