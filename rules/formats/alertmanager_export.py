"""What is declared as a configuration file that Alertmanager takes, and that read back declares the same.

What such a file cannot say is told in comments at its top. Fields that only newer versions know are written where they are
used, so a file of an older version comes back as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rules import durations, time_intervals
from rules.channels import Channel, ChannelKind
from rules.formats import yaml_text
from rules.formats.alertmanager_integrations import Integrated, Unwritable, integration
from rules.formats.alertmanager_text import Declared
from rules.formats.alertmanager_text import receivers as receiver_names
from rules.inhibition import InhibitRule
from rules.routing import ROOT, Node, NotifyOnUnmute

HEAD = "# Written by Tocsin. Alertmanager takes it, and so does tocsin import alertmanager.\n"
FRESH = "tocsin"
"""The origin of the channels a fresh database has; those that no route uses are not written."""
_SPANS = ("group_wait", "group_interval", "repeat_interval")


@dataclass(slots=True)
class _Writing:
    """What is known of the file so far: its receivers by name, and what could not be written."""

    declared: Declared
    shown: Callable[[str], str]
    names: Mapping[str, str]
    receivers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def known(self, intervals: Iterable[str]) -> list[str]:
        """Those of the intervals that there are; a file that names another is refused."""
        return [name for name in intervals if name in self.declared.time_intervals]


def export(declared: Declared, shown: Callable[[str], str], own_channels: Sequence[str] = ()) -> str:
    """The file. `shown` says how a secret is written; `own_channels` are the rules that name their channels themselves."""
    writing = _Writing(declared, shown, receiver_names(declared.tree))
    content: dict[str, object] = {"route": _route(declared.tree.root, writing)}
    reached = {name for channels in writing.receivers.values() for name in channels}
    for channel in declared.channels.values():
        if channel.name not in reached and channel.kind is not ChannelKind.LOG and channel.origin != FRESH:
            _receiver(writing, channel.name, (channel.name,))
    content["receivers"] = [
        {"name": name, **_integrations(channels, writing)} for name, channels in writing.receivers.items()
    ]
    if declared.inhibit_rules:
        content["inhibit_rules"] = [_inhibit_rule(rule) for rule in declared.inhibit_rules]
    if declared.time_intervals:
        content["time_intervals"] = [
            {"name": one.name, "time_intervals": [time_intervals.document(period) for period in one.periods]}
            for one in declared.time_intervals.values()
        ]
    if own_channels:
        writing.notes[f"rules that name their channels themselves have no route here: {', '.join(own_channels)}"] = None
    notes = "".join(f"# {' '.join(note.split())}\n" for note in writing.notes)
    return HEAD + notes + yaml_text.dump(content)


def _route(node: Node, writing: _Writing) -> dict[str, object]:
    route = node.route
    if route.notify_on_unmute not in (None, NotifyOnUnmute.NEEDED):
        writing.notes[f"route {route.id!r} has notify_on_unmute {route.notify_on_unmute}"] = None
    names = route.receiver or route.channels is not None or route.id == ROOT
    spans = {name: durations.format(span) for name in _SPANS if (span := getattr(route, name)) is not None}
    fields: dict[str, object] = {
        "receiver": _receiver(writing, writing.names[route.id], node.policy.channels) if names else "",
        "matchers": [str(matcher) for matcher in route.matchers],
        "continue": route.continue_,
        **({} if route.group_by is None else {"group_by": list(route.group_by)}),
        **spans,
        "labels": dict(route.labels),
        "mute_time_intervals": writing.known(route.mute_time_intervals),
        "active_time_intervals": writing.known(route.active_time_intervals),
        "routes": [_route(child, writing) for child in node.children],
    }
    return {name: value for name, value in fields.items() if value or name in ("group_by", *spans)}


def _receiver(writing: _Writing, name: str, channels: tuple[str, ...]) -> str:
    """The receiver's name in the file; another where two routes call different channels the same."""
    found, times = name, 1
    while writing.receivers.setdefault(found, channels) != channels:
        times += 1
        found = f"{name} ({times})"
    return found


def _integrations(names: Iterable[str], writing: _Writing) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for channel in (writing.declared.channels[name] for name in names if name in writing.declared.channels):
        for one in _integration(channel, writing):
            found.setdefault(one.name, []).append(one.fields)
    return found


def _integration(channel: Channel, writing: _Writing) -> Iterator[Integrated]:
    if channel.kind is ChannelKind.LOG:
        return
    if channel.rate_limit is not None:
        writing.notes[f"channel {channel.name!r} has a rate limit"] = None
    written = integration(channel, writing.shown)
    if isinstance(written, Unwritable):
        writing.notes[f"channel {channel.name!r} is left out: {written.why}"] = None
        return
    for left in written.left_out:
        writing.notes[f"channel {channel.name!r}: {left} is left out"] = None
    yield written


def _inhibit_rule(rule: InhibitRule) -> dict[str, object]:
    return {
        **({"name": rule.name} if rule.name else {}),
        "source_matchers": [str(matcher) for matcher in rule.source_matchers],
        "target_matchers": [str(matcher) for matcher in rule.target_matchers],
        **({"equal": list(rule.equal)} if rule.equal else {}),
    }
