"""The reference at /docs: the OpenAPI document as one page of HTML, for people in networks that reach nothing else.

It is made here from what the application says of itself, so it cannot fall behind. No script, no font, no picture, nothing
from another host: a text browser shows it as well, and the browser's own search finds everything. Whoever asks may read it,
since it holds nothing that is not in the source; so it does not tell the version either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.scopes import needed

router = APIRouter(include_in_schema=False)

PATH: Final = "/docs"

Document = Mapping[str, Any]

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_SHAPES: Final = "#/components/schemas/"
_OPEN: Final = frozenset({"/health/live", "/health/liveness"})

_STYLE: Final = """
:root { color-scheme: light dark;
  --ink: #1c2330; --dim: #5b6576; --line: #dde2ea; --paper: #fff; --tint: #f5f7fa; --link: #0b57b0;
  --get: #0b6bb3; --post: #1a7f45; --put: #9a5b00; --patch: #7a4bb5; --delete: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --dim: #9aa5b5; --line: #313a48; --paper: #12161d; --tint: #1a202a;
  --link: #7db4f5; --get: #3b8fd1; --post: #3a9c63; --put: #b97a1f; --patch: #9a70d0; --delete: #d0574f; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; color: var(--ink); background: var(--paper); font: 16px/1.55 system-ui, sans-serif; display: flex; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; flex: 0 0 23rem; padding: 1.2rem 1rem; background: var(--tint);
  border-right: 1px solid var(--line); font-size: .86rem; }
