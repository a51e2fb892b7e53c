"""From a scenario's configuration to Alertmanager's file and to Tocsin's rows: one value, two forms, each scenario kept apart.

A scenario's alerts carry the label `scenario`; its route, its inhibit rules and its silences ask for that label, and its
channels are paths of one web server. So one process can play many scenarios at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from rules.labels import Labels
from rules.matchers import parse_matchers
from tests.timelines.language import USUAL, Alert, Channel, Configuration, Interval, Route, Scenario
from tests.timelines.zones import zone_name

LABEL: Final = "scenario"
UNROUTED: Final = "unrouted"
"""The label of those that no route of a scenario is to take."""
ROOT: Final = "root"

Rows = Mapping[str, tuple[Mapping[str, Any], ...]]
"""Rows by table, each before those that refer to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """When a run begins (a whole second of UTC), how long its seconds are, and where its channels lead.

    `delays` are the seconds by which scenarios begin later, by slug, so that not all of them want something at once.
    """

    begin: datetime
    second: timedelta
    hooks: str
    delays: Mapping[str, float] = field(default_factory=dict)

    def moment(self, scenario: Scenario, time: float) -> datetime:
        """When this second of the scenario really is."""
        return self.begin + (self.delay(scenario) + time) * self.second

    def delay(self, scenario: Scenario) -> float:
        return self.delays.get(slug(scenario), 0)

    def seconds(self, time: float) -> float:
        return time * self.second.total_seconds()


def slug(scenario: Scenario) -> str:
    """The scenario's name as a label value, an id and a part of a path."""
    return re.sub(r"\W+", "-", scenario.name)


def marked(scenario: Scenario, one: Alert) -> Labels:
    """The alert's labels with the one that tells whose it is."""
    return one.labels.merged({UNROUTED if scenario.unrouted else LABEL: slug(scenario)})


def own(scenario: Scenario) -> str:
    """The matcher of this scenario's alerts."""
    return f'{LABEL}="{slug(scenario)}"'


def boundaries(configuration: Configuration) -> set[float]:
    """The scenario seconds at which an interval begins or ends."""
    times = (time for one in configuration.time_intervals.values() for time in (one.starts, one.ends))
    return {time for time in times if time is not None}


def alertmanager_file(setting: Setting, parts: Mapping[Scenario, Configuration]) -> dict[str, Any]:
    """The content of its file; the root takes what no scenario does."""
    receivers = {ROOT: [_webhook(setting, ROOT, Channel())]}
    routes, inhibit_rules, intervals = [], [], []
    for scenario, configuration in parts.items():
        route = _usual(configuration.route)
        receivers |= _receivers(setting, scenario, configuration, route)
        routes.append({**_route(setting, scenario, route), "matchers": [own(scenario)]})
        inhibit_rules += [_inhibit(scenario, *sides) for sides in _sides(configuration)]
        named = configuration.time_intervals.items()
        intervals += [
            {"name": _within(scenario, name), "time_intervals": periods(scenario, one)} for name, one in named
        ]
    return {
        "global": {"resolve_timeout": _duration(setting, RESOLVE_TIMEOUT)},
        "route": {**_timings(setting, USUAL), "group_by": [UNROUTED], "receiver": ROOT, "routes": routes},
        "receivers": [{"name": name, "webhook_configs": hooks} for name, hooks in receivers.items()],
        "inhibit_rules": inhibit_rules,
        "time_intervals": intervals,
    }


RESOLVE_TIMEOUT: Final = 4.0
"""Scenario seconds after which an alert ends that was posted without an end."""


def root_rows(setting: Setting) -> Rows:
    """The root route and its channel."""
    receiver = [_channel_row(setting, ROOT, Channel())]
    root = {"id": ROOT, "parent_id": None, "receiver": ROOT, "channels": [ROOT], "group_by": [UNROUTED]}
    return {"channels": tuple(receiver), "routes": ({**root, **_seconds(setting, USUAL)},)}


def tocsin_rows(setting: Setting, scenario: Scenario, configuration: Configuration) -> Rows:
    """The scenario's rows, by the tables' own columns."""
    route = _usual(configuration.route)
    channels = [
        _channel_row(setting, _within(scenario, name), channel) for name, channel in configuration.channels.items()
    ]
    intervals = [
        {"name": _within(scenario, name), "time_intervals": periods(scenario, one)}
        for name, one in configuration.time_intervals.items()
    ]
    inhibit_rules = [
        {"id": _within(scenario, str(place)), **_inhibit(scenario, *sides)}
        for place, sides in enumerate(_sides(configuration))
    ]
    top = {"id": slug(scenario), "parent_id": ROOT, "position": 0, "matchers": [own(scenario)]}
    routes = [{**_route_row(setting, scenario, route), **top}, *_rows_below(setting, scenario, route, slug(scenario))]
    return {
        "channels": tuple(channels),
        "time_intervals": tuple(intervals),
        "routes": tuple(routes),
        "inhibit_rules": tuple(inhibit_rules),
    }


