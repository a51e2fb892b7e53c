"""Alertmanager's configuration file, read as strictly as Alertmanager reads it: every mistake at once, at its line and column.

Source: alertmanager/config/config.go (Load, Route.UnmarshalYAML, checkReceiver, checkTimeInterval). A file in which one thing is
wrong is wrong as a whole. What Alertmanager takes and Tocsin does otherwise, or not at all, is a warning: nothing is dropped
in silence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from rules import inhibition, route_labels, time_intervals
from rules.channels import LOG_CHANNEL, Channel
from rules.errors import InhibitError, MatcherError, RouteError, TimeIntervalError, YamlError
from rules.formats import yaml_text
from rules.formats.alertmanager_fields import GLOBAL
from rules.formats.alertmanager_receivers import Receivers
from rules.formats.reading import FALSE, Flaw, Reader
from rules.formats.yaml_text import Kind, Node
from rules.inhibition import InhibitRule
from rules.labels import ALERTNAME, Labels
from rules.matchers import Matcher, Operator, parse_matchers
from rules.problems import Severity
from rules.routing import ALL_LABELS, ROOT, Route
from rules.time_intervals import TimeInterval

_FILE: Final = (
    "global",
    "route",
    "inhibit_rules",
    "receivers",
    "mute_time_intervals",
    "time_intervals",
    "templates",
    "tracing",
    "event_recorder",
)
_ELSEWHERE: Final = {
    "tracing": "Tocsin sends no traces",
    "event_recorder": "Tocsin's ledger records every event, with no setting",
}
_ROUTE: Final = (
    "receiver",
    "group_by",
    "match",
    "match_re",
    "matchers",
    "mute_time_intervals",
    "active_time_intervals",
    "continue",
    "routes",
    "group_wait",
    "group_interval",
    "repeat_interval",
    "labels",
)
_INHIBIT: Final = (
    "name",
    "source_match",
    "source_match_re",
    "source_matchers",
    "target_match",
    "target_match_re",
    "target_matchers",
    "equal",
)
_WEB: Final = re.compile(r"https?://[^/\s]")
_SPELLINGS: Final = ("match", "match_re", "matchers")
EVERY: Final = Matcher(name=ALERTNAME, operator=Operator.REGEX, value=".*")
"""What an empty side of an inhibit rule means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A route and those below it, in the file's order. Ids are given when it is brought in; `line` is where it stands."""

    route: Route
    below: tuple[Branch, ...] = ()
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerFile:
    """What the file declares, and what is wrong or is not carried over; with an error there is nothing but the flaws."""

    root: Branch | None = None
    channels: tuple[Channel, ...] = ()
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: tuple[TimeInterval, ...] = ()
    templates: tuple[str, ...] = ()
    flaws: tuple[Flaw, ...] = ()

    @property
    def errors(self) -> tuple[Flaw, ...]:
        return tuple(flaw for flaw in self.flaws if flaw.problem.severity is Severity.ERROR)


def parse(text: str, file: str = "alertmanager.yml", *, taken: Collection[str] = ()) -> AlertmanagerFile:
    """What the text declares; `file` is what its mistakes are told by. Raises nothing.

    A receiver becomes as many channels as it has integrations. `taken` are names of channels that stay others'.
    """
    reader = _Reader(file, taken)
    try:
        found = reader.file_of(text)
    except YamlError as error:
        reader.unreadable(error)
        found = AlertmanagerFile()
    # What the global section says is told once, however many integrations it stands in for.
    found = replace(found, flaws=tuple(dict.fromkeys(reader.in_order())))
    return AlertmanagerFile(flaws=found.flaws) if found.errors else found


