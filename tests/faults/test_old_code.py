"""Migrations run while replicas of the version before are up: they go on, and old and new share the work meanwhile."""

from __future__ import annotations

import io
import subprocess
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.faults.cluster import Cluster, insert_rules, running
from tests.faults.receiver import Told
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import wait_until
from tests.peers.surroundings import Watched

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("postgresql"), pytest.mark.timeout(240)]

ROOT: Final = Path(__file__).parents[2]
SOON: Final = timedelta(seconds=60)


def git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=True).stdout


def revisions(commit: str) -> set[str]:
    return {Path(name).name for name in git("ls-tree", "--name-only", commit, "migrations/versions/").decode().split()}


def code_before_the_newest_migration(folder: Path) -> Path:
    """The newest code that had every migration but the newest one, as it was."""
    present = {path.name for path in (ROOT / "migrations" / "versions").glob("*.py")}
    newest = max(name for name in present if name.startswith("v"))
    try:
        commits = git("log", "--format=%H^", "--", "migrations/versions").decode().split()
        before = next(commit for commit in commits if revisions(commit) == present - {newest})
        archive = git("archive", before, "api", "engine", "rules", "migrations", "tests")
    except (OSError, subprocess.CalledProcessError, StopIteration):
        pytest.skip("needs the project's history: a git clone that is not shallow")
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    assert not (folder / "migrations" / "versions" / newest).exists()
    return folder


def told(cluster: Cluster, count: int) -> list[Told]:
    wait_until(lambda: len(cluster.receiver.told) >= count, what=f"{count} messages", within=SOON)
    return cluster.receiver.told


def test_old_code_works_on_the_new_schema_beside_new_code(
    postgres: PostgresServer, watched: Watched, tmp_path: Path
) -> None:
    old_code = code_before_the_newest_migration(tmp_path / "code")
    with running(postgres, watched, tmp_path, ("old", "new"), path=old_code) as cluster:
        old, new = cluster.nodes
        new.engine.set_environment(PYTHONPATH=str(ROOT))
        ((before,),) = cluster.sql("SELECT version_num FROM alembic_version")
        insert_rules(cluster, 8)
        cluster.show(**{f"m{n}": 0 for n in range(8)})
        new.engine.start()  # It migrates while the old one is at work.
        ((after,),) = cluster.sql("SELECT version_num FROM alembic_version")
        assert after != before
        wait_until(lambda: cluster.holders().keys() == {"old", "new"}, what="both to have a part", within=SOON)
        cluster.show(m0=1, m1=1, m2=1, m3=1)
        assert {one.status for one in told(cluster, 4)} == {"firing"}
        # What it has sent and not noted yet would rightly be sent again.
        pending = "SELECT 1 FROM outbox WHERE status = 'pending'"
        wait_until(lambda: not cluster.sql(pending), what="every message to be noted", within=SOON)
        new.kill()
        cluster.show(m0=0, m1=0, m4=1)
        assert sorted(one.status for one in told(cluster, 7)[4:]) == ["firing", "resolved", "resolved"]
        assert old.is_running
        new.engine.start()
        old.terminate()
        cluster.show(m2=0, m3=0, m4=0)
        assert {one.status for one in told(cluster, 10)[7:]} == {"resolved"}
        assert len(cluster.receiver.told) == 10
