"""Rule files looked over before they are anywhere: mistakes, lints, duplicates, and what the live Prometheus says of them.

Prometheus is asked what the files cannot tell: whether there are series that a selector matches, and enough samples for a rate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from engine import importing
from engine.prometheus import Answer
from engine.query_answer import complete
from rules import durations, go_strings, lints, promql, query
from rules.errors import RulesError
from rules.formats import prometheus_yaml
from rules.formats.prometheus_yaml import Entry, Linting, Recording
from rules.formats.reading import Flaw
from rules.labels import METRIC_NAME, SEVERITY
from rules.lints import Lint
from rules.problems import Odd, Problem, Severity, check_rule
from rules.promql_tree import Binary, Call, Matcher, Selector, Tree, children, tree
from rules.rule import Language, Rule

LOOK_BACK: Final = timedelta(days=1)
"""A series that is there now and then is no slip of the pen; this is how long it may be gone."""
SHOWN: Final = 5
"""Values of a label that are named as those there are."""
_SILENT: Final = frozenset({"absent", "absent_over_time"})


class Level(StrEnum):
    """How much a remark matters: with an error the file cannot be used, a note is only good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing to say about a file, at its place; `lint` is what it can be skipped by, `None` for a mistake and a note."""

    flaw: Flaw
    level: Level
    lint: Lint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a file came to: how many rules it has, and what there is to say, from its top to its end."""

    file: Path
    rules: int
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A rule of a database, which has no line: its flaws are told by its id, at line 0."""

    declares: Rule

    def flaw(self, problem: Problem) -> Flaw:
        """The problem as one of this rule."""
        rule = self.declares
        at = "" if problem.position is None else f" (at character {problem.position})"
        told = replace(problem, message=f"{rule.name}: {problem.field}: {problem.message}{at}")
        return Flaw(file=rule.id, line=0, column=0, problem=told)


class Asked(Protocol):
    """Answers PromQL. Raises QueryError."""

    def query(self, expr: str, at: datetime) -> Answer: ...


def check(files: Sequence[Path], linting: Linting, live: Live | None = None) -> Iterator[Checked]:
    """Each file with all there is to say about it. Raises QueryError when the Prometheus does not answer."""
    read = [(file, _parsed(file, linting)) for file in files]
    recorded = {
        entry.declares.record for _, (entries, _) in read for entry in entries if isinstance(entry.declares, Recording)
    }
    for file, (entries, flaws) in read:
        more = [*_duplicates(entries, linting), *(live.remarks(entries, recorded) if live else ())]
        remarks = sorted([*map(_remark, flaws), *more], key=lambda one: (one.flaw.line, one.flaw.column))
        chosen = (one for one in remarks if one.lint is None or one.lint in linting.chosen)
        yield Checked(file=file, rules=len(entries), remarks=tuple(chosen))


def check_stored(rules: Iterable[Rule], linting: Linting, live: Live | None = None) -> Iterator[Remark]:
    """What there is to say about rules of a database, one after the other. Raises QueryError as `check` does."""
    for rule in rules:
        stored = Stored(declares=rule)
        yield from (_remark(stored.flaw(problem)) for problem in check_rule(rule, linting.of_rule))
        more = live.remarks([stored], ()) if live else ()
        yield from (one for one in more if one.lint in linting.chosen)


def _parsed(file: Path, linting: Linting) -> tuple[tuple[Entry, ...], tuple[Flaw, ...]]:
    text = importing.text_of(file)
    if isinstance(text, Flaw):
        return (), (text,)
    found = prometheus_yaml.parse(text, str(file), linting)
    return found.entries, found.flaws


def _remark(flaw: Flaw) -> Remark:
    match flaw.problem:
        case Odd(lint=lint):
            return Remark(flaw=flaw, level=Level.WARNING, lint=lint)
        case Problem(severity=Severity.ERROR):
            return Remark(flaw=flaw, level=Level.ERROR)
        case Problem(field="record"):
            return Remark(flaw=flaw, level=Level.NOTE)
        case _:
            return Remark(flaw=flaw, level=Level.WARNING, lint=Lint.OTHER)


def _odd(entry: Entry | Stored, lint: Lint, field: str, message: str) -> Remark:
    problem = Odd(severity=Severity.WARNING, field=field, message=message, lint=lint)
    return Remark(flaw=entry.flaw(problem), level=Level.WARNING, lint=lint)


def _duplicates(entries: Iterable[Entry], linting: Linting) -> Iterator[Remark]:
    """Rules of one name and the same labels: their alerts, or their series, cannot be told apart."""
    if Lint.DUPLICATE_RULE not in linting.chosen:
        return
    first: dict[object, Entry] = {}
    for entry in entries:
        rule = entry.declares
        kind, name = ("record", rule.record) if isinstance(rule, Recording) else ("alert", rule.name)
        known = first.setdefault((kind, name, _labels(rule)), entry)
        if known is not entry:
            message = (
                f"a rule of this name with the same labels is on line {known.node.line} already; change one of them"
            )
            yield _odd(entry, Lint.DUPLICATE_RULE, kind, message)


def _labels(rule: Rule | Recording) -> frozenset[tuple[str, str]]:
    severity = {SEVERITY: rule.severity} if isinstance(rule, Rule) and rule.severity else {}
    return frozenset({**rule.labels, **severity}.items())


def _expression(rule: Rule | Recording) -> Tree | None:
    """What the rule asks Prometheus; `None` for what does not parse, which is told elsewhere, or is too deep to reason about."""
    if isinstance(rule, Rule) and rule.language is not Language.PROMQL:
        return None
    try:
        return tree(query.query_text(rule) if isinstance(rule, Rule) else rule.expr)
    except RulesError:
        return None


@dataclass(frozen=True, slots=True)
class Live:
    """The Prometheus that the rules are for, asked at `at`; the same question is asked once."""

    prometheus: Asked
    at: datetime
    known: dict[str, Answer] = field(default_factory=dict)

    def remarks(self, entries: Iterable[Entry | Stored], recorded: Iterable[str]) -> Iterator[Remark]:
        """What the server's data make odd. `recorded` are series that rules of the same files will write."""
        ours = lints.OWN_SERIES | frozenset(recorded)
        for entry in entries:
            expression = _expression(entry.declares)
            if expression is not None:
                yield from (_odd(entry, lint, "expr", why) for lint, why in self._oddities(expression, ours))

    def _oddities(self, expression: Tree, ours: Collection[str]) -> Iterator[tuple[Lint, str]]:
        for selector in dict.fromkeys(_looked_for(expression)):
            if selector.name not in ours:
                yield from ((Lint.NO_SERIES, why) for why in self._no_series(selector))
        for function, selector in dict.fromkeys(_rated(expression)):
            yield from ((Lint.SHORT_RANGE, why) for why in self._too_short(function, selector))

    def _no_series(self, selector: Selector) -> Iterator[str]:
        """Why nothing matches, and which part of the selector is to blame."""
        if selector.has_alternatives or self._matches(selector):
            return
        text, name = _text(selector), selector.name
        whole = f"{text} matches nothing"
        if name is None:
            yield f"{whole}: no series has had such labels within the last day"
        elif not selector.matchers or not self._matches(Selector(name, ())):
            yield f"{whole}: there has been no metric {name!r} within the last day"
        else:
            blamed = [
                self._unmatched(name, matcher)
                for matcher in selector.matchers
                if not self._matches(Selector(name, (matcher,)))
            ]
            yield f"{whole}: {'; '.join(blamed) or 'each matcher matches something, but no series all of them'}"

    def _unmatched(self, name: str, matcher: Matcher) -> str:
        label = matcher.label
        found = self._ask(f"topk({SHOWN}, count by ({_label(label)}) ({_text(Selector(name, ()))}))")
        values = sorted(sample.labels[label] for sample in found.samples if label in sample.labels)
        if not values:
            return f"no series of {name} has the label {label}"
        there = ", ".join(map(go_strings.quote, values))
        return f"no series of {name} has {_matcher(matcher)}; there is {label} = {there}"

    def _matches(self, selector: Selector) -> bool:
        """Whether there are series now, or have been lately."""
        text = _text(selector)
        span = durations.format(LOOK_BACK)
        return bool(self._ask(f"count({text})").samples or self._ask(f"count(last_over_time({text}[{span}]))").samples)

    def _too_short(self, function: str, selector: Selector) -> Iterator[str]:
        """That no series has two samples in the range, although it has some."""
        assert selector.span is not None
        text, span = _text(selector), durations.format(selector.span)
        most = self._ask(f"max(count_over_time({text}[{span}]))").samples
        there = self._ask(f"count({text})").samples
        if there and (not most or most[0].value < lints.SHORTEST):
            yield (
                f"{function}({text}[{span}]) answers nothing: it needs two samples in its range, and no series has more "
                f"than one in the last {span}; give four times the scrape interval"
            )

    def _ask(self, expr: str) -> Answer:
        if expr not in self.known:
            self.known[expr] = complete(self.prometheus.query(expr, self.at))
        return self.known[expr]


