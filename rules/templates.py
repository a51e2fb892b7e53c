"""Templates of labels and annotations: Go's text/template with Prometheus' functions (gotpl behind one door).

A template sees the series as `$labels` and `$value`, as in Prometheus. It can fail, but it cannot harm: output, steps,
memory and queries are bounded (rules.template_budget), and it reaches no attribute of a Python object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from inspect import Parameter, Signature, signature
from typing import Final, Protocol, runtime_checkable

import gotpl
from gotpl.runtime.sync_vm import _builtin_functions  # the only way to wrap Go's own printf

from rules.errors import TemplateError
from rules.template_budget import MAX_TEMPLATE, Spending, budget, check_widths
from rules.template_failures import in_go_words
from rules.template_functions import BOUND, PURE, Element, Function, Surroundings

_PREAMBLE: Final = (
    "{{ _begin }}{{ $labels := .Labels }}{{ $externalLabels := .ExternalLabels }}"
    "{{ $externalURL := .ExternalURL }}{{ $value := .Value }}"
)
"""Defines what Prometheus defines (P:rules/alerting.go); it has no line feed, so lines in errors stay right."""

_STATE: Final = "tocsin"
_PLAIN: Final = r"[^\"'`\\/{}]*"
_ACTION: Final = re.compile(rf"{{{{{_PLAIN}(?:\"{_PLAIN}\"{_PLAIN})*}}}}")
"""An action without anything that could hide its end: no comment, no escape, no other quotes, no brace in a text."""
SURROGATES: Final = re.compile("[\ud800-\udfff]")
_OCTAL: Final = re.compile(r"(?<![0-9A-Za-z_.])0[0-7_]{12}")
"""A number for which gotpl's lexer takes twice as long with each digit. Found in a string or a text it does no harm; it is
refused there as well, because only the lexer itself knows where a string ends."""
FAILURES: Final = (
    gotpl.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What gotpl lets out for bad templates: its own errors, and Python's for numbers or nesting beyond any reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateData:
    """What a template sees: the series' own labels and value, and the world around the rule.

    `query` answers PromQL at the time of the evaluation, `None` where there is none to ask; `now` is that time. `alert` is the
    rule's name, by which a failure calls its template. The label of a route sees, beside that, `group` (more fields of the
    dot) and by `routeLabels` the other labels of its route.
    """

    labels: Mapping[str, str]
    value: float
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    query: Callable[[str], Sequence[Element]] | None = None
    now: datetime | None = None
    alert: str = ""
    group: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    route_label: Callable[[str], str] | None = None


def check_route_label(template: str) -> None:
    """Refuse the template of a route's label that does not parse. Raises TemplateError."""
    if "{{" in template:
        _compiled_of_route(template)


def check(template: str) -> None:
    """Refuse a template that does not parse; that it can be executed is not tried. Raises TemplateError."""
    if "{{" in template and not _actions_parse(template):
        _compiled(template)


def render(template: str, data: TemplateData) -> str:
    """The text a template makes of the data; text without `{{` is its own.

    Raises TemplateError for a template that does not parse, fails, or runs out of its budget.
    """
    if "{{" not in template:
        return template
    compiled = _compiled(template) if data.route_label is None else _compiled_of_route(template)
    try:
        text: str = compiled.render(_Root(data))
    except FAILURES as error:
        raise told(error) from error
    # `printf "%c" 0xd800` makes half a surrogate pair, which no database and no service takes; Go prints this instead.
    return SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def render_or_error(template: str, data: TemplateData) -> str:
    """The text a template makes, or `<error expanding template: …>`, which is what Prometheus then shows, in its words."""
    try:
        return render(template, data)
    except TemplateError as error:
        return f"<error expanding template: {in_go_words(error, template, data.alert)}>"


@lru_cache(maxsize=2048)
def uses_query(template: str) -> bool:
    """Whether a template asks Prometheus, so that its text cannot be made again later. Broken templates do not."""
    if "query" not in template:
        return False
    try:
        check(template)
    except TemplateError:
        return False
    try:
        _compile(template, {name: function for name, function in _FUNCTIONS.items() if name != "query"})
    except TemplateError:
        return True
    return False


def _actions_parse(template: str) -> bool:
    """Whether the template surely parses: its actions do without the text between them, which many templates share.

    Parsing takes a millisecond, and a thousand rules differ in little but their text.
    """
    actions = _ACTION.findall(template)
    odd = len(template) > MAX_TEMPLATE or SURROGATES.search(template) or _OCTAL.search(template)
    if odd or len(actions) != template.count("{{"):
        return False
    try:
        _compiled("".join(actions))
    except TemplateError:
        return False
    return True


@lru_cache(maxsize=4096)
def _compiled(template: str) -> gotpl.Template:
    return _compile(template, _FUNCTIONS)


@lru_cache(maxsize=1024)
def _compiled_of_route(template: str) -> gotpl.Template:
    return _compile(template, _ROUTE_FUNCTIONS)


