"""`python -m benchmarks`, or `cycles`: CPU seconds of one evaluation cycle, Tocsin beside Prometheus' ruler and vmalert
(benchmarks/cycles.py).

`python -m benchmarks edits` measures how soon an edit is in force (benchmarks/edits.py), `posts` what posted alerts cost beside
a real Alertmanager (benchmarks/posts.py), `replicas` recovery, sharing and sending
(benchmarks/replicas.py), `start` a start with many rules and alerts (benchmarks/starts.py),
`import` what an import of 20,000 rules costs (benchmarks/imports.py), `groups` what deciding costs beside a real
Alertmanager (benchmarks/groups.py), `series` an answer of a million series (benchmarks/million.py), `plans` planning
(benchmarks/replans.py), `firing` and `latency` both pairs end to end (benchmarks/pairs.py).
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cycles, edits, groups, imports, posts, replicas
from benchmarks.report import HEADING, TITLES, Surroundings, described
from benchmarks.targets import TARGETS
from engine.telemetry import version
from tests.peers.require import find_binary

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def main(words: Sequence[str]) -> int:
    """Measure, print, and write the page; the exit code: 1 when the systems disagree about what fires."""
    others = {
        "edits": _measure_edits,
        "groups": _measure_groups,
        "import": _measure_imports,
        "posts": _measure_posts,
        "replicas": _measure_replicas,
    }
    name = next(iter(words), "")
    return _measure_target(name, words) if name in TARGETS else others.get(name, _measure_cycles)(words)


def _measure_target(name: str, words: Sequence[str]) -> int:
    target = TARGETS[name]
    parser = target.parser(name)
    _add_page(parser)
    options = parser.parse_args(words[1:])
    missing = [one for one in target.binaries if find_binary(one) is None]
    if missing:
        print(f"{missing[0]} is not installed; there is nothing to measure with", file=sys.stderr)
        return 1
    found, section = target.run(options)
    surroundings = _surroundings(words, find_binary("prometheus") or Path("prometheus"))
    database = _databases() if "postgres" in target.binaries else f"SQLite {sqlite3.sqlite_version}"
    where = described(surroundings, database=database)
    print(found, *where, sep="\n")
    _publish(options.page, target.heading, section(where, surroundings.command))
    return 0


def _measure_replicas(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks replicas", description=replicas.__doc__)
    parser.add_argument("--messages", type=int, default=4_000, help="notifications that wait")
    _add_page(parser)
    options, prometheus = parser.parse_args(words[1:]), find_binary("prometheus")
    if prometheus is None:
        print("prometheus is not installed; there is nothing to evaluate against", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        found = replicas.measure(Path(folder), messages=options.messages)
    surroundings = _surroundings(words, prometheus)
    where = described(surroundings, database=_databases())
    print(replicas.table(found), *where, sep="\n")
    text = replicas.section(found, where, surroundings.command)
    _publish(options.page, replicas.HEADING, text)
    return 0


def _measure_posts(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks posts", description=posts.__doc__)
    parser.add_argument("--alerts", type=int, default=10_000, help="alerts that are posted again and again")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--listed", type=int, default=100_000, help="alerts that are listed")
    _add_page(parser)
    options, alertmanager = parser.parse_args(words[1:]), find_binary("prometheus-alertmanager")
    if alertmanager is None:
        print("prometheus-alertmanager is not installed; there is nothing to compare with", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        found = posts.measure(options.alerts, options.rounds, options.listed, Path(folder))
    surroundings = _surroundings(words, alertmanager)
    where = [
        line.replace("Prometheus", "Alertmanager")
        for line in described(surroundings, database=f"SQLite {sqlite3.sqlite_version}")
    ]
    print(posts.table(found), *where, sep="\n")
    sizes = {"alerts": options.alerts, "rounds": options.rounds, "listed": options.listed}
    text = posts.section(found, where, surroundings.command, **sizes)
    _publish(options.page, posts.HEADING, text)
    return 0


def _measure_imports(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks import", description=imports.__doc__)
    parser.add_argument("--rules", type=int, default=20_000)
    _add_page(parser)
    options, prometheus = parser.parse_args(words[1:]), find_binary("prometheus")
    if prometheus is None:
        print("prometheus is not installed; there is nothing to compare with", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        found = imports.measure(options.rules, Path(folder))
    surroundings = _surroundings(words, prometheus)
    where = [*described(surroundings, database=_databases())]
    print(imports.table(found), *where, sep="\n")
    text = imports.section(options.rules, found, where, surroundings.command)
    _publish(options.page, imports.HEADING, text)
    return 0


def _measure_groups(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks groups", description=groups.__doc__)
    parser.add_argument("--alerts", type=int, default=100_000, help="alerts, ten in a group")
    parser.add_argument("--inhibited", type=int, default=15_000, help="alerts that meet 100 inhibit rules")
    _add_page(parser)
    options, alertmanager = parser.parse_args(words[1:]), find_binary("prometheus-alertmanager")
    if alertmanager is None:
        print("prometheus-alertmanager is not installed; there is nothing to compare with", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        found = groups.measure(options.alerts, options.inhibited, Path(folder))
    surroundings = _surroundings(words, alertmanager)
    where = [line.replace("Prometheus", "Alertmanager") for line in described(surroundings, database=_databases())]
    print(groups.table(found), *where, sep="\n")
    sizes = {"alerts": options.alerts, "inhibited": options.inhibited}
    text = groups.section(found, where, surroundings.command, **sizes)
    _publish(options.page, groups.HEADING, text)
    return 0


def _measure_edits(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks edits", description=edits.__doc__)
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--edits", type=int, default=30)
    _add_page(parser)
    options, prometheus = parser.parse_args(words[1:]), find_binary("prometheus")
    if prometheus is None:
        print("prometheus is not installed; there is nothing to evaluate against", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        found = edits.measure(options.rules, options.edits, Path(folder))
    surroundings = _surroundings(words, prometheus)
    where = [*described(surroundings, database=_databases())]
    print(edits.table(found), *where, sep="\n")
    text = edits.section(options.rules, found, where, surroundings.command)
    _publish(options.page, edits.HEADING, text)
    return 0


def _measure_cycles(words: Sequence[str]) -> int:
    options, prometheus = (
        cycles.options([one for one in words if one != "cycles"], _add_page),
        find_binary("prometheus"),
    )
    if prometheus is None:
        print("prometheus is not installed; there is nothing to compare with", file=sys.stderr)
        return 1
    kept = cycles.run(options)
    if kept is None:
        return 1
    surroundings = _surroundings(["cycles"], prometheus)
    where = [*described(surroundings, database=_databases()), *_peers(TITLES)]
    if options.page is not None:
        _publish(options.page, HEADING, cycles.publish(options.page, kept, where, surroundings.command))
    return 0


def _peers(systems: Collection[str]) -> list[str]:
    """The versions of what else was measured."""
    if "vmalert" not in systems:
        return []
    # Debian's vmalert does not know its own version; its package does.
    asking = ["dpkg-query", "-W", "-f", "${Version}", "vmalert", "victoria-metrics"]
    said = subprocess.run(asking, capture_output=True, text=True, check=False)
    return [f"vmalert {said.stdout or 'of unknown version'}"]


def _publish(page: Path | None, heading: str, text: str) -> None:
    """Put the section in the place of the one with this heading, or at the end."""
    if page is not None:
        page.write_text(edits.with_section(page.read_text(), heading, text))


def _add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--page", type=Path, default=PAGE, help="where to write the page")
    parser.add_argument("--no-page", dest="page", action="store_const", const=None, help="only print")


def _surroundings(words: Sequence[str], prometheus: Path) -> Surroundings:
    said = subprocess.run([prometheus, "--version"], capture_output=True, text=True, check=True)
    return Surroundings(
        date=datetime.now(UTC).date().isoformat(),
        command=" ".join(["make bench", *([f'ARGS="{" ".join(words)}"'] if words else [])]),
        cpu=_cpu_model(Path("/proc/cpuinfo").read_text()),
        cores=os.cpu_count() or 1,
        load=os.getloadavg()[0],
        python=platform.python_version(),
        prometheus=(said.stdout or said.stderr).split()[2],
        tocsin=version(),
    )


def _databases() -> str:
    """Both databases with their versions, as they name themselves."""
    said = subprocess.run([str(find_binary("postgres")), "--version"], capture_output=True, text=True, check=True)
    return f"SQLite {sqlite3.sqlite_version} and PostgreSQL {said.stdout.split()[2]}"


def _cpu_model(cpuinfo: str) -> str:
    """As the kernel names it; some architectures have no such line."""
    names = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