class _Reader(Reader):
    """Reads a configuration; `receivers` reads who is told."""

    def __init__(self, file: str, taken: Collection[str]) -> None:
        super().__init__(file)
        self.taken = taken
        self.reached: dict[str, tuple[str, ...]] = {}
        self.intervals: set[str] = set()

    def file_of(self, text: str) -> AlertmanagerFile:
        document = yaml_text.compose(text)
        if document.second is not None:
            second = Node(kind=Kind.SCALAR, line=document.second, column=1)
            self.tell(second, "", "only the first YAML document is read, as in Alertmanager", Severity.WARNING)
        root = document.root or Node(kind=Kind.MAPPING, line=1, column=1)
        fields = self.mapping(root, "the file", _FILE)
        if root.kind is not Kind.MAPPING and not root.is_null:
            return AlertmanagerFile()
        for name, why in _ELSEWHERE.items():
            if name in fields:
                self.tell(fields[name], name, f"{name} is not carried over: {why}", Severity.WARNING)
        common = self.common(fields.get("global"))
        channels = self.receivers(fields.get("receivers"), common)
        intervals = tuple(self.all_intervals(fields))
        return AlertmanagerFile(
            root=self.root(root, fields.get("route")),
            channels=channels,
            inhibit_rules=tuple(self.inhibit_rules(fields.get("inhibit_rules"))),
            time_intervals=intervals,
            templates=self.words(fields.get("templates"), "templates"),
        )

    def common(self, node: Node | None) -> Mapping[str, Node]:
        """The global section; what cannot be right for any receiver is told even if none uses it."""
        fields = {} if node is None else self.mapping(node, "global", GLOBAL)
        self.span(fields.get("resolve_timeout"), "resolve_timeout", "global: ")
        for name, given in fields.items():
            if f"{name}_file" in fields:
                self.tell(
                    fields[f"{name}_file"], f"{name}_file", f"global: {name} and {name}_file are both given; keep one"
                )
            if name.endswith("_url") and not _is_web(given):
                self.tell(given, name, f"global: {name} is no URL; give one such as https://host/path")
        return fields

    def receivers(self, node: Node | None, common: Mapping[str, Node]) -> tuple[Channel, ...]:
        """The channels of all receivers; `reached` knows them by the receiver's name."""
        found: list[Channel] = []
        reading = Receivers(self, common, {LOG_CHANNEL, *self.taken})
        for at, item in enumerate(self.list(node, "receivers")):
            name, channels = reading.receiver(item, at)
            if name in self.reached:
                self.tell(item, "receivers", f"receiver {name!r} is there twice; rename one of them")
            self.reached[name] = tuple(channel.name for channel in channels) or (LOG_CHANNEL,)
            found += channels
        return tuple(found)

    def all_intervals(self, fields: Mapping[str, Node]) -> Iterator[TimeInterval]:
        for field in ("mute_time_intervals", "time_intervals"):
            for at, node in enumerate(self.list(fields.get(field), field)):
                interval = self.interval(node, f"{field} {at + 1}: ")
                if interval is not None:
                    yield interval

    def interval(self, node: Node, label: str) -> TimeInterval | None:
        fields = self.mapping(node, label.removesuffix(": "), ("name", "time_intervals"))
        name = self.text(fields.get("name"), "name", label)
        if name in self.intervals:
            self.tell(fields["name"], "name", f"{label}the time interval {name!r} is there twice; rename one of them")
        self.intervals.add(name)
        specs = self.list(fields.get("time_intervals"), f"{label}time_intervals")
        periods = [period for spec in specs if (period := self.period(spec, label)) is not None]
        interval = TimeInterval(name=name, periods=tuple(periods))
        try:
            time_intervals.check(interval)
        except TimeIntervalError as error:
            if len(periods) == len(specs):
                self.tell(node, error.field or "", f"{label}{error.message}")
            return None
        return interval

    def period(self, node: Node, label: str) -> time_intervals.Period | None:
        try:
            return time_intervals.parse_period(_plain(node))
        except TimeIntervalError as error:
            self.tell(_member(node, error.field or "") or node, error.field or "", f"{label}{error.message}")
            return None

    def inhibit_rules(self, node: Node | None) -> Iterator[InhibitRule]:
        for at, item in enumerate(self.list(node, "inhibit_rules")):
            label = f"inhibit rule {at + 1}: "
            fields = self.mapping(item, label.removesuffix(": "), _INHIBIT)
            rule = InhibitRule(
                id="",
                name=self.text(fields.get("name"), "name", label),
                source_matchers=self.side(item, label, "source_"),
                target_matchers=self.side(item, label, "target_"),
                equal=self.words(fields.get("equal"), f"{label}equal"),
            )
            try:
                inhibition.check(rule)
            except InhibitError as error:
                self.tell(fields.get(error.field or "", item), error.field or "", f"{label}{error.message}")
            yield rule

    def side(self, node: Node, label: str, prefix: str) -> tuple[Matcher, ...]:
        """One side's matchers; one that is empty takes every alert, which is said in so many words."""
        found = self.matchers(node, label, prefix)
        if not found and all(_is_empty(_member(node, f"{prefix}{one}")) for one in _SPELLINGS):
            message = f"{label}{prefix}matchers is empty, so it takes every alert; it comes in as {EVERY}"
            self.tell(node, f"{prefix}matchers", message, Severity.WARNING)
        # What was given and cannot be read is told already.
        return found or (EVERY,)

    def root(self, file: Node, node: Node | None) -> Branch | None:
        if node is None or node.is_null:
            self.tell(file, "route", "there is no route; the file needs a root route with a receiver")
            return None
        fields = self.mapping(node, "route", _ROUTE)
        branch = self.branch(node, "route: ")
        if not branch.route.receiver:
            self.tell(node, "receiver", "route: the root route names no receiver; every alert needs one")
        for name in ("match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals", "continue"):
            if not _is_empty(fields.get(name)):
                message = f"route: the root route takes every alert, so it cannot have {name}; put it on a route below"
                self.tell(fields[name], name, message)
        return replace(branch, route=replace(branch.route, id=ROOT))

    def branch(self, node: Node, label: str) -> Branch:
        fields = self.mapping(node, label.removesuffix(": "), _ROUTE)
        items = self.list(fields.get("routes"), f"{label}routes")
        below = tuple(self.branch(item, _below(label, at)) for at, item in enumerate(items))
        self.idle_continue(items, label, below)
        return Branch(route=self.route(node, fields, label), below=below, line=node.line)

    def idle_continue(self, items: list[Node], label: str, below: tuple[Branch, ...]) -> None:
        """A route behind which no other stands has nowhere to continue to."""
        if below and below[-1].route.continue_:
            message = (
                f"{_below(label, len(below) - 1)}continue does nothing on the last of its siblings: no route follows"
            )
            self.tell(_member(items[-1], "continue") or items[-1], "continue", message, Severity.WARNING)

    def route(self, node: Node, fields: Mapping[str, Node], label: str) -> Route:
        receiver = self.text(fields.get("receiver"), "receiver", label)
        if receiver and receiver not in self.reached:
            known = ", ".join(sorted(self.reached)) or "none"
            self.tell(
                fields.get("receiver", node),
                "receiver",
                f"{label}receiver {receiver!r} is not defined; there is {known}",
            )
        return Route(
            id="",
            receiver=receiver,
            channels=self.reached.get(receiver) if receiver else None,
            matchers=self.matchers(node, label, ""),
            group_by=self.group_by(fields.get("group_by"), label),
            group_wait=self.span(fields.get("group_wait"), "group_wait", label),
            group_interval=self.positive(fields.get("group_interval"), "group_interval", label),
            repeat_interval=self.positive(fields.get("repeat_interval"), "repeat_interval", label),
            continue_=self.flag(fields.get("continue"), "continue", label),
            labels=self.labels(fields.get("labels"), label),
            mute_time_intervals=self.named_intervals(fields, "mute_time_intervals", label),
            active_time_intervals=self.named_intervals(fields, "active_time_intervals", label),
        )

    def matchers(self, node: Node, label: str, prefix: str) -> tuple[Matcher, ...]:
        """Those of all three spellings, which all have to match.

        What `<<` merges in adds to what is given beside it, as in Alertmanager, whose lists of matchers grow as they are read.
        """
        found: list[Matcher] = []
        for field, operator in ((f"{prefix}match", Operator.EQUAL), (f"{prefix}match_re", Operator.REGEX)):
            found += self.named_matchers(node, field, label, operator)
        for given in self.given(node, f"{prefix}matchers", label):
            for item in self.list(given, f"{label}{prefix}matchers"):
                text = self.text(item, f"{prefix}matchers", label)
                try:
                    found += parse_matchers(text)
                except MatcherError as error:
                    self.tell(item, f"{prefix}matchers", f"{label}{prefix}matchers: {error.message}")
        return tuple(found)

    def named_matchers(self, node: Node, field: str, label: str, operator: Operator) -> Iterator[Matcher]:
        texts: dict[str, tuple[Node, str]] = {}
        for given in self.given(node, field, label):
            for name, text in self.texts(given, field, label).items():
                texts.setdefault(name, (_member(given, name) or given, text))
        for name, (place, text) in texts.items():
            yield from self.one_matcher(place, field, label, (name, operator, text))

    def given(self, node: Node, field: str, label: str) -> list[Node]:
        """What the mapping says under this name itself, and what is merged into it, which is told."""
        found = [value for key, value in _pairs(node) if key.text == field]
        if len(found) > 1:
            message = f"{label}{field} is given here and by what << merges in; both count, as in Alertmanager"
            self.tell(found[0], field, message, Severity.WARNING)
        return found

    def one_matcher(self, node: Node, field: str, label: str, parts: tuple[str, Operator, str]) -> tuple[Matcher, ...]:
        name, operator, value = parts
        try:
            return (Matcher(name=name, operator=operator, value=value),)
        except MatcherError as error:
            self.tell(node, field, f"{label}{field}: {error.message}")
            return ()

    def group_by(self, node: Node | None, label: str) -> tuple[str, ...] | None:
        if node is None or node.is_null:
            return None
        names = self.words(node, f"{label}group_by")
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.tell(node, "group_by", f"{label}label {name!r} is twice in group_by")
        if "" in names:
            self.tell(node, "group_by", f"{label}group_by names '', a label no alert has; take it out")
        if ALL_LABELS in names and len(names) > 1:
            self.tell(node, "group_by", f"{label}{ALL_LABELS!r} means every label, so it stands alone in group_by")
        return names

    def labels(self, node: Node | None, label: str) -> Labels:
        if node is None:
            return Labels()
        labels = Labels(self.texts(node, "labels", label))
        try:
            route_labels.check(labels)
        except RouteError as error:
            self.tell(node, "labels", f"{label}{error.message}")
        return labels

    def named_intervals(self, fields: Mapping[str, Node], field: str, label: str) -> tuple[str, ...]:
        names = self.words(fields.get(field), f"{label}{field}")
        for name in names:
            if name not in self.intervals:
                self.tell(fields[field], field, f"{label}{field}: the time interval {name!r} is not defined")
        return names

    def positive(self, node: Node | None, name: str, label: str) -> timedelta | None:
        span = self.span(node, name, label)
        if node is not None and span == timedelta(0):
            self.tell(node, name, f"{label}{name} is 0; give a span such as 5m")
        return span

    def words(self, node: Node | None, what: str) -> tuple[str, ...]:
        return tuple(self.text(item, what.rpartition(" ")[2], "") for item in self.list(node, what))


def _is_web(node: Node) -> bool:
    return node.is_null or (node.kind is Kind.SCALAR and bool(_WEB.match(node.text)))


def _below(label: str, at: int) -> str:
    return f"{label.removesuffix(': ')}.routes[{at}]: "


def _is_empty(node: Node | None) -> bool:
    return (
        node is None
        or node.is_null
        or (node.kind is Kind.SCALAR and node.text in FALSE)
        or (node.kind is not Kind.SCALAR and not node.items)
    )


def _member(node: Node, name: str) -> Node | None:
    """The value of a mapping's member, `None` without one."""
    return next((value for key, value in _pairs(node) if key.text == name), None)


def _pairs(node: Node) -> Iterable[tuple[Node, Node]]:
    return node.pairs() if node.kind is Kind.MAPPING else ()


def _plain(node: Node) -> object:
    """The node as plain values, every scalar a text."""
    if node.is_null:
        return None
    if node.kind is Kind.SCALAR:
        return node.text
    if node.kind is Kind.LIST:
        return [_plain(item) for item in node.items]
    return {key.text: _plain(value) for key, value in node.pairs()}
