"""Rounds of alerts that begin and end while things break, from one seed; afterwards everything is compared.

A round: some rules' metrics flip, faults strike with random pauses in between, everything is healed, and each flip must
become known within `PATIENCE`. What is not told by then is lost.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from tests.faults.breaking import EXCLUSIVE, Fault, Heal, inject
from tests.faults.cluster import LEASE, Cluster, insert_rules
from tests.faults.inspection import Expected, Found, inspect, told_of
from tests.peers.processes import wait_until

RULES: Final = 12
PATIENCE: Final = timedelta(seconds=90)
"""For a machine that does other things too; what was lost stays lost."""


@dataclass(slots=True, kw_only=True)
class Campaign:
    """One seeded run against a cluster."""

    cluster: Cluster
    seed: int
    kinds: Sequence[Fault] = tuple(Fault)
    injected: Counter[Fault] = field(default_factory=Counter)
    _chance: random.Random = field(default_factory=random.Random)
    _wanted: dict[str, list[str]] = field(default_factory=dict)

    def run(self, faults: int, *, until: float = float("inf")) -> Found:
        """Inject at least so many faults (or stop at `until` on the monotonic clock), then look at what came of it."""
        self._chance.seed(self.seed)
        insert_rules(self.cluster, RULES)
        self.cluster.show(**{f"m{n}": 0 for n in range(RULES)})
        for node in self.cluster.nodes[1:]:
            node.start()
        self._settle()
        deck = self._shuffled()
        while self.injected.total() < faults and time.monotonic() < until:
            self._round(deck)
        self._rest()
        return inspect(self.cluster, [Expected(rule=name, statuses=tuple(all_)) for name, all_ in self._wanted.items()])

    def _shuffled(self) -> Iterator[Fault]:
        """Every kind as often as the others, in an order of chance."""
        while True:
            kinds = list(self.kinds)
            self._chance.shuffle(kinds)
            yield from kinds

    def _round(self, deck: Iterator[Fault]) -> None:
        self._flip(self._chance.sample(range(RULES), self._chance.randint(2, 6)))
        healing: list[tuple[Fault, Heal]] = []
        for fault in _compatible([next(deck) for _ in range(self._chance.randint(2, 4))]):
            time.sleep(self._chance.uniform(0, 0.8))
            self._supervise()
            healing.append((fault, inject(fault, self.cluster, self._chance)))
        paused = any(fault is Fault.PAUSE for fault, _ in healing)
        time.sleep(LEASE.total_seconds() + 0.5 if paused else self._chance.uniform(0.5, 2))
        self._chance.shuffle(healing)
        for fault, heal in healing:
            self.injected[fault] += heal()
        self._settle()

    def _supervise(self) -> None:
        """Start whatever has ended, as a supervisor would."""
        for node in self.cluster.nodes:
            if not node.is_running:
                node.start()

    def _flip(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            name = f"m{number}"
            told = self._wanted.setdefault(name, [])
            told.append("resolved" if told and told[-1] == "firing" else "firing")
            self.cluster.metrics[name] = 1 if told[-1] == "firing" else 0
        self.cluster.publish()

    def _settle(self) -> None:
        """Everybody runs again, and what was to be told is told; what is not stays for the inspection to find."""
        try:
            wait_until(self._told, what="all to be told", within=PATIENCE)
        except TimeoutError:
            missing = {
                name: told_of(self.cluster.receiver.told, name)[-3:] for name in self._wanted if not self._knows(name)
            }
            print(f"seed {self.seed}: not told within {PATIENCE}: {missing}", flush=True)

    def _told(self) -> bool:
        self._supervise()
        return all(self._knows(name) for name in self._wanted)

    def _knows(self, name: str) -> bool:
        return told_of(self.cluster.receiver.told, name)[-1:] == self._wanted[name][-1:]

    def _rest(self) -> None:
        def at_rest() -> bool:
            return not self.cluster.sql("SELECT 1 FROM outbox WHERE status = 'pending'")

        wait_until(at_rest, what="the outbox to be empty", within=PATIENCE)


def _compatible(drawn: Sequence[Fault]) -> list[Fault]:
    kept: list[Fault] = []
    for fault in drawn:
        rivals = [one for group in EXCLUSIVE if fault in group for one in group]
        if fault not in kept and not any(one in kept for one in rivals):
            kept.append(fault)
    return kept
