"""Templates of messages: Go's text/template and html/template with Alertmanager's functions and data (gotpl behind one door).

A template may use what `definitions` define by `{{ define "name" }}`, and Alertmanager's own default templates by name. It can
fail, but it cannot harm: output, steps and memory are bounded, and it reaches no attribute of a Python object.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

import gotpl

from rules.errors import TemplateError
from rules.message_data import MessageData, Root
from rules.message_defaults import DEFAULTS
from rules.message_functions import MESSAGE_BOUND, MESSAGE_PURE, route_label
from rules.template_budget import Spending
from rules.template_functions import Surroundings
from rules.templates import FAILURES, GROWING, SURROGATES, begin, counted, printf, told

MAX_TEXT: Final = 256 * 1024
"""Characters of a template and its definitions."""
_BUDGET: Final = gotpl.ExecutionBudget(
    max_output_chars=512 * 1024, max_iterations=50_000, max_template_depth=50, max_function_calls=20_000
)
_PREAMBLE: Final = "{{ $_ := _begin }}"
_DEFINE: Final = re.compile(r"\{\{-?\s*(?:define|block)\s+(?:\"(?:[^\"\\]|\\.)*\"|`[^`]*`)[^{}]*?(-?)\}\}")
_QUOTED: Final = r"(?:\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`)"
_NAME: Final = re.compile(rf"\{{\{{-?\s*(?:define|block)\s+{_QUOTED}")
_CALL: Final = re.compile(rf"\{{\{{-?\s*template\s+{_QUOTED}")
_UNKNOWN: Final = re.compile(r"function ['\"](\w+)['\"] (?:is )?not defined")
_BUILT_IN: Final = (
    "and",
    "or",
    "not",
    "len",
    "index",
    "slice",
    "call",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "range",
    "with",
    "end",
)
_OCTAL: Final = re.compile(r"(?<![0-9A-Za-z_.])0[0-7_]{12}")


def render(template: str, data: MessageData, definitions: str = "", *, html: bool = False) -> str:
    """The text a template makes of the data; text without `{{` is its own.

    With `html` what is filled in is escaped for the place in HTML where it stands. Raises TemplateError, with the line, for a
    template that does not parse, fails, or runs out of its budget.
    """
    if "{{" not in template:
        return template
    root = Root(data, Surroundings(query=None, external_url=data.external_url, now=data.now, spending=Spending()))
    compiled = _compiled(template, definitions, html)
    try:
        text: str = compiled.render(root)
    except FAILURES as error:
        raise _at(error, definitions) from error
    return SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def check(template: str, definitions: str = "", *, html: bool = False) -> None:
    """Refuse a template that does not parse, or calls one nobody has defined. Raises TemplateError."""
    if "{{" in template or "{{" in definitions:
        _compiled(template, definitions, html)
        _undefined(template, definitions)


@lru_cache(maxsize=512)
def _compiled(template: str, definitions: str, html: bool) -> gotpl.Template | gotpl.HTMLTemplate:
    if len(template) + len(definitions) > MAX_TEXT:
        raise TemplateError(f"the template and its definitions are longer than {MAX_TEXT} characters")
    if _OCTAL.search(template) or _OCTAL.search(definitions):
        raise TemplateError("a number begins with 0 and has more than 12 digits; leave the zeros out")
    sources = {
        "message": _PREAMBLE + stepped(template),
        "defaults": stepped(_defaults_beside(template)),
        "definitions": stepped(definitions),
    }
    kind = gotpl.HTMLTemplate if html else gotpl.Template
    try:
        return kind.from_sources(
            sources,
            functions=_FUNCTIONS,
            missing_key="zero",
            sandbox=gotpl.SandboxPolicy(
                allow_functions=_FUNCTIONS, allow_custom_lookup=True, max_template_chars=2 * MAX_TEXT
            ),
            budget=_BUDGET,
        )
    except FAILURES as error:
        raise _at(error, definitions) from error


def _defaults_beside(template: str) -> str:
    """Alertmanager's own, less those that the template defines itself: of two definitions the later would count."""
    own = _defined(template)
    return "".join(text for name, text in DEFAULTS.items() if name not in own)


def _defined(text: str) -> set[str]:
    return {found[1] or found[2] for found in _NAME.finditer(text)}


def stepped(text: str) -> str:
    """The text with each definition counting its executions, for one that calls itself twice would never end."""
    return _DEFINE.sub(lambda found: f"{found[0]}{{{{ $_ := _step {found[1]}}}}}", text)


def _undefined(template: str, definitions: str) -> None:
    """TemplateError for a call of what nobody has defined, which would fail only when a message is due."""
    known = _defined(template) | _defined(definitions) | DEFAULTS.keys()
    for text, place in ((template, ""), (definitions, "in the definitions: ")):
        for found in _CALL.finditer(text):
            name = found[1] or found[2]
            if name not in known:
                line = text.count("\n", 0, found.start()) + 1
                raise TemplateError(f"{place}no template {name!r} is defined{_like(name, known)}", line=line, column=1)


def _like(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _at(error: Exception, definitions: str) -> TemplateError:
    """The failure with its place, in the template or in the definitions it calls; with the fix where that is plain."""
    source = getattr(error, "source_name", None) or ("message" if _parses(definitions) else "definitions")
    found = told(error, len(_PREAMBLE) if source == "message" else 0)
    place = "" if source == "message" else f"in what it calls ({source}): "
    unknown = _UNKNOWN.search(found.reason)
    hint = _like(unknown[1], [name for name in (*_FUNCTIONS, *_BUILT_IN) if name[0] != "_"]) if unknown else ""
    return TemplateError(f"{place}{found.reason}{hint}", line=found.line, column=found.column)


def _parses(definitions: str) -> bool:
    try:
        gotpl.Template(definitions, functions=_FUNCTIONS)
    except FAILURES:
        return False
    return True


def _step() -> str:
    return ""


def _route_label(context: gotpl.RenderContext, name: object) -> str:
    return route_label(context.root, name)


_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {
    "_begin": gotpl.ContextFunction(sync=begin),
    "_step": _step,
    "routeLabels": gotpl.ContextFunction(sync=_route_label),
    **{name: counted(one, bound=False) for name, one in {**GROWING, **MESSAGE_PURE, "printf": printf}.items()},
    **{name: counted(one, bound=True) for name, one in MESSAGE_BOUND.items()},
}
