"""Which groups an alert belongs to, and when a group is flushed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rules.labels import Labels
from rules.routing import ALL_LABELS, Policy, Tree, implicit
from rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A group an alert belongs to: its route's policy and the labels that name the group within the route.

    `version` is that of the configuration which put it there.
    """

    policy: Policy
    labels: Labels
    version: int = 0

    @property
    def labels_hash(self) -> str:
        return self.labels.key()

    @property
    def dedup_key(self) -> str:
        """The key that leaves the system. It hangs on the route's id, so editing the route's text leaves it alone."""
        return hashlib.sha256(f"{self.policy.route_id}\n{self.labels_hash}".encode()).hexdigest()


def policies(rule: Rule | None, labels: Mapping[str, str], tree: Tree) -> tuple[Policy, ...]:
    """The policies an alert of `rule` takes: the rule's own implicit route when it names channels, else the tree's."""
    if rule is not None and rule.notification_channels:
        return (implicit(rule.id, rule.notification_channels, tree.root.policy),)
    return tree.match(labels)


def place(rule: Rule | None, labels: Labels, tree: Tree) -> tuple[Placement, ...]:
    """The groups an alert with these labels belongs to: one of every route it takes."""
    taken = policies(rule, labels, tree)
    return tuple(Placement(policy=policy, labels=policy.group_labels(labels), version=tree.version) for policy in taken)


@dataclass(frozen=True, slots=True)
class Placing:
    """Places many alerts by one tree; those of one group get the same placement, whose hash is worked out once."""

    tree: Tree
    _known: dict[tuple[str, tuple[str | None, ...]], Placement] = field(default_factory=dict)

    def place(self, rule: Rule | None, labels: Labels) -> tuple[Placement, ...]:
        """What `place` answers."""
        return tuple([self._placement(policy, labels) for policy in policies(rule, labels, self.tree)])

    def _placement(self, policy: Policy, labels: Labels) -> Placement:
        if policy.group_by == (ALL_LABELS,):
            return Placement(policy=policy, labels=labels, version=self.tree.version)
        key = policy.route_id, tuple([labels.get(name) for name in policy.group_by])
        known = self._known.get(key)
        if known is None:
            own = policy.group_labels(labels)
            known = self._known[key] = Placement(policy=policy, labels=own, version=self.tree.version)
        return known


def first_flush(policy: Policy, now: datetime) -> datetime:
    """When a group that has just become busy is first flushed."""
    return now + policy.group_wait


def has_waited(policy: Policy, fired_at: datetime, now: datetime) -> bool:
    """Whether an alert that comes in now has fired for longer than group_wait, so that its group waits for nothing more.

    Only a posted alert can be that old. Source: A:dispatch/dispatch.go groupAlert.
    """
    return fired_at + policy.group_wait < now


def this_flush(scheduled: datetime, group_interval: timedelta, now: datetime) -> datetime:
    """The flush that stands for all up to `now`: the last moment on the grid `scheduled + k·group_interval` not after it.

    It is `scheduled` itself unless the flush is late by a whole interval or more, after an outage say. What is told then
    counts from here: were it to count from `scheduled`, the next flush could find a repeat due at once.
    """
    return scheduled + max(0, (now - scheduled) // group_interval) * group_interval


def next_flush(scheduled: datetime, group_interval: timedelta, now: datetime) -> datetime:
    """The first moment after `now` on the grid `scheduled + k·group_interval`, k ≥ 1: a late flush does not drift."""
    return this_flush(scheduled, group_interval, now) + group_interval
