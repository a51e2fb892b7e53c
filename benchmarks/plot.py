"""What a cycle costs as a picture: a panel for each shape and number of series, rules to the right, CPU seconds up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import log10

from benchmarks.cpu import typical
from benchmarks.report import TITLES, Result

COLOURS: Mapping[str, str] = {
    "ruler": "#c0392b",
    "vmalert": "#8e44ad",
    "tocsin-sqlite": "#1f6f8b",
    "tocsin-postgresql": "#2e8b57",
}
WIDTH, HEIGHT, GAP = 260, 220, 60
LOWEST, HIGHEST = 0.01, 100.0
FEWEST, MOST = 100, 10_000
COLUMNS = 3

Point = tuple[float, float]


def plot(results: Sequence[Result]) -> str:
    """The picture as SVG."""
    panels = [
        (f"{shape}, {series:,} series", list(some))
        for (shape, series), some in groupby(results, key=lambda one: (one.workload.shape, one.workload.series))
    ]
    rows = -(-len(panels) // COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + 2 * GAP
    drawn = [
        _panel(title, some, GAP + (place % COLUMNS) * (WIDTH + GAP), GAP + (place // COLUMNS) * (HEIGHT + GAP))
        for place, (title, some) in enumerate(panels)
    ]
    legend = [
        f'<g transform="translate({GAP + place * 220},{height - GAP / 2})">'
        f'<rect width="14" height="4" y="-6" fill="{colour}"/><text x="20">{TITLES[name]}</text></g>'
        for place, (name, colour) in enumerate(COLOURS.items())
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            "<title>CPU seconds of one evaluation of all rules</title>",
            *drawn,
            *legend,
            "</svg>\n",
        ]
    )


def _panel(title: str, results: Sequence[Result], left: float, top: float) -> str:
    lines = [_line(name, results) for name in COLOURS]
    return "\n".join(
        [
            f'<g transform="translate({left},{top})">',
            f'<text x="{WIDTH / 2}" y="-10" text-anchor="middle" font-weight="bold">{title}</text>',
            *(_across(value) for value in (0.01, 0.1, 1, 10, 100)),
            *(_down(value) for value in (100, 1000, 10_000)),
            *lines,
            "</g>",
        ]
    )


def _across(value: float) -> str:
    y = _up(value)
    return (
        f'<line x1="0" x2="{WIDTH}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>'
        f'<text x="-6" y="{y + 4:.0f}" text-anchor="end">{value:g} s</text>'
    )


def _down(rules: int) -> str:
    x = _along(rules)
    return f'<text x="{x:.0f}" y="{HEIGHT + 16}" text-anchor="middle">{rules:,} rules</text>'


def _line(name: str, results: Iterable[Result]) -> str:
    points = [
        (_along(one.workload.rules), _up(typical(one.costs)[name]))
        for one in results
        if name in one.costs[0] and typical(one.costs)[name] > 0
    ]
    joined = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{COLOURS[name]}"/>' for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>{dots}'


def _along(rules: float) -> float:
    return WIDTH * (0.06 + 0.88 * log10(rules / FEWEST) / log10(MOST / FEWEST))


def _up(seconds: float) -> float:
    inside = min(max(seconds, LOWEST), HIGHEST)
    return HEIGHT * (1 - log10(inside / LOWEST) / log10(HIGHEST / LOWEST))
