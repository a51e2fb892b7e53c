"""Matchers and labels as they are typed after a command."""

from __future__ import annotations

from collections.abc import Iterable

from api.commands.failures import UsageError

OPERATORS = "=!~"


def parsed(texts: Iterable[str]) -> list[dict[str, str]]:
    """The matchers typed, as the API takes them; a word without an operator is an alertname, as with amtool.

    Raises UsageError naming the text and the place in it.
    """
    from rules.errors import MatcherError
    from rules.matcher_syntax import cut

    try:
        parts = [part for text in texts for part in cut(spelt(text))]
    except MatcherError as error:
        raise UsageError(error.message) from error
    return [{"name": name, "operator": operator, "value": value} for name, operator, value in parts]


def spelt(text: str) -> str:
    """The matcher with its operator: `HighCpu` means `alertname="HighCpu"`."""
    bare = text and not any(letter in text for letter in OPERATORS + '{}",')
    return f'alertname="{text}"' if bare else text


def labels(texts: Iterable[str]) -> dict[str, str]:
    """The labels that `name=value` texts mean. Raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or value.startswith("~") or name.endswith("!"):
            raise UsageError(f"{text!r}: write a label as name=value")
        if found.setdefault(name, value) != value:
            raise UsageError(f"{text!r}: the label {name} is given twice; an alert has it once")
    return found
