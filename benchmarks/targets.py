"""The smaller measurements by name: what each is given, does, and puts on the page."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from benchmarks import million, pairs, replans, starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`measure` gives the table and the section, which has places for `where` and `command`; `numbers` are its options."""

    heading: str
    about: str | None
    numbers: Mapping[str, float]
    measure: Callable[[argparse.Namespace, Path], tuple[str, str]]
    binaries: Sequence[str] = ("prometheus",)

    def parser(self, name: str) -> argparse.ArgumentParser:
        """What the command line says of it."""
        parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=self.about)
        for option, usual in self.numbers.items():
            parser.add_argument(f"--{option}", type=type(usual), default=usual)
        return parser

    def run(self, options: argparse.Namespace) -> tuple[str, Callable[[Sequence[str], str], str]]:
        """The table, and what makes the section of it when it is told where and by which command it was measured."""
        with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
            table, section = self.measure(options, Path(folder))

        def written(where: Sequence[str], command: str) -> str:
            return section.format(table=table, where="\n".join(f"- {line}" for line in where), command=command)

        return table, written


def _series(options: argparse.Namespace, folder: Path) -> tuple[str, str]:
    return million.table(million.measure(options.series, folder)), million.SECTION


def _plans(options: argparse.Namespace, _: Path) -> tuple[str, str]:
    return replans.table(replans.measure(options.rules)), replans.SECTION


def _start(options: argparse.Namespace, folder: Path) -> tuple[str, str]:
    return starts.table(starts.measure(options.rules, folder)), starts.SECTION


def _firing(options: argparse.Namespace, folder: Path) -> tuple[str, str]:
    return pairs.firing_table(pairs.firing(options.alerts, options.minutes, folder)), pairs.FIRING_SECTION


def _latency(options: argparse.Namespace, folder: Path) -> tuple[str, str]:
    found = pairs.latency(options.alerts, timedelta(seconds=options.interval), folder)
    return pairs.latency_table(found), pairs.LATENCY_SECTION.replace("{interval:g}", f"{options.interval:g}")


TARGETS: Final[Mapping[str, Target]] = {
    "series": Target(heading=million.HEADING, about=million.__doc__, numbers={"series": 1_000_000}, measure=_series),
    "plans": Target(heading=replans.HEADING, about=replans.__doc__, numbers={"rules": 10_000}, measure=_plans),
    "start": Target(
        heading=starts.HEADING,
        about=starts.__doc__,
        numbers={"rules": 10_000},
        measure=_start,
        binaries=("prometheus", "postgres"),
    ),
    "firing": Target(
        heading=pairs.FIRING,
        about=pairs.__doc__,
        numbers={"alerts": 100_000, "minutes": 3},
        measure=_firing,
        binaries=("prometheus", "prometheus-alertmanager"),
    ),
    "latency": Target(
        heading=pairs.LATENCY,
        about=pairs.__doc__,
        numbers={"alerts": 300, "interval": 5.0},
        measure=_latency,
        binaries=("prometheus", "prometheus-alertmanager"),
    ),
}
