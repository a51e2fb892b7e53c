"""A template that failed, in the words in which Prometheus shows it: Go's text/template (exec.go, errorf and ErrorContext).

The words matter where a label failed: they are a part of the alert's identity there.
"""

from __future__ import annotations

import re
from typing import Final

from rules.errors import TemplateError

_PREAMBLE: Final = len(
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
)
"""What Prometheus puts before the first line of every template, and counts."""
_CALL: Final = re.compile(r"function '(\w+)' failed: (.*)", re.DOTALL)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\s+|-?\}\}|.', re.DOTALL)


def in_go_words(error: TemplateError, template: str, alert: str) -> str:
    """What Prometheus says of the failure of this alert's template; of a function's failure it is the same text."""
    name = f"__alert_{alert}"
    head = f"error executing template {name}: "
    found = _CALL.fullmatch(error.reason)
    if found is None or error.line is None or error.column is None:
        return head + error.message
    function, reason = found.groups()
    lines = template.split("\n")[error.line - 1 :]
    start = _start(function, lines[0], error.column - 1)
    column = len(lines[0][:start].encode()) + (_PREAMBLE if error.line == 1 else 0)
    shown = _command("\n".join(lines)[start:])
    where = f"template: {name}:{error.line}:{column}: executing {_quoted(name)} at <{shown}>"
    return f"{head}{where}: error calling {function}: {reason}"


def _start(function: str, line: str, near: int) -> int:
    """Where the function that failed stands; what is known is the beginning of a pipe it is in, or of its argument."""
    places = [found.start() for found in re.finditer(rf"\b{function}\b", line)]
    return next((place for place in places if place >= near), max(places, default=near))


def _command(text: str) -> str:
    """The command that begins the text, up to the pipe, the parenthesis or the action's end; blanks as Go prints them."""
    parts: list[str] = []
    depth = 0
    for part in _TOKEN.findall(text):
        depth += (part == "(") - (part == ")")
        if depth < 0 or (part == "|" and not depth) or part.endswith("}}"):
            break
        parts.append(" " if part.isspace() else part)
    return "".join(parts).strip()


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
