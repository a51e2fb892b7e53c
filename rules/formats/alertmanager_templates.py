"""Template files of Alertmanager: the definitions in them, put into the texts that call them.

A channel then stands for itself, and its texts are still templates that Alertmanager takes. Only the borders of definitions are
looked at here; what is in them is the template engine's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from rules import message_parts
from rules.channels import Channel
from rules.formats.reading import Flaw
from rules.problems import Problem, Severity

_ACTION: Final = re.compile(
    r"\{\{-?\s*(?:/\*.*?\*/\s*-?|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|'(?:\\.|[^'\\])*'|[^\"`'}]|\}(?!\}))*)\}\}", re.DOTALL
)
_WORD: Final = re.compile(r"\{\{-?\s*(\w+)")
_NAMED: Final = re.compile(r"\{\{-?\s*(?:define|block)\s+(\"(?:\\.|[^\"\\])*\"|`[^`]*`)")
_CALLED: Final = re.compile(r"\btemplate\s+(\"(?:\\.|[^\"\\])*\"|`[^`]*`)")
_OPENS: Final = frozenset({"if", "range", "with", "define", "block"})
_BUILT_IN: Final = re.compile(r"__|[a-z]+2?\.default\.")
"""How the names of Alertmanager's own definitions begin (A:template/default.tmpl)."""


def completed(
    channels: Iterable[Channel], files: Mapping[str, str], file: str
) -> tuple[tuple[Channel, ...], tuple[Flaw, ...]]:
    """The channels, the definitions that their texts call in front of them, and what is called and nowhere defined.

    Of two definitions of a name the later one counts, as in Alertmanager. `file` is what a flaw is told by.
    """
    known = {name: text for content in files.values() for name, text in definitions(content)}
    flaws: list[Flaw] = []
    found = []
    for channel in channels:
        templates = {}
        for name, text in channel.templates.items():
            needed = _needed(text, known)
            templates[name] = "".join(known[one] for one in needed if one in known) + text
            missing = [_missing(file, channel, name, one) for one in needed if one not in known]
            flaws += missing or _wrong(file, channel, name, templates[name])
        found.append(replace(channel, templates=templates))
    return tuple(found), tuple(flaws)


def definitions(text: str) -> Iterator[tuple[str, str]]:
    """The definitions of a file by name, each from its `define` to its `end`; one that does not end is none."""
    depth = 0
    begun: tuple[str, int] | None = None
    for action in _ACTION.finditer(text):
        word = _WORD.match(action[0])
        if word is None:
            continue
        if word[1] in _OPENS:
            if depth == 0:
                begun = _begun(action)
            depth += 1
        elif word[1] == "end":
            depth -= 1
            if depth == 0 and begun is not None:
                name, start = begun
                yield name, text[start : action.end()]
                begun = None


def _begun(action: re.Match[str]) -> tuple[str, int] | None:
    """The name of the definition that begins with this action, and where; `None` for what defines nothing."""
    named = _NAMED.match(action[0])
    return None if named is None else (_unquoted(named[1]), action.start())


def _needed(text: str, known: Mapping[str, str]) -> Sequence[str]:
    """The names that the text calls, and what those call, each once; not what the text defines, or Alertmanager does."""
    own = {name for name, _ in definitions(text)}
    waiting, found = _calls(text), dict[str, None]()
    while waiting:
        name = waiting.pop(0)
        if name in found or name in own or (_BUILT_IN.match(name) and name not in known):
            continue
        found[name] = None
        waiting += _calls(known.get(name, ""))
    return list(found)


def _calls(text: str) -> list[str]:
    return [_unquoted(called[1]) for action in _ACTION.finditer(text) for called in _CALLED.finditer(action[0])]


def _unquoted(text: str) -> str:
    return text[1:-1].replace('\\"', '"') if text[0] == '"' else text[1:-1]


def _missing(file: str, channel: Channel, field: str, name: str) -> Flaw:
    return _told(file, channel, f"{field} calls the template {name!r}, which none of the files in templates defines")


def _wrong(file: str, channel: Channel, field: str, text: str) -> list[Flaw]:
    """What keeps the text from being part of a message; the message's default stands in for it then."""
    return [_told(file, channel, error.message) for error in message_parts.wrong(channel.kind, {field: text})]


def _told(file: str, channel: Channel, message: str) -> Flaw:
    problem = Problem(severity=Severity.WARNING, field="templates", message=f"channel {channel.name!r}: {message}")
    return Flaw(file=file, line=1, column=1, problem=problem)
