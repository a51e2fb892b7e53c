"""`python -m tests.faults`: the long run of `make faults`. Breaks things on purpose, and writes down what came of it.

Exit code 1 when anything was lost, repeated without a reason, evaluated twice or decided without a note.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.faults.breaking import Fault
from tests.faults.campaign import Campaign
from tests.faults.cluster import running
from tests.faults.inspection import Found
from tests.faults.report import written
from tests.peers.postgres_server import PostgresServer
from tests.peers.prometheus_server import Exporter, PrometheusServer

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
NODES: Final = ("a", "b", "c")


def main(words: Sequence[str]) -> int:
    """Run, print, write the page; the exit code."""
    options = _options(words)
    began, until = time.monotonic(), time.monotonic() + options.minutes * 60
    share = -(-options.faults // options.side_by_side)
    seeds = range(options.seed, options.seed + options.side_by_side)
    with ThreadPoolExecutor(options.side_by_side) as pool:
        results = list(pool.map(lambda seed: campaign(seed, share, until), seeds))
    injected = sum((one for one, _ in results), Counter[Fault]())
    found = [one for _, one in results]
    command = " ".join(["make faults", *([f'ARGS="{" ".join(words)}"'] if words else [])])
    where = [
        f"Date: {datetime.now(UTC).date().isoformat()}; {timedelta(seconds=int(time.monotonic() - began))} for all of it",
        f"Machine: {os.cpu_count()} cores, load average at the end {os.getloadavg()[0]:.1f}; Python {platform.python_version()}",
        f"Seeds {seeds.start} to {seeds.stop - 1}, one cluster of {len(NODES)} engines for each",
    ]
    former = PAGE.read_text()
    page, table = written(former, injected, found, where=where, command=command)
    print(table)
    problems = [problem for one in found for problem in one.problems]
    print(*problems[:50], sep="\n")
    if options.page:
        PAGE.write_text(page)
    return 1 if problems or any(one.lost or one.unexplained for one in found) else 0


def campaign(seed: int, faults: int, until: float) -> tuple[Counter[Fault], Found]:
    """One cluster's run."""
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-faults-") as folder,
        PostgresServer() as server,
        Exporter() as exporter,
        PrometheusServer(targets=[exporter.target]) as prometheus,
        running(server, (exporter, prometheus), Path(folder), NODES) as cluster,
    ):
        one = Campaign(cluster=cluster, seed=seed)
        return one.injected, one.run(faults, until=until)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=520)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side-by-side", type=int, default=2, help="clusters at a time")
    parser.add_argument("--minutes", type=float, default=60, help="begin no further round after that")
    parser.add_argument("--no-page", dest="page", action="store_false", help="only print")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
