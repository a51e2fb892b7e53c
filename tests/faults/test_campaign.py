"""A short campaign of every kind of fault against three engines; `make faults` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.campaign import Campaign
from tests.faults.cluster import running
from tests.peers.postgres_server import PostgresServer
from tests.peers.surroundings import Watched

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("postgresql"), pytest.mark.timeout(300)]

FAULTS = 12


def test_nothing_is_lost_whatever_breaks(watched: Watched, tmp_path: Path) -> None:
    with PostgresServer() as own, running(own, watched, tmp_path, ("a", "b", "c")) as cluster:
        campaign = Campaign(cluster=cluster, seed=3)
        found = campaign.run(FAULTS)
        assert campaign.injected.total() >= FAULTS
        assert (found.lost, found.unexplained, found.problems) == (0, 0, ())
