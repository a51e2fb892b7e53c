"""From a policy's channel names to addressees, and what stands in for names that lead nowhere: no alert goes into the void."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from engine.core.flush import Target
from engine.core.notifying import Terms
from engine.core.outcome import Outcome
from engine.delivery import addresses
from engine.delivery.addresses import Address, Unconfigured
from engine.store.definitions import Definitions
from rules.channels import LOG_CHANNEL, Channel, ChannelKind
from rules.errors import ChannelError
from rules.routing import NotifyOnUnmute, Policy

Deliver = Callable[[Address, bytes, str, timedelta], Outcome]
"""The way out: an address, the bytes, the recipient, and how long it may take in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom a policy reaches now. `problems` are channels that lead nowhere, by name, each with its reason."""

    terms: Mapping[Target, Terms]
    problems: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Addressing:
    """Resolves channels; `environment` is what `env:` references are read from, at each call."""

    environment: Callable[[], Mapping[str, str]]

    def reach(self, policy: Policy, definitions: Definitions) -> Reach:
        """The addressees of `policy`.

        A channel that is unknown, unconfigured or unusable is a problem; the log channel stands in for it. With no known
        channel left the default route's are used.
        """
        problems = {name: _undefined(name) for name in policy.channels if channel_named(name, definitions) is None}
        known = [name for name in policy.channels if name not in problems]
        terms: dict[Target, Terms] = {}
        for name in known or definitions.tree.root.policy.channels:
            found = self._targets(name, definitions, policy)
            if isinstance(found, str):
                problems[name] = found
            else:
                terms |= found
        if problems or not terms:
            terms.setdefault(Target(LOG_CHANNEL), _terms(policy, send_resolved=True))
        return Reach(terms=terms, problems=problems)

    def address(self, channel: Channel) -> Address | Unconfigured:
        """The channel's address as it stands now; raises ChannelError when it cannot be used."""
        return addresses.address(channel, self.environment())

    def _targets(self, name: str, definitions: Definitions, policy: Policy) -> dict[Target, Terms] | str:
        channel = channel_named(name, definitions)
        if channel is None:
            return _undefined(name)
        try:
            address = self.address(channel)
        except ChannelError as error:
            return str(error)
        if isinstance(address, Unconfigured):
            return address.reason
        terms = _terms(policy, send_resolved=channel.send_resolved)
        return {Target(name, recipient): terms for recipient in addresses.recipients(address)}


def channel_named(name: str, definitions: Definitions) -> Channel | None:
    """The channel of this name; the log channel exists even when its row was deleted."""
    known = definitions.channels.get(name)
    if known is None and name == LOG_CHANNEL:
        return Channel(name=LOG_CHANNEL, kind=ChannelKind.LOG)
    return known


def _undefined(name: str) -> str:
    return f"no channel {name!r} is defined"


def with_told(
    terms: Mapping[Target, Terms], told: Iterable[Target], policy: Policy, definitions: Definitions
) -> Mapping[Target, Terms]:
    """The addressees of a policy, and those once told whom it no longer reaches."""
    found: dict[Target, Terms] = {}
    for target in told:
        channel = definitions.channels.get(target.channel)
        send_resolved = channel is None or channel.send_resolved
        found[target] = _terms(policy, send_resolved=send_resolved, reached=False)
    return found | dict(terms)


def _terms(policy: Policy, *, send_resolved: bool, reached: bool = True) -> Terms:
    return Terms(
        repeat_interval=policy.repeat_interval,
        send_resolved=send_resolved,
        notify_on_unmute=NotifyOnUnmute(policy.notify_on_unmute),
        reached=reached,
    )
