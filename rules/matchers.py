"""Matchers: the one language in which routes, silences, inhibitions and thresholds say which labels they mean.

A matcher compares one label with a value; a list of matchers means all of them. Text is Alertmanager's, both dialects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rules import go_strings, matcher_syntax
from rules.errors import MatcherError
from rules.regexes import Regex, compiled


class Operator(StrEnum):
    """How a matcher compares, written as Prometheus writes it."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"

    @property
    def is_regex(self) -> bool:
        return self in (Operator.REGEX, Operator.NOT_REGEX)

    @property
    def is_negative(self) -> bool:
        return self in (Operator.NOT_EQUAL, Operator.NOT_REGEX)


# The three fields read in the order they are written, so they may be given by place.
@dataclass(frozen=True, slots=True)
class Matcher:
    """One comparison of one label. A label that is absent counts as empty; a regex (RE2) must match the whole value.

    Raises MatcherError for an empty name, text that is not valid Unicode, or a regex that RE2 refuses.
    """

    name: str
    operator: Operator
    value: str
    _regex: Regex | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise MatcherError(f'a matcher needs a label name, as in team{self.operator}"…"')
        try:
            _ = (self.name + self.value).encode()
            regex = compiled(self.value) if self.operator.is_regex else None
        except UnicodeEncodeError as error:
            raise MatcherError(f"matcher {self.name!r} holds text that is not valid Unicode") from error
        except ValueError as error:
            raise MatcherError(f"matcher {self.name!r}: {error}") from error
        object.__setattr__(self, "_regex", regex)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy the comparison."""
        value = labels.get(self.name, "")
        if self._regex is None:
            return (value == self.value) is not self.operator.is_negative
        return (self._regex.fullmatch(value.encode()) is not None) is not self.operator.is_negative

    def __str__(self) -> str:
        """As Alertmanager prints it (A:matcher/matcher.go): `team="db"`, the name in quotes where it must be."""
        if matcher_syntax.needs_quotes(self.name):
            return f"{go_strings.quote(self.name)}{self.operator}{go_strings.quote(self.value)}"
        escaped = self.value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        return f'{self.name}{self.operator}"{escaped}"'


def parse_matcher(text: str) -> Matcher:
    """The one matcher in `team="db"`; braces are refused here, as Alertmanager refuses them.

    Raises MatcherError with the position of what is wrong.
    """
    if text.startswith("{") or text.endswith("}"):
        hint = 'write one matcher without braces and put its value in quotes, as in team=~"a{2}"'
        raise MatcherError(f"{text[:80]!r}: unexpected brace; {hint}")
    matchers = parse_matchers(text)
    if len(matchers) != 1:
        raise MatcherError(f'{text[:80]!r}: expected 1 matcher such as team="db", found {len(matchers)}')
    return matchers[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers in `{a="b",c!~"d"}`; braces are optional, one trailing comma is allowed, no matcher at all is `()`.

    Raises MatcherError with the position (characters from 0) of what is wrong.
    """
    return tuple(Matcher(name, Operator(operator), value) for name, operator, value in matcher_syntax.cut(text))


def print_matchers(matchers: Iterable[Matcher]) -> str:
    """The list in braces, in the order given; parse_matchers reads it back to the same matchers."""
    return "{" + ",".join(str(matcher) for matcher in matchers) + "}"