def _compile(template: str, known: Mapping[str, Callable[..., object]]) -> gotpl.Template:
    if len(template) > MAX_TEMPLATE:
        raise TemplateError(f"a template of {len(template)} characters is too long; the most is {MAX_TEMPLATE}")
    if _OCTAL.search(template, max(0, template.find("{{"))):
        raise TemplateError("a number begins with 0 and has more than 12 digits; leave the zeros out")
    try:
        return gotpl.Template(
            _PREAMBLE + template,
            functions=known,
            missing_key="zero",
            sandbox=gotpl.SandboxPolicy(allow_functions=known, allow_custom_lookup=True),
            budget=budget(template),
        )
    except FAILURES as error:
        raise told(error) from error


def told(error: Exception, before: int = len(_PREAMBLE)) -> TemplateError:
    """The failure with its place in the user's own text, which begins after `before` characters of ours."""
    line, column = getattr(error, "line", None), getattr(error, "column", None)
    text = str(getattr(error, "message", error) or type(error).__name__)[:300]
    if line is None or column is None:
        return TemplateError(text)
    text = text.removeprefix(f"template:{line}:{column}: ")
    return TemplateError(text, line=line, column=column - (before if line == 1 else 0))


class _Root:
    """The dot of a template. An unknown field is an error and not `<no value>`, since it is a slip of the pen."""

    def __init__(self, data: TemplateData) -> None:
        self.surroundings = Surroundings(
            query=data.query, external_url=data.external_url, now=data.now, spending=Spending()
        )
        self._fields: dict[str, object] = {
            "Labels": gotpl.TypedMap(dict(data.labels), ""),
            "ExternalLabels": gotpl.TypedMap(dict(data.external_labels), ""),
            "ExternalURL": data.external_url,
            "Value": data.value,
            **{
                name: text if isinstance(text, str) else gotpl.TypedMap(dict(text), "")
                for name, text in data.group.items()
            },
        }
        self.route_label = data.route_label

    def __gotemplate_lookup__(self, name: str) -> object:
        if name not in self._fields:
            raise gotpl.TemplateExecutionError(f"can't evaluate field {name}; there are {', '.join(self._fields)}")
        return self._fields[name]

    def __str__(self) -> str:
        return "{" + " ".join(str(_GO["print"](value)) for value in self._fields.values()) + "}"


# --- the functions, each counted ---


def begin(context: gotpl.RenderContext) -> str:
    """Runs first, where the root is still ours, and keeps the surroundings for the functions called later."""
    _surroundings(context)
    return ""


@runtime_checkable
class Rooted(Protocol):
    """A root of ours, which knows what its functions may see."""

    @property
    def surroundings(self) -> Surroundings: ...


def _surroundings(context: gotpl.RenderContext) -> Surroundings:
    def first() -> Surroundings:
        assert isinstance(context.root, Rooted)
        return context.root.surroundings

    return context.state(_STATE, first)


def counted(function: Function, *, bound: bool) -> gotpl.ContextFunction:
    """The function as gotpl calls it: what goes in and what comes out is charged to the rendering."""

    def call(context: gotpl.RenderContext, *arguments: object) -> object:
        surroundings = _surroundings(context)
        surroundings.spending.charge(*arguments)
        result = function(surroundings, *arguments) if bound else function(*arguments)
        surroundings.spending.charge(result)
        return result

    # gotpl reads the number of arguments from here; it adds the first one, the context, itself.
    given = list(signature(function).parameters.values())
    context = [] if bound else [Parameter("context", Parameter.POSITIONAL_OR_KEYWORD)]
    call.__signature__ = Signature([*context, *given])  # type: ignore[attr-defined] # any function may have one
    return gotpl.ContextFunction(sync=call)


def printf(layout: object, *values: object) -> object:
    if isinstance(layout, str):
        check_widths(layout, values)
    return _GO["printf"](layout, *values)


_GO: Final = _builtin_functions("go")
GROWING: Final = {name: _GO[name] for name in ("print", "println", "html", "js", "urlquery")}
"""Go's own functions that make text; the others only look, or return a part of what they are given."""

_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {
    "_begin": gotpl.ContextFunction(sync=begin),
    **{name: counted(function, bound=False) for name, function in {**GROWING, **PURE, "printf": printf}.items()},
    **{name: counted(function, bound=True) for name, function in BOUND.items()},
}


def _route_label(context: gotpl.RenderContext, name: object) -> str:
    if not isinstance(name, str) or not isinstance(context.root, _Root) or context.root.route_label is None:
        raise TypeError(f"routeLabels wants the name of a route's label, not {name!r:.40}")
    text = context.root.route_label(name)
    _surroundings(context).spending.charge(text)
    return text


_ROUTE_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {
    **_FUNCTIONS,
    "routeLabels": gotpl.ContextFunction(sync=_route_label),
}
"""What the labels of routes know besides (A:template/template.go)."""
