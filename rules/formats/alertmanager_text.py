"""What is declared, in Alertmanager's own words: the file that an Alertmanager doing the same would have, secrets left out.

It is written for `amtool config show` and `amtool config routes`, in the words that Alertmanager 0.25 knows; what it has no words
for is left out, and a comment at the top says so. It is no export: what stands for a secret cannot be sent to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol, assert_never
from urllib.parse import urlsplit

from rules import durations, time_intervals
from rules.channels import Channel, ChannelKind
from rules.formats import yaml_text
from rules.inhibition import InhibitRule
from rules.routing import ROOT, Node, Policy, Route, Tree
from rules.time_intervals import TimeInterval

SECRET: Final = "<secret>"  # noqa: S105 - it stands in the place of one
NOBODY: Final = "none"
_HEAD: Final = (
    "# What Tocsin does, in Alertmanager's words. Secrets are left out, and so is what Alertmanager has no words for.\n"
)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:]+\](:\d+)?")
_SPANS: Final = ("group_wait", "group_interval", "repeat_interval")
_NO_ADDRESS: Final = "unconfigured.invalid"


class Declared(Protocol):
    """What is in force."""

    @property
    def channels(self) -> Mapping[str, Channel]: ...
    @property
    def tree(self) -> Tree: ...
    @property
    def inhibit_rules(self) -> tuple[InhibitRule, ...]: ...
    @property
    def time_intervals(self) -> Mapping[str, TimeInterval]: ...


def receivers(tree: Tree) -> Mapping[str, str]:
    """The receiver of each route, by the route's id; a route's own channels stand in where it names none."""
    return dict(_receivers(tree.root, NOBODY))


def _receivers(node: Node, inherited: str) -> Iterator[tuple[str, str]]:
    route = node.route
    name = route.receiver or (inherited if route.channels is None else ",".join(route.channels) or NOBODY)
    yield route.id, name
    for child in node.children:
        yield from _receivers(child, name)


def written(declared: Declared, policies: Iterable[Policy]) -> str:
    """The file; `policies` are all there are, those of rules that name their channels themselves too."""
    heard: dict[str, dict[str, None]] = {}
    names = receivers(declared.tree)
    for policy in policies:
        heard.setdefault(names.get(policy.route_id, policy.receiver), {}).update(dict.fromkeys(policy.channels))
    content: dict[str, object] = {
        "route": _route(declared.tree.root, declared, names),
        "receivers": [
            {"name": name, **_configurations(declared.channels[one] for one in channels if one in declared.channels)}
            for name, channels in heard.items()
        ],
    }
    return _HEAD + yaml_text.dump(content | beside_routes(declared, inhibit_rule))


def beside_routes(
    declared: Declared, inhibit_rule: Callable[[InhibitRule], dict[str, object]]
) -> dict[str, list[dict[str, object]]]:
    """The sections of inhibit rules and time intervals, each only where there are any."""
    sections: dict[str, list[dict[str, object]]] = {
        "inhibit_rules": [inhibit_rule(rule) for rule in declared.inhibit_rules],
        "time_intervals": [
            {"name": one.name, "time_intervals": [time_intervals.document(period) for period in one.periods]}
            for one in declared.time_intervals.values()
        ],
    }
    return {name: section for name, section in sections.items() if section}


def _route(node: Node, declared: Declared, names: Mapping[str, str]) -> dict[str, object]:
    route = node.route
    return given(
        {
            "receiver": names[route.id],
            **grouping(route, node.policy if route.id == ROOT else route),
            **intervals(route, declared),
            "routes": [_route(child, declared, names) for child in node.children],
        }
    )


def grouping(route: Route, timings: Route | Policy) -> dict[str, object]:
    """Which alerts the route takes, what it groups them by, and how often it tells of them."""
    spans = {name: durations.format(span) for name in _SPANS if (span := getattr(timings, name)) is not None}
    return {
        "matchers": [str(matcher) for matcher in route.matchers],
        "continue": route.continue_,
        **({} if route.group_by is None else {"group_by": list(route.group_by)}),
        **spans,
    }


def intervals(route: Route, declared: Declared) -> dict[str, object]:
    """When the route is silent, by those of its intervals that there are; a file that names another is refused."""
    return {
        "mute_time_intervals": [name for name in route.mute_time_intervals if name in declared.time_intervals],
        "active_time_intervals": [name for name in route.active_time_intervals if name in declared.time_intervals],
    }


def given(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of a route that say something; to group by nothing and to wait not at all are said."""
    return {name: value for name, value in fields.items() if value or name in ("group_by", *_SPANS)}


def inhibit_rule(rule: InhibitRule) -> dict[str, object]:
    """The rule in the words that 0.25 knows, without its name."""
    return {
        "source_matchers": [str(matcher) for matcher in rule.source_matchers],
        "target_matchers": [str(matcher) for matcher in rule.target_matchers],
        **({"equal": list(rule.equal)} if rule.equal else {}),
    }


def _configurations(channels: Iterable[Channel]) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for channel in channels:
        for kind, configuration in _configuration(channel):
            found.setdefault(kind, []).append({"send_resolved": channel.send_resolved, **configuration})
    return found


def _configuration(channel: Channel) -> Iterator[tuple[str, dict[str, object]]]:
    """The channel in the words of its kind; the log needs none, and for what only Apprise knows there are none."""
    match channel.kind:
        case ChannelKind.SLACK:
            to = channel.settings.get("channel", "")
            yield "slack_configs", {"api_url": SECRET, **({"channel": to} if to else {})}
        case ChannelKind.PAGERDUTY:
            yield "pagerduty_configs", {"routing_key": SECRET}
        case ChannelKind.EMAIL:
            yield "email_configs", _email(channel)
        case ChannelKind.WEBHOOK:
            yield "webhook_configs", {"url": _without_secrets(channel.url)}
        case ChannelKind.APPRISE | ChannelKind.LOG:
            return
        case kind:
            assert_never(kind)


def _email(channel: Channel) -> dict[str, object]:
    host = _host(channel.url)
    port = channel.settings.get("port", "587")
    return {
        "to": channel.settings.get("to", "") or f"nobody@{_NO_ADDRESS}",
        "from": channel.settings.get("from", "") or f"tocsin@{_NO_ADDRESS}",
        "smarthost": host if ":" in host else f"{host}:{port if port.isdigit() else '587'}",
        **({"auth_password": SECRET} if "password" in channel.settings or "@" in channel.url else {}),
    }


def _host(url: str) -> str:
    """The host of an address, with its port where it has one; a reference has none to show."""
    host = url.rpartition("://")[2].partition("/")[0].rpartition("@")[2]
    return host if _HOST.fullmatch(host) and not url.startswith(("env:", "file:", "sealed:")) else _NO_ADDRESS


def _without_secrets(url: str) -> str:
    """The address up to its host: what comes behind it is often the secret."""
    scheme = urlsplit(url).scheme
    return f"{scheme if scheme in ('http', 'https') else 'http'}://{_host(url)}/"
