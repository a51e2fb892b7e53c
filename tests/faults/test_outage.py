"""The database is away for longer than anybody waits: the fallback channel says so once, and its end; nothing is lost."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.cluster import insert_rules, running
from tests.faults.long import in_make_faults
from tests.faults.receiver import Receiver
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.surroundings import Watched

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("postgresql"), pytest.mark.timeout(300), in_make_faults]

RULES = 30


def test_a_database_that_is_away_is_told_within_a_minute_and_its_return(watched: Watched, tmp_path: Path) -> None:
    with PostgresServer() as own, Receiver() as fallback, running(own, watched, tmp_path, ("a",)) as cluster:
        (node,) = cluster.nodes
        node.engine.stop()
        node.engine.set_environment(TOCSIN_FALLBACK_CHANNEL=f"webhook:{fallback.url}")
        node.engine.start()
        insert_rules(cluster, RULES)
        cluster.show(**{f"m{n}": 0 for n in range(RULES)})
        wait_until(lambda: bool(cluster.holders()), what="the rules to be evaluated", within=timedelta(seconds=30))
        own.kill()
        began = time.monotonic()
        cluster.metrics |= {f"m{n}": 1 for n in range(RULES)}
        cluster.publish()
        wait_until(lambda: bool(fallback.told), what="the fallback channel to be told", within=timedelta(seconds=60))
        assert time.monotonic() - began >= 25
        assert node.engine.get("/health/ready")[0] == 503
        time.sleep(20)
        assert [one.status for one in fallback.told] == ["firing"]
        lines = node.engine.log.count("loop still failing") + node.engine.log.count("loop failed")
        assert lines < 120, "an outage must not fill the log"
        own.start()
        wait_until(lambda: len(fallback.told) == 2, what="its end to be told", within=timedelta(seconds=60))
        wait_until(
            lambda: len(cluster.receiver.told) >= RULES,
            what="what began meanwhile to be told",
            within=timedelta(seconds=60),
        )
        time.sleep(3)
        assert sorted(one.rule for one in cluster.receiver.told) == sorted(f"m{n}" for n in range(RULES))
        assert [one.status for one in fallback.told] == ["firing", "resolved"]