def periods(scenario: Scenario, interval: Interval) -> list[dict[str, Any]]:
    """The interval as both programs write it."""
    if interval.never:
        return [{"years": ["1970"]}]
    found = []
    if interval.ends is not None:
        found.append(_part("00:00", "12:00", zone_name(slug(scenario), interval.ends)))
    if interval.starts is not None:
        found.append(_part("12:00", "24:00", zone_name(slug(scenario), interval.starts)))
    return found or [_part("00:00", "24:00", "UTC")]


def _part(start: str, end: str, location: str) -> dict[str, Any]:
    return {"times": [{"start_time": start, "end_time": end}], "location": location}


def _usual(route: Route) -> Route:
    """The scenario's own top route, with the usual timings where it says none."""
    names = ("channels", "group_by", "group_wait", "group_interval", "repeat_interval")
    return replace(route, **{name: getattr(USUAL, name) for name in names if getattr(route, name) is None})


def _within(scenario: Scenario, name: str) -> str:
    return f"{slug(scenario)}/{name}"


def _receiver(scenario: Scenario, channels: Iterable[str]) -> str:
    # Alertmanager writes a name as a regex, so it holds no character that means something there.
    return _within(scenario, "-and-".join(channels))


def _receivers(
    setting: Setting, scenario: Scenario, configuration: Configuration, route: Route
) -> dict[str, list[dict[str, Any]]]:
    found = {}
    if route.channels is not None:
        hooks = [_webhook(setting, _within(scenario, name), configuration.channels[name]) for name in route.channels]
        found[_receiver(scenario, route.channels)] = hooks
    for child in route.routes:
        found |= _receivers(setting, scenario, configuration, child)
    return found


def _webhook(setting: Setting, path: str, channel: Channel) -> dict[str, Any]:
    return {"url": f"{setting.hooks}/{path}", "send_resolved": channel.send_resolved, "max_alerts": channel.max_alerts}


def _route(setting: Setting, scenario: Scenario, route: Route) -> dict[str, Any]:
    made: dict[str, Any] = {"matchers": list(route.matchers), "continue": route.continue_, **_timings(setting, route)}
    if route.channels is not None:
        made["receiver"] = _receiver(scenario, route.channels)
    if route.group_by is not None:
        made["group_by"] = list(route.group_by)
    for name in ("mute_time_intervals", "active_time_intervals"):
        made[name] = [_within(scenario, one) for one in getattr(route, name)]
    made["routes"] = [_route(setting, scenario, child) for child in route.routes]
    return made


def _timings(setting: Setting, route: Route) -> dict[str, str]:
    named = {name: getattr(route, name) for name in ("group_wait", "group_interval", "repeat_interval")}
    return {name: _duration(setting, time) for name, time in named.items() if time is not None}


def _seconds(setting: Setting, route: Route) -> dict[str, float | None]:
    named = {name: getattr(route, name) for name in ("group_wait", "group_interval", "repeat_interval")}
    return {f"{name}_seconds": None if time is None else setting.seconds(time) for name, time in named.items()}


def _duration(setting: Setting, time: float) -> str:
    return f"{round(setting.seconds(time) * 1000)}ms"


def _sides(configuration: Configuration) -> list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    return [(rule.source, rule.target, rule.equal) for rule in configuration.inhibit_rules]


def _inhibit(
    scenario: Scenario, source: tuple[str, ...], target: tuple[str, ...], equal: tuple[str, ...]
) -> dict[str, Any]:
    sides = {"source_matchers": [*source, own(scenario)], "target_matchers": [*target, own(scenario)]}
    return {**sides, "equal": list(equal)}


def _channel_row(setting: Setting, name: str, channel: Channel) -> dict[str, Any]:
    settings = {"max_alerts": str(channel.max_alerts)} if channel.max_alerts else {}
    where = {"name": name, "kind": "webhook", "url": f"{setting.hooks}/{name}"}
    return {**where, "send_resolved": channel.send_resolved, "settings": settings}


def _rows_below(setting: Setting, scenario: Scenario, route: Route, parent: str) -> list[dict[str, Any]]:
    found = []
    for place, child in enumerate(route.routes):
        number = f"{parent}/{child.id or place}"
        found.append({**_route_row(setting, scenario, child), "id": number, "parent_id": parent, "position": place})
        found += _rows_below(setting, scenario, child, number)
    return found


def _route_row(setting: Setting, scenario: Scenario, route: Route) -> dict[str, Any]:
    channels = None if route.channels is None else [_within(scenario, name) for name in route.channels]
    matchers = [str(one) for text in route.matchers for one in parse_matchers(text)]
    return {
        "receiver": "" if route.channels is None else _receiver(scenario, route.channels),
        "channels": channels,
        "matchers": matchers,
        "group_by": None if route.group_by is None else list(route.group_by),
        **_seconds(setting, route),
        "continue": route.continue_,
        "mute_time_intervals": [_within(scenario, name) for name in route.mute_time_intervals],
        "active_time_intervals": [_within(scenario, name) for name in route.active_time_intervals],
        "notify_on_unmute": route.notify_on_unmute,
    }
