"""The faults, each as a function that does it to a cluster and answers how to undo it."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from tests.faults.cluster import Cluster, NodeProcess
from tests.faults.crashing_engine import CrashPoint
from tests.faults.receiver import Mood

Heal = Callable[[], bool]
"""Undoes the fault; whether it had happened at all (a process that was to die at a point may not have come by)."""


class Fault(StrEnum):
    """What goes wrong, in the words of the table."""

    KILL = "an engine is killed (SIGKILL)"
    IN_INTAKE = "an engine dies with a slot evaluated, before its commit"
    BEFORE_COMMIT = "an engine dies with a message decided, before its commit"
    BEFORE_SEND = "an engine dies with a message leased, before the send"
    BEFORE_MARK = "an engine dies with a message sent, before it is noted"
    PAUSE = "an engine is stopped for longer than its lease (SIGSTOP)"
    STOP = "an engine is asked to stop in the middle of its work (SIGTERM)"
    CRASH_DATABASE = "PostgreSQL crashes and recovers"
    RESTART_DATABASE = "PostgreSQL is restarted"
    TERMINATE = "half of all database sessions are ended by the server"
    CUT = "an engine's connections to the database are cut"
    PARTITION = "an engine cannot reach the database for a while"
    STALL = "an engine's connections to the database hang for a while"
    RECEIVER_ERRORS = "the receiver answers 500 for a while"
    RECEIVER_BUSY = "the receiver answers 429 for a while"
    RECEIVER_SILENT = "the receiver does not answer for a while"
    CLOCK = "a host's clock jumps by up to two hours, and back"
    PROMETHEUS = "Prometheus hangs for a while (SIGSTOP)"


POINTS: Final = {
    Fault.IN_INTAKE: CrashPoint.IN_INTAKE,
    Fault.BEFORE_COMMIT: CrashPoint.BEFORE_COMMIT,
    Fault.BEFORE_SEND: CrashPoint.BEFORE_SEND,
    Fault.BEFORE_MARK: CrashPoint.BEFORE_MARK,
}
MOODS: Final = {
    Fault.RECEIVER_ERRORS: Mood.ERRORS,
    Fault.RECEIVER_BUSY: Mood.BUSY,
    Fault.RECEIVER_SILENT: Mood.SILENT,
}


def inject(fault: Fault, cluster: Cluster, chance: random.Random) -> Heal:
    """Let it go wrong, for a node that chance picks where it is about one."""
    if fault in MOODS:
        return _mood(cluster, MOODS[fault])
    if fault in ON_ALL:
        return ON_ALL[fault](cluster)
    node = chance.choice(cluster.nodes)
    if fault in POINTS:
        return _crash_point(node, POINTS[fault])
    if fault is Fault.CLOCK:
        return _clock(node, chance.uniform(-7200, 7200))
    return ON_ONE[fault](node)


def _mood(cluster: Cluster, mood: Mood) -> Heal:
    cluster.receiver.mood = mood

    def heal() -> bool:
        cluster.receiver.mood = Mood.WELL
        return True

    return heal


def _crash_point(node: NodeProcess, point: CrashPoint) -> Heal:
    node.arm(point)

    return lambda: not node.disarm()


def _clock(node: NodeProcess, off: float) -> Heal:
    node.set_clock(off)

    def heal() -> bool:
        node.set_clock(0)
        return True

    return heal


def _kill(node: NodeProcess) -> Heal:
    node.kill()
    return lambda: True


def _stop(node: NodeProcess) -> Heal:
    node.terminate()

    def heal() -> bool:
        node.thaw()
        return True

    return heal


def _pause(node: NodeProcess) -> Heal:
    node.freeze()

    def heal() -> bool:
        node.thaw()
        return True

    return heal


def _cut(node: NodeProcess) -> Heal:
    node.wire.cut()
    return lambda: True


def _partition(node: NodeProcess) -> Heal:
    node.wire.break_off()
    return _mending(node)


def _stall(node: NodeProcess) -> Heal:
    node.wire.hold()
    return _mending(node)


def _mending(node: NodeProcess) -> Heal:
    def heal() -> bool:
        node.wire.mend()
        return True

    return heal


def _crash_database(cluster: Cluster) -> Heal:
    cluster.server.kill()
    return _starting(cluster)


def _restart_database(cluster: Cluster) -> Heal:
    cluster.server.stop()
    return _starting(cluster)


def _starting(cluster: Cluster) -> Heal:
    def heal() -> bool:
        cluster.server.start()
        return True

    return heal


def _terminate(cluster: Cluster) -> Heal:
    cluster.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'tocsin' AND pid % 2 = 0 AND datname = current_database()"
    )
    return lambda: True


def _prometheus(cluster: Cluster) -> Heal:
    os.kill(cluster.prometheus.pid, signal.SIGSTOP)

    def heal() -> bool:
        os.kill(cluster.prometheus.pid, signal.SIGCONT)
        return True

    return heal


ON_ALL: Final[dict[Fault, Callable[[Cluster], Heal]]] = {
    Fault.CRASH_DATABASE: _crash_database,
    Fault.RESTART_DATABASE: _restart_database,
    Fault.TERMINATE: _terminate,
    Fault.PROMETHEUS: _prometheus,
}
ON_ONE: Final[dict[Fault, Callable[[NodeProcess], Heal]]] = {
    Fault.KILL: _kill,
    Fault.STOP: _stop,
    Fault.PAUSE: _pause,
    Fault.CUT: _cut,
    Fault.PARTITION: _partition,
    Fault.STALL: _stall,
}
EXCLUSIVE: Final = (
    {Fault.CRASH_DATABASE, Fault.RESTART_DATABASE, Fault.TERMINATE},
    set(MOODS),
)
"""Of each of these at most one at a time: a server that is down cannot crash, and the receiver has one mood."""
