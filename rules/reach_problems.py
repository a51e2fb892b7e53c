"""Where a rule's alerts would not go: channels nobody declared, or no channel at all. It stops nothing, but is worth knowing."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from rules.channels import LOG_CHANNEL
from rules.labels import ALERTNAME, SEVERITY
from rules.problems import Problem, Severity
from rules.routing import Tree
from rules.rule import Rule


def check_reach(rule: Rule, channels: Container[str], tree: Tree) -> tuple[Problem, ...]:
    """What keeps the rule's notifications from the people meant, as far as its own labels tell; warnings only.

    `channels` are the names declared. The log channel exists whether or not it is.
    """
    if rule.notification_channels:
        missing = unknown(rule.notification_channels, channels)
        return tuple(
            _warning(f"no channel {name!r} is declared; the others are told, and with none left the default route is")
            for name in missing
        )
    labels = {**rule.labels, **({SEVERITY: rule.severity} if rule.severity else {}), ALERTNAME: rule.name}
    taken = tree.match(labels)
    if any(_declared(name, channels) for policy in taken for name in policy.channels):
        return ()
    routes = ", ".join(repr(policy.route_id) for policy in taken)
    return (_warning(f"unrouted: {routes} names no channel there is; alerts are written to the log only"),)


def unknown(names: Iterable[str], channels: Container[str]) -> Iterator[str]:
    """Those of the names that no channel has, each once."""
    return (name for name in dict.fromkeys(names) if not _declared(name, channels))


def _declared(name: str, channels: Container[str]) -> bool:
    return name == LOG_CHANNEL or name in channels


def _warning(message: str) -> Problem:
    return Problem(severity=Severity.WARNING, field="notification_channels", message=message)