nav ul { list-style: none; margin: 0 0 .9rem; padding: 0; }
nav li a { display: flex; gap: .5rem; align-items: baseline; padding: .12rem .3rem; border-radius: 4px; color: var(--ink); }
nav li a:hover { background: var(--line); text-decoration: none; }
nav .path { overflow-wrap: anywhere; }
nav h2 { font-size: .78rem; letter-spacing: .06em; text-transform: uppercase; color: var(--dim); margin: .9rem 0 .3rem .3rem; }
main { flex: 1; min-width: 0; max-width: 62rem; padding: 1.6rem 2.4rem 5rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
h1 { margin: 0 0 .4rem; font-size: 1.7rem; } h2 { margin: 2.6rem 0 .6rem; font-size: 1.35rem; }
h3 { margin: 0; font-size: 1.02rem; font-weight: 600; display: flex; gap: .7rem; align-items: baseline; flex-wrap: wrap; }
h4 { margin: 1rem 0 .3rem; font-size: .82rem; letter-spacing: .04em; text-transform: uppercase; color: var(--dim); }
article { border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem 1rem; margin: 0 0 1rem; }
article > p { margin: .5rem 0; }
.method { font: 700 .7rem/1.5 ui-monospace, monospace; color: #fff; border-radius: 4px; padding: 0 .4rem; min-width: 3.9rem;
  text-align: center; flex: none; }
.get { background: var(--get); } .post { background: var(--post); } .put { background: var(--put); }
.patch { background: var(--patch); } .delete { background: var(--delete); }
.path, code, pre { font-family: ui-monospace, monospace; } code { font-size: .88em; }
.scope { margin-left: auto; font-weight: 400; font-size: .8rem; color: var(--dim); }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow-x: auto;
  font-size: .8rem; line-height: 1.45; margin: .4rem 0; max-height: 26rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th { text-align: left; font-weight: 600; color: var(--dim); font-size: .78rem; }
th, td { border-bottom: 1px solid var(--line); padding: .28rem .9rem .28rem 0; vertical-align: top; }
.dim { color: var(--dim); }
@media (max-width: 60rem) { body { display: block; } nav { position: static; height: auto; max-height: 45vh; border-right: 0;
  border-bottom: 1px solid var(--line); } main { padding: 1.2rem 1rem 4rem; } }
@media print { nav { display: none; } pre { max-height: none; } }
"""

_INTRODUCTION: Final = """
<h1>Tocsin</h1>
<p>What Tocsin answers over HTTP. Everything here is in <a href="/openapi.json"><code>/openapi.json</code></a> too,
for programs.</p>
<div class="table"><table>
<tr><th>Key</th><td><code>Authorization: Bearer KEY</code>. Beside each path stands the scope it needs; <code>admin</code>
contains <code>write</code>, that <code>silence</code>, that <code>read</code>.</td></tr>
<tr><th>Durations</th><td>As in Prometheus: <code>"5m"</code>, <code>"1h30m"</code>.</td></tr>
<tr><th>Instants</th><td>RFC 3339, answered in UTC: <code>"2026-11-21T12:00:00Z"</code>.</td></tr>
<tr><th>Lists</th><td><code>{"items": […], "next_cursor": …}</code>; <code>?cursor=</code> with that asks for
the next page.</td></tr>
<tr><th>Writes</th><td><code>?dry_run=true</code> says what would change, and changes nothing. <code>If-Match</code> with the
<code>ETag</code> of what was read refuses to overwrite somebody else's change (409).</td></tr>
<tr><th>Errors</th><td>Problem details (RFC 9457), with every problem at once:
<a href="#ProblemDocument"><code>ProblemDocument</code></a>.</td></tr>
</table></div>
"""


@router.api_route(PATH, methods=["GET", "HEAD"])
def read_reference(request: Request) -> HTMLResponse:
    """What Tocsin answers over HTTP, for people."""
    return HTMLResponse(page(request.app.openapi()), headers=_HEADERS)


def page(document: Document) -> str:
    """The whole OpenAPI document as HTML. Nothing in it is taken for markup."""
    sections = _sections(document)
    shapes: Document = document["components"]["schemas"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Tocsin: REST reference</title><link rel='icon' href='data:,'><style>{_STYLE}</style></head><body>",
        f"<nav aria-label='Operations'>{_contents(sections)}</nav><main>{_INTRODUCTION}",
        *(_section(tag, operations, shapes) for tag, operations in sections.items()),
        "<h2 id='shapes'>Shapes</h2>",
        *(_shape(name, shapes[name]) for name in sorted(shapes)),
        "</main></body></html>",
    ]
    return "".join(parts)


def _sections(document: Document) -> dict[str, list[tuple[str, str, Document]]]:
    """Method, path and operation of everything there is, by its tag."""
    sections: dict[str, list[tuple[str, str, Document]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = next(iter(operation.get("tags", ())), "other")
            sections.setdefault(tag, []).append((method, path, operation))
    return sections


def _contents(sections: Mapping[str, Sequence[tuple[str, str, Document]]]) -> str:
    parts: list[str] = []
    for tag, operations in sections.items():
        entries = (
            f"<li><a href='#{_anchor(method, path)}'>{_badge(method)}<span class='path'>{escape(_short(path))}</span></a></li>"
            for method, path, _ in operations
        )
        parts.append(f"<h2>{escape(tag)}</h2><ul>{''.join(entries)}</ul>")
    return "".join(parts) + "<h2><a href='#shapes'>Shapes</a></h2>"


def _short(path: str) -> str:
    return path.removeprefix("/api/v1")


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""))


def _badge(method: str) -> str:
    return f"<span class='method {escape(method)}'>{escape(method.upper())}</span>"


def _section(tag: str, operations: Sequence[tuple[str, str, Document]], shapes: Document) -> str:
    articles = "".join(_operation(method, path, operation, shapes) for method, path, operation in operations)
    return f"<section><h2>{escape(tag)}</h2>{articles}</section>"


def _operation(method: str, path: str, operation: Document, shapes: Document) -> str:
    scope = "open to everybody" if path in _OPEN else f"scope {needed(method.upper(), path)}"
    return (
        f"<article id='{_anchor(method, path)}'><h3>{_badge(method)}<span class='path'>{escape(path)}</span>"
        f"<span class='scope'>{escape(scope)}</span></h3><p>{_text(operation.get('description', ''))}</p>"
        f"{_parameters(operation.get('parameters', ()))}{_body(operation, shapes)}{_answers(operation, shapes)}</article>"
    )


def _parameters(parameters: Sequence[Document]) -> str:
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code></td><td class='dim'>{escape(one['in'])}</td>"
        f"<td>{_kind(one['schema'])}</td><td>{_text(one.get('description', ''))}{_default(one['schema'])}</td></tr>"
        for one in parameters
    ]
    return f"<h4>Parameters</h4>{_table(rows)}" if rows else ""


def _body(operation: Document, shapes: Document) -> str:
    schema = _content(operation.get("requestBody", {}))
    return "" if schema is None else f"<h4>Body</h4><p>{_kind(schema)}</p>{_example(schema, shapes)}"


def _answers(operation: Document, shapes: Document) -> str:
    """The good answers whole; of the refusals, which all look alike, the numbers only."""
    parts: list[str] = []
    refusals: list[str] = []
    for status, answer in operation.get("responses", {}).items():
        if not status.startswith("2"):
            refusals.append(status)
            continue
        schema = _content(answer)
        said = "" if schema is None else f"<p>{_kind(schema)}</p>{_example(schema, shapes)}"
        parts.append(f"<h4>Answer {escape(status)}</h4>{said or '<p class=dim>No content.</p>'}")
    told = f"<p class='dim'>Refusals: {escape(', '.join(sorted(refusals)))}</p>" if refusals else ""
    return "".join(parts) + told


def _content(carrier: Document) -> Document | None:
    """The schema of what is sent or answered; `None` when nothing is."""
    media = next(iter(carrier.get("content", {}).values()), None)
    return None if media is None else media.get("schema", {})


def _shape(name: str, schema: Document) -> str:
    required = frozenset(schema.get("required", ()))
    rows = [
        f"<tr><td><code>{escape(field)}</code>{' <span class=dim>required</span>' if field in required else ''}</td>"
        f"<td>{_kind(one)}</td><td>{_text(one.get('description', ''))}{_default(one)}</td></tr>"
        for field, one in schema.get("properties", {}).items()
    ]
    said = _text(schema.get("description", "")) or ("" if rows else _kind(schema))
    return f"<article id='{escape(name)}'><h3><code>{escape(name)}</code></h3><p>{said}</p>{_table(rows)}</article>"


def _table(rows: Sequence[str]) -> str:
    return f"<div class='table'><table>{''.join(rows)}</table></div>" if rows else ""


def _kind(schema: Document) -> str:
    """What a value may be, in words, with links to the shapes it is made of."""
    return " or ".join(dict.fromkeys(_kinds(schema))) or "<span class='dim'>anything</span>"


def _kinds(schema: Document) -> Iterator[str]:
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_SHAPES))
        yield f"<a href='#{name}'><code>{name}</code></a>"
    elif "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from _kinds(one)
    elif values := _values(schema):
        yield " or ".join(map(_literal, values))
    elif schema.get("type") == "array":
        yield f"list of {_kind(schema.get('items', {}))}"
    elif "type" in schema:
        yield escape(schema.get("format", schema["type"]))


def _values(schema: Document) -> list[object]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _default(schema: Document) -> str:
    """The default, where it is worth telling."""
    if schema.get("default") is None:
        return ""
    return f" <span class='dim'>Default {_literal(schema['default'])}.</span>"


def _literal(value: object) -> str:
    return f"<code>{escape(json.dumps(value, ensure_ascii=False))}</code>"


def _example(schema: Document, shapes: Document) -> str:
    """The first example the schema gives, or the shape it refers to."""
    for one in (schema, *schema.get("anyOf", ())):
        named = shapes.get(one.get("$ref", "").removeprefix(_SHAPES), {})
        for example in (*one.get("examples", ()), *named.get("examples", ())):
            return f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>"
    return ""


def _text(text: str) -> str:
    """A sentence or some, with what stands in backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
