"""The routing tree: which routes an alert takes, and what each says about grouping, timing and channels.

Source: A:dispatch/route.go and A:config/config.go. A rule that names its own channels has one implicit route, `rule:<id>`,
which replaces the tree for it: the root's timings, grouped by alertname.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeVar

from rules.errors import RouteError
from rules.labels import ALERTNAME, Labels
from rules.matchers import Matcher

ROOT: Final = "root"
IMPLICIT: Final = "rule:"
ALL_LABELS: Final = "..."
DEEPEST: Final = 100
"""How many routes may stand between one and the root: more than anyone writes, and far from what recursion can take."""

DEFAULT_GROUP_WAIT: Final = timedelta(seconds=30)
DEFAULT_GROUP_INTERVAL: Final = timedelta(minutes=5)
DEFAULT_REPEAT_INTERVAL: Final = timedelta(hours=4)

T = TypeVar("T")


class NotifyOnUnmute(StrEnum):
    """Whether a firing alert is told when what muted it ends: never, if it was never told or a repeat fell due, always."""

    NEVER = "never"
    NEEDED = "needed"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One node as declared; `None` means inherited from the parent.

    `labels` are laid over the parent's. Matchers, `continue_` and both lists of intervals are never inherited.
    """

    id: str
    parent_id: str | None = None
    position: int = 0
    receiver: str = ""
    channels: tuple[str, ...] | None = None
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] | None = None
    group_wait: timedelta | None = None
    group_interval: timedelta | None = None
    repeat_interval: timedelta | None = None
    continue_: bool = False
    notify_on_unmute: NotifyOnUnmute | None = None
    labels: Labels = field(default_factory=Labels)
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    team: str = ""
    origin: str = "sql"
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a route says once inheritance is worked out; `group_by` (`...`,) means every label.

    The intervals are the route's own: only those of the route an alert ends up with count.
    """

    route_id: str
    receiver: str
    channels: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    group_wait: timedelta = DEFAULT_GROUP_WAIT
    group_interval: timedelta = DEFAULT_GROUP_INTERVAL
    repeat_interval: timedelta = DEFAULT_REPEAT_INTERVAL
    notify_on_unmute: NotifyOnUnmute = NotifyOnUnmute.NEEDED
    labels: Labels = field(default_factory=Labels)
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    version: int = 1

    def group_labels(self, labels: Labels) -> Labels:
        """The labels that name the alert's group: those of `group_by` that exist on it (A:dispatch/dispatch.go)."""
        return labels if self.group_by == (ALL_LABELS,) else labels.subset(self.group_by)


