"""`tocsin routes`: the tree that says who is told, drawn, tried and replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer

from api.commands import matching, options, words
from api.commands.definitions import apply_files, commands
from api.commands.nouns import ROUTE, Column, Fields, Fit
from api.commands.output import Format, say, show, show_list, warn

TRIED = (
    Column(title="TRIED", read=lambda step, _: "  " * int(step.get("depth") or 0) + words.plain(step.get("route_id"))),
    Column(title="VERDICT", read=lambda step, _: words.plain(step.get("verdict"))),
    Column(title="WHY", read=lambda step, _: words.plain(step.get("why")), fit=Fit.WRAP),
)
TAKEN = (
    Column(title="TAKEN BY", read=lambda policy, _: words.plain(policy.get("route_id"))),
    Column(title="RECEIVER", read=lambda policy, _: words.plain(policy.get("receiver"))),
    Column(title="CHANNELS", read=lambda policy, _: words.plain(policy.get("channels")), fit=Fit.WRAP),
    Column(title="GROUP", read=lambda policy, _: words.labels(policy.get("group_labels")), fit=Fit.WRAP),
    Column(title="WAIT", read=lambda policy, _: words.plain(policy.get("group_wait"))),
    Column(title="REPEAT", read=lambda policy, _: words.plain(policy.get("repeat_interval"))),
)


def apply(
    file: options.Files,
    tree: Annotated[
        bool, typer.Option("--tree", help="They are the whole tree, set in one step: a route not in them is removed.")
    ] = False,
    *,
    dry_run: options.DryRun = False,
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Declare the routes in files: each replaces the one of its id, or is new."""
    if tree:
        _replace_tree(file, output, dry_run=dry_run, url=url)
    else:
        apply_files(ROUTE, ROUTE.path, file, output, dry_run=dry_run, url=url)


app = commands(ROUTE, instead={"apply": apply})


def _replace_tree(files: list[str], output: Format, *, dry_run: bool, url: str | None) -> None:
    from api.commands import applying, documents
    from api.commands.connection import connect

    wanted = {"items": documents.read(files)}
    parameters = applying.DRY_RUN if dry_run else ()
    answer = connect(url).call("PUT", ROUTE.path, wanted, parameters=parameters).body

    def people() -> None:
        for change in answer.get("changes") or ():
            say(f"route {words.plain(change.get('id'))} {applying.outcome_of(change, dry_run=dry_run)}")
            for line in applying.differences(change):
                say(f"  {line}")
        say(f"the tree {'would have' if dry_run else 'has'} {len(answer.get('items') or ())} routes")

    show(answer, output, people)


@app.command("show")
def show_tree(output: options.Output = Format.TABLE, url: options.Url = None) -> None:
    """The tree of routes, drawn as amtool draws it."""
    from api.commands.connection import connect

    routes = list(connect(url).items(ROUTE.path, warn=warn))
    show(routes, output, lambda: say("\n".join(["Routing tree:", *drawn(routes)])))


@app.command("test")
def try_labels(
    labels: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="The alert's labels, as in team=db.")],
    output: options.Output = Format.TABLE,
    url: options.Url = None,
) -> None:
    """Which way an alert with these labels takes through the tree, and who is told."""
    from api.commands.connection import connect

    answer = connect(url).call("POST", f"{ROUTE.path}/test", {"labels": matching.labels(labels)}).body

    def people() -> None:
        show_list(answer["tried"], TRIED, Format.TABLE, nothing="")
        say("")
        show_list(answer["policies"], TAKEN, Format.TABLE, nothing="no route takes it")
        for line in quiet(answer["policies"]):
            say(line)
        for problem in answer.get("problems") or ():
            warn(str(problem))

    show(answer, output, people)


def quiet(policies: Sequence[Fields]) -> Iterator[str]:
    """When routes that take an alert say nothing."""
    for policy in policies:
        for name, when in (("mute_time_intervals", "within"), ("active_time_intervals", "outside of")):
            intervals = policy.get(name)
            if intervals:
                yield f"route {words.plain(policy.get('route_id'))} is quiet {when} {words.plain(intervals)}"


def drawn(routes: Sequence[Fields]) -> Iterator[str]:
    """The lines of the tree; siblings stand in the order they are tried. A route whose parent is missing hangs at the top."""
    known = {route["id"] for route in routes}
    below: dict[object, list[Fields]] = {}
    for route in sorted(routes, key=lambda one: (one.get("position") or 0, str(one["id"]))):
        parent = route.get("parent_id")
        below.setdefault(parent if parent in known else None, []).append(route)
    yield "."
    yield from _branches(below, None, "")


def _branches(below: Mapping[object, Sequence[Fields]], parent: object, margin: str) -> Iterator[str]:
    routes = below.get(parent, ())
    for index, route in enumerate(routes, start=1):
        last = index == len(routes)
        yield f"{margin}{'└── ' if last else '├── '}{_described(route)}"
        yield from _branches(below, route["id"], margin + ("    " if last else "│   "))


def _described(route: Fields) -> str:
    matchers = words.matchers(route.get("matchers"))
    label = "default-route" if route.get("parent_id") is None else f"{{{'' if matchers == words.NONE else matchers}}}"
    parts = [label]
    if route.get("continue"):
        parts.append("continue: true")
    if route.get("receiver"):
        parts.append(f"receiver: {words.plain(route['receiver'])}")
    if route.get("channels"):
        parts.append(f"channels: {words.plain(route['channels'])}")
    return "  ".join([*parts, f"id: {words.plain(route['id'])}"])
