"""What is declared as a configuration file that Alertmanager takes, and that read back declares the same.

What such a file cannot say is told in comments at its top. Fields that only newer versions know are written where they are
used, so a file of an older version comes back as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rules.channels import Channel, ChannelKind
from rules.formats import alertmanager_text, yaml_text
from rules.formats.alertmanager_integrations import Integrated, Unwritable, integration
from rules.formats.alertmanager_text import Declared
from rules.inhibition import InhibitRule
from rules.routing import ROOT, Node, NotifyOnUnmute

HEAD = "# Written by Tocsin. Alertmanager takes it, and so does tocsin import alertmanager.\n"
FRESH = "tocsin"
"""The origin of the channels a fresh database has; those that no route uses are not written."""


@dataclass(slots=True)
class _Writing:
    """What is known of the file so far: its receivers by name, and what could not be written."""

    declared: Declared
    shown: Callable[[str], str]
    names: Mapping[str, str]
    receivers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Tell what the file cannot say, once."""
        self.notes[text] = None


def export(declared: Declared, shown: Callable[[str], str], own_channels: Sequence[str] = ()) -> str:
    """The file. `shown` says how a secret is written; `own_channels` are the rules that name their channels themselves."""
    writing = _Writing(declared, shown, alertmanager_text.receivers(declared.tree))
    # Its receivers are known only when the routes and the channels without one are written.
    route = _route(declared.tree.root, writing)
    _write_unrouted(writing)
    content: dict[str, object] = {
        "route": route,
        "receivers": [
            {"name": name, **_integrations(channels, writing)} for name, channels in writing.receivers.items()
        ],
        **alertmanager_text.beside_routes(declared, _inhibit_rule),
    }
    if own_channels:
        writing.note(f"rules that name their channels themselves have no route here: {', '.join(own_channels)}")
    notes = "".join(f"# {' '.join(note.split())}\n" for note in writing.notes)
    return HEAD + notes + yaml_text.dump(content)


def _write_unrouted(writing: _Writing) -> None:
    """Give each channel that no route uses a receiver of its own."""
    reached = {name for channels in writing.receivers.values() for name in channels}
    for channel in writing.declared.channels.values():
        if channel.name not in reached and channel.kind is not ChannelKind.LOG and channel.origin != FRESH:
            _receiver(writing, channel.name, (channel.name,))


def _route(node: Node, writing: _Writing) -> dict[str, object]:
    route = node.route
    if route.notify_on_unmute not in (None, NotifyOnUnmute.NEEDED):
        writing.note(f"route {route.id!r} has notify_on_unmute {route.notify_on_unmute}")
    names = route.receiver or route.channels is not None or route.id == ROOT
    return alertmanager_text.given(
        {
            "receiver": _receiver(writing, writing.names[route.id], node.policy.channels) if names else "",
            **alertmanager_text.grouping(route, route),
            "labels": dict(route.labels),
            **alertmanager_text.intervals(route, writing.declared),
            "routes": [_route(child, writing) for child in node.children],
        }
    )


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
        writing.note(f"channel {channel.name!r} has a rate limit")
    written = integration(channel, writing.shown)
    if isinstance(written, Unwritable):
        writing.note(f"channel {channel.name!r} is left out: {written.why}")
        return
    for left in written.left_out:
        writing.note(f"channel {channel.name!r}: {left} is left out")
    yield written


def _inhibit_rule(rule: InhibitRule) -> dict[str, object]:
    return {**({"name": rule.name} if rule.name else {}), **alertmanager_text.inhibit_rule(rule)}
