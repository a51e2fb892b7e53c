"""Routes on the wire: one by one, as a whole tree, and the way an alert would take through it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, StrictBool, StrictInt

from api.schemas.changes import Change
from api.schemas.fields import Duration, Input, Output, Text, example
from api.schemas.matchers import MatcherField, Matchers
from api.schemas.rules import Key
from rules.labels import Labels
from rules.routing import ROOT, NotifyOnUnmute, Policy, Route, Step, Verdict

NamedPairs = dict[Annotated[Text, Field(min_length=1)], Text]
Position = Annotated[StrictInt, Field(ge=-(2**31), le=2**31 - 1)]

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "db",
    "parent_id": "root",
    "position": 0,
    "receiver": "dba",
    "channels": ["slack", "pagerduty"],
    "matchers": [{"name": "team", "value": "db", "operator": "="}],
    "group_by": ["alertname", "cluster"],
    "group_wait": "30s",
    "group_interval": "5m",
    "repeat_interval": "4h",
    "continue": False,
    "notify_on_unmute": "needed",
    "labels": {},
    "mute_time_intervals": ["nights"],
    "active_time_intervals": [],
    "team": "sre",
}
_OUT_EXAMPLE: Final[dict[str, Any]] = {**_EXAMPLE, "origin": "api", "version": 1}


class RouteFields(Output):
    """What people declare; null means inherited from the parent."""

    receiver: Text = ""
    channels: list[Text] | None = None
    group_by: list[Text] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    continue_: StrictBool = Field(default=False, alias="continue")
    notify_on_unmute: NotifyOnUnmute | None = None
    labels: NamedPairs = Field(default_factory=dict)
    mute_time_intervals: list[Text] = Field(default_factory=list)
    active_time_intervals: list[Text] = Field(default_factory=list)
    team: Text = ""


class RouteIn(Input, RouteFields):
    """A route as it is sent. It hangs on the root when no `parent_id` is given, and comes last when no `position` is."""

    model_config = example(_EXAMPLE)
    read_only: ClassVar[frozenset[str]] = frozenset({"origin", "version", "problems"})
    id: Key | None = None
    parent_id: Key | None = None
    position: Position | None = None
    matchers: Matchers = Field(default_factory=list)

    def to_route(self, route_id: str, before: Route | None, *, position: int) -> Route:
        """The route declared, under this id; `position` is its place where it was given none."""
        declared = {name: _tuple(getattr(self, name)) for name in RouteFields.model_fields}
        declared["labels"] = Labels(self.labels)
        return replace(
            before or Route(id=route_id, origin="api"),
            parent_id=self.parent_id if route_id == ROOT else self.parent_id or ROOT,
            position=position if self.position is None else self.position,
            matchers=tuple(field.matcher() for field in self.matchers),
            **declared,
        )


class RouteOut(RouteFields):
    """A route as it stands."""

    model_config = example(_OUT_EXAMPLE)
    id: str
    parent_id: str | None
    position: int
    matchers: list[MatcherField]
    origin: str
    version: int


class TreeIn(Input):
    """All routes there shall be, the root among them; `GET /routes` answers in this form."""

    model_config = example(
        {"items": [{"id": "root", "receiver": "default", "channels": ["slack"], "group_by": ["alertname"]}, _EXAMPLE]}
    )
    read_only: ClassVar[frozenset[str]] = frozenset({"problems"})
    items: list[RouteIn] = Field(max_length=10000)
    next_cursor: None = None
    """Sent back as it was answered with the last page. A page that is not the last is no tree, and is refused."""


class RouteChange(Output):
    """What happens to one route of the tree."""

    id: str
    operation: str
    changes: list[Change]


class TreeOut(Output):
    """The whole tree after its replacement, in the order it was sent, and what was changed for it."""

    model_config = example(
        {
            "dry_run": False,
            "changes": [
                {
                    "id": "db",
                    "operation": "replace",
                    "changes": [{"field": "group_wait", "before": "1m", "after": "30s"}],
                }
            ],
            "items": [_OUT_EXAMPLE],
            "next_cursor": None,
        }
    )
    dry_run: bool
    changes: list[RouteChange]
    items: list[RouteOut]
    next_cursor: None = None


class LabelsIn(Input):
    """The labels of an alert that need not exist."""

    model_config = example({"labels": {"alertname": "HighCpu", "team": "db", "severity": "critical"}})
    labels: NamedPairs


class PolicyOut(Output):
    """A route that takes the alert, with what it inherits worked out; `group_labels` name the group the alert joins."""

    route_id: str
    receiver: str
    channels: list[str]
    group_by: list[str]
    group_labels: dict[str, str]
    group_wait: Duration
    group_interval: Duration
    repeat_interval: Duration
    notify_on_unmute: NotifyOnUnmute
    labels: dict[str, str]
    mute_time_intervals: list[str]
    active_time_intervals: list[str]

    @classmethod
    def of(cls, policy: Policy, labels: Labels) -> PolicyOut:
        """The policy as it applies to an alert with these labels."""
        values = {name: getattr(policy, name) for name in cls.model_fields if name != "group_labels"}
        listed = ("channels", "group_by", "mute_time_intervals", "active_time_intervals")
        lists: dict[str, Any] = {name: list(getattr(policy, name)) for name in listed}
        lists["labels"] = dict(policy.labels)
        return cls.model_construct(**{**values, **lists}, group_labels=dict(policy.group_labels(labels)))


class StepOut(Output):
    """One route that was come to, in the order they are tried; `depth` counts routes between it and the root."""

    route_id: str
    depth: int
    verdict: Verdict
    why: str

    @classmethod
    def of(cls, step: Step) -> StepOut:
        """The step as it is shown."""
        return cls(route_id=step.route_id, depth=step.depth, verdict=step.verdict, why=step.why)


class RoutedOut(Output):
    """Which routes take an alert with these labels, and how each route that was come to decided.

    `configuration` is the number of the one in force, 0 for a moment after an edit; `problems` say what of the routes as they
    are declared is not in force.
    """

    model_config = example(
        {
            "policies": [
                {
                    "route_id": "db",
                    "receiver": "dba",
                    "channels": ["slack", "pagerduty"],
                    "group_by": ["alertname"],
                    "group_labels": {"alertname": "HighCpu"},
                    "group_wait": "30s",
                    "group_interval": "5m",
                    "repeat_interval": "4h",
                    "notify_on_unmute": "needed",
                    "labels": {},
                    "mute_time_intervals": ["nights"],
                    "active_time_intervals": [],
                }
            ],
            "configuration": 7,
            "problems": [],
            "tried": [
                {
                    "route_id": "root",
                    "depth": 0,
                    "verdict": "passed on",
                    "why": "it matches, and routes below it take the alert",
                },
                {"route_id": "db", "depth": 1, "verdict": "taken", "why": "it matches"},
            ],
        }
    )
    policies: list[PolicyOut]
    tried: list[StepOut]
    configuration: int
    problems: list[str] = Field(default_factory=list)


def described(route: Route) -> RouteOut:
    """The route as it stands. Nothing is validated: a row made by SQL is shown as it is."""
    values = {name: _list(getattr(route, name)) for name in RouteOut.model_fields}
    matchers = [MatcherField.of(matcher) for matcher in route.matchers]
    return RouteOut.model_construct(**{**values, "labels": dict(route.labels), "matchers": matchers})


def document(route: Route) -> dict[str, object]:
    """The route's own fields as JSON, what changes are told in."""
    shown = described(route).model_dump(mode="json", by_alias=True, exclude={"origin", "version"})
    return {**shown, "matchers": [str(matcher) for matcher in route.matchers]}


def _tuple(value: object) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _list(value: object) -> Any:
    return list(value) if isinstance(value, tuple) else value