@dataclass(frozen=True, slots=True)
class Node:
    """A route in its tree: its effective policy and its children in order."""

    route: Route
    policy: Policy
    children: tuple[Node, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Tree:
    """The whole tree; `policies` finds any node's policy by its route id.

    `version` is that of the configuration it belongs to, 0 while nobody has accepted it.
    """

    root: Node
    policies: Mapping[str, Policy]
    version: int = 0

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route, each before those below it."""
        return tuple(_routes(self.root))

    def match(self, labels: Mapping[str, str]) -> tuple[Policy, ...]:
        """The policies an alert with these labels takes, depth first; never empty, the root takes what nobody else does."""
        return tuple(_match(self.root, labels))


def build(routes: Iterable[Route]) -> Tree:
    """The tree of these routes, siblings ordered by position then id.

    Raises RouteError naming the route: no root, a root with matchers, an id given twice, a parent that is missing or does
    not exist, a cycle, a tree deeper than DEEPEST, a grouping or a timing that cannot be used.
    """
    by_id: dict[str, Route] = {}
    for route in routes:
        _check(route)
        if route.id in by_id:
            raise RouteError(f"route {route.id!r} is there twice; give one of them another id", field="id")
        by_id[route.id] = route
    root = by_id.get(ROOT)
    if root is None:
        raise RouteError("the tree needs one route with id 'root' and no parent", field="id")
    policies: dict[str, Policy] = {}
    node = _node(root, Policy(route_id=ROOT, receiver=""), _children(by_id), policies, depth=0)
    circling = sorted(by_id.keys() - policies.keys())
    if circling:
        message = (
            f"no alert reaches the routes {', '.join(circling)}: their parents go round in a circle, not up to 'root';"
            f" give one of them another parent_id, such as 'root'"
        )
        raise RouteError(message, field="parent_id")
    return Tree(node, policies)


def implicit(rule_id: str, channels: tuple[str, ...], root: Policy) -> Policy:
    """The route of a rule that names its own channels; looked up by id, never a node of the tree."""
    return replace(
        root, route_id=f"{IMPLICIT}{rule_id}", receiver=",".join(channels), channels=channels, group_by=(ALERTNAME,)
    )


def faults(route: Route) -> Iterator[RouteError]:
    """Everything wrong with the route by itself, wherever it hangs: one error for each thing, each naming its field."""
    if route.id == ROOT:
        yield from _faults_of_root(route)
    elif route.parent_id is None:
        yield RouteError(f"route {route.id!r} has no parent; only 'root' stands alone", field="parent_id")
    yield from _faults_of_group_by(route)
    for name, span in (("group_interval", route.group_interval), ("repeat_interval", route.repeat_interval)):
        if span is not None and span <= timedelta(0):
            yield RouteError(f"route {route.id!r}: {name} {span} must be longer than 0", field=name)
    if route.group_wait is not None and route.group_wait < timedelta(0):
        yield RouteError(f"route {route.id!r}: group_wait {route.group_wait} must not be negative", field="group_wait")


def _check(route: Route) -> None:
    for fault in faults(route):
        raise fault


def _faults_of_root(root: Route) -> Iterator[RouteError]:
    if root.parent_id is not None:
        yield RouteError(f"the root route has no parent, not {root.parent_id!r}", field="parent_id")
    if root.matchers:
        yield RouteError("the root route takes every alert, so it has no matchers", field="matchers")
    listed = {"mute_time_intervals": root.mute_time_intervals, "active_time_intervals": root.active_time_intervals}
    for name, intervals in listed.items():
        if intervals:
            message = f"the root route takes what nobody else does, so it has no {name}; put them on a route below it"
            yield RouteError(message, field=name)


def _faults_of_group_by(route: Route) -> Iterator[RouteError]:
    names = route.group_by or ()
    if ALL_LABELS in names and len(names) > 1:
        message = f"route {route.id!r}: {ALL_LABELS!r} means every label, so it stands alone in group_by"
        yield RouteError(message, field="group_by")
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield RouteError(f"route {route.id!r}: label {name!r} is twice in group_by", field="group_by")


def _children(by_id: Mapping[str, Route]) -> Mapping[str, list[Route]]:
    children: dict[str, list[Route]] = {}
    for route in sorted(by_id.values(), key=lambda route: (route.position, route.id)):
        if route.parent_id is None:
            continue
        if route.parent_id not in by_id:
            raise RouteError(f"route {route.id!r}: its parent {route.parent_id!r} does not exist", field="parent_id")
        children.setdefault(route.parent_id, []).append(route)
    return children


def _node(
    route: Route, parent: Policy, children: Mapping[str, list[Route]], policies: dict[str, Policy], *, depth: int
) -> Node:
    if depth > DEEPEST:
        message = f"route {route.id!r} is nested more than {DEEPEST} deep; move it further up"
        raise RouteError(message, field="parent_id")
    policy = _inherit(route, parent)
    policies[route.id] = policy
    below = [_node(child, policy, children, policies, depth=depth + 1) for child in children.get(route.id, ())]
    return Node(route, policy, tuple(below))


def _inherit(route: Route, parent: Policy) -> Policy:
    return Policy(
        route_id=route.id,
        receiver=route.receiver or parent.receiver,
        channels=_own(route.channels, parent.channels),
        group_by=_own(route.group_by, parent.group_by),
        group_wait=_own(route.group_wait, parent.group_wait),
        group_interval=_own(route.group_interval, parent.group_interval),
        repeat_interval=_own(route.repeat_interval, parent.repeat_interval),
        notify_on_unmute=_own(route.notify_on_unmute, parent.notify_on_unmute),
        labels=parent.labels.merged(route.labels),
        mute_time_intervals=route.mute_time_intervals,
        active_time_intervals=route.active_time_intervals,
        version=route.version,
    )


def _routes(node: Node) -> Iterator[Route]:
    yield node.route
    for child in node.children:
        yield from _routes(child)


def _own(value: T | None, inherited: T) -> T:
    return inherited if value is None else value


def _match(node: Node, labels: Mapping[str, str]) -> list[Policy]:
    if not all(matcher.matches(labels) for matcher in node.route.matchers):
        return []
    found: list[Policy] = []
    for child in node.children:
        below = _match(child, labels)
        found += below
        if below and not child.route.continue_:
            break
    return found or [node.policy]


class Verdict(StrEnum):
    """What became of a route when an alert was routed."""

    TAKEN = "taken"
    PASSED_ON = "passed on"
    NOT_MATCHED = "not matched"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One route an alert came to, `depth` routes below the root, and why it took the alert or did not."""

    route_id: str
    depth: int
    verdict: Verdict
    why: str


def trace(tree: Tree, labels: Mapping[str, str]) -> tuple[Step, ...]:
    """The routes an alert with these labels comes to, in the order they are tried; those `taken` are Tree.match's.

    A route below one that does not match is never come to, and is absent.
    """
    return tuple(_trace(tree.root, labels, depth=0))


def _trace(node: Node, labels: Mapping[str, str], *, depth: int) -> list[Step]:
    failed = next((matcher for matcher in node.route.matchers if not matcher.matches(labels)), None)
    if failed is not None:
        return [_step(node, depth, Verdict.NOT_MATCHED, _mismatch(failed, labels))]
    below = _trace_below(node, labels, depth=depth + 1)
    by = " ".join(["it matches", ", ".join(str(matcher) for matcher in node.route.matchers)]).strip()
    if any(step.verdict is Verdict.TAKEN for step in below):
        return [_step(node, depth, Verdict.PASSED_ON, f"{by}, and routes below it take the alert"), *below]
    why = f"{by}, and no route below it does" if below else by
    return [_step(node, depth, Verdict.TAKEN, why), *below]


def _trace_below(node: Node, labels: Mapping[str, str], *, depth: int) -> list[Step]:
    steps: list[Step] = []
    taker: str | None = None
    for child in node.children:
        if taker is not None:
            why = f"route {taker!r} before it took the alert and does not continue"
            steps.append(_step(child, depth, Verdict.NOT_TRIED, why))
            continue
        tried = _trace(child, labels, depth=depth)
        steps += tried
        if tried[0].verdict is not Verdict.NOT_MATCHED and not child.route.continue_:
            taker = child.route.id
    return steps


def _step(node: Node, depth: int, verdict: Verdict, why: str) -> Step:
    return Step(route_id=node.route.id, depth=depth, verdict=verdict, why=why)


def _mismatch(matcher: Matcher, labels: Mapping[str, str]) -> str:
    found = labels.get(matcher.name)
    has = f"has no label {matcher.name}" if found is None else f"has {matcher.name}={found!r}"
    return f"{matcher} does not match: the alert {has}"