def _looked_for(node: Tree) -> Iterator[Selector]:
    """The selectors that are meant to match something: not those whose absence is asked for."""
    match node:
        case Selector():
            yield Selector(node.name, node.matchers, has_alternatives=node.has_alternatives)
        case Call(function) if function in _SILENT:
            return
        case Binary(operator="unless"):
            yield from _looked_for(node.left)
        case _:
            for child in children(node):
                yield from _looked_for(child)


def _rated(node: Tree) -> Iterator[tuple[str, Selector]]:
    """What rates and their like are taken of."""
    if isinstance(node, Call) and node.function in lints.RATES:
        for given in node.arguments:
            if isinstance(given, Selector) and given.span is not None and not given.has_alternatives:
                yield node.function, Selector(given.name, given.matchers, given.span)
    for child in children(node):
        yield from _rated(child)


def _text(selector: Selector) -> str:
    """The selector without what moves it in time."""
    matchers = ", ".join(map(_matcher, selector.matchers))
    if selector.name is None:
        return f"{{{matchers}}}"
    plain = promql.metric(selector.name)
    if plain != selector.name:
        named = f"{METRIC_NAME}={go_strings.quote(selector.name)}"
        return f"{{{named}, {matchers}}}" if matchers else f"{{{named}}}"
    return f"{plain}{{{matchers}}}" if matchers else plain


def _matcher(matcher: Matcher) -> str:
    return f"{_label(matcher.label)}{matcher.operator}{go_strings.quote(matcher.value)}"


def _label(name: str) -> str:
    return name if promql.is_plain(name) else go_strings.quote(name)
