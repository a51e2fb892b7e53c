"""Several engines share one database: each has its part, the dead's part is taken over, and the stale cannot write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.cluster import LEASE, Cluster, insert_rules, running
from tests.faults.inspection import assert_slots_were_evaluated_once
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.surroundings import Watched

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("postgresql"), pytest.mark.timeout(240)]

RULES = 24
SETTLED = timedelta(seconds=40)


@pytest.fixture
def cluster(postgres: PostgresServer, watched: Watched, tmp_path: Path) -> Iterator[Cluster]:
    with running(postgres, watched, tmp_path, ("a", "b", "c")) as made:
        insert_rules(made, RULES)
        made.show(**{f"m{n}": 0 for n in range(RULES)})
        yield made


def even(cluster: Cluster, *names: str) -> bool:
    """Whether these and nobody else hold the units, each of them some; what is evened out are rules, not units."""
    held = cluster.holders()
    return held.keys() == set(names) and min(held.values()) >= 2


def slots_by(cluster: Cluster, since: int) -> set[str]:
    rows = cluster.sql(f"SELECT DISTINCT split_part(holder, '/', 1) FROM witnessed_slots WHERE n > {since}")
    return {str(name) for (name,) in rows}


def newest(cluster: Cluster) -> int:
    ((n,),) = cluster.sql("SELECT coalesce(max(n), 0) FROM witnessed_slots")
    return int(n)


def test_work_is_shared_taken_over_and_fenced(cluster: Cluster) -> None:
    _, b, c = cluster.nodes
    wait_until(lambda: even(cluster, "a"), what="the first to have all", within=SETTLED)
    b.start()
    c.start()
    wait_until(lambda: even(cluster, "a", "b", "c"), what="three to share", within=SETTLED)
    mark = newest(cluster)
    wait_until(lambda: slots_by(cluster, mark) == {"a", "b", "c"}, what="three to evaluate", within=SETTLED)

    # One is stopped for longer than its lease: the others have its part before it knows, and it cannot write.
    b.freeze()
    wait_until(lambda: even(cluster, "a", "c"), what="a stopped one's part to be taken over", within=SETTLED)
    b.thaw()
    wait_until(lambda: even(cluster, "a", "b", "c"), what="it to be given a part again", within=SETTLED)

    # One is killed: its part is evaluated by others within a lease, as the database's own clock sees it.
    ((ends,),) = cluster.sql("SELECT lease_until FROM nodes WHERE id = 'c'")
    c.kill()
    wait_until(lambda: even(cluster, "a", "b"), what="a dead one's part to be taken over", within=SETTLED)
    ((ends,),) = cluster.sql("SELECT lease_until FROM nodes WHERE id = 'c'")
    ((now,),) = cluster.sql("SELECT clock_timestamp()")
    assert now - ends < LEASE

    # One leaves in order: nobody waits for a lease.
    began = time.monotonic()
    b.engine.stop()
    wait_until(lambda: even(cluster, "a"), what="the part of one that left to be taken over", within=SETTLED)
    assert time.monotonic() - began < SETTLED.total_seconds()
    assert_slots_were_evaluated_once(cluster)


def test_roles_can_be_split_among_processes(postgres: PostgresServer, watched: Watched, tmp_path: Path) -> None:
    roles = {"eval": "evaluator", "tell": "dispatcher,sender", "web": "api"}
    with running(postgres, watched, tmp_path, tuple(roles)) as cluster:
        for node in cluster.nodes:
            node.engine.set_environment(TOCSIN_ROLES=roles[node.name])
        first, *others = cluster.nodes
        first.engine.stop()
        for node in (first, *others):
            node.start()
        insert_rules(cluster, 2)
        cluster.show(m0=1, m1=0)
        wait_until(lambda: bool(cluster.receiver.told), what="the alert to be told", within=SETTLED)
        assert cluster.holders().keys() == {"eval"}
        status: dict[str, int] = {}
        for node in cluster.nodes:
            with suppress(ValueError):
                status[node.name] = node.engine.get("/api/v1/rules")[0]
            assert node.engine.get("/health/ready")[0] == 200
        assert status == {"eval": 404, "tell": 404, "web": 200}
