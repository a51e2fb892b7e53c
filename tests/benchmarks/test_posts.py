"""The measurement of posted alerts: what is posted, and the section of the page."""

from __future__ import annotations

import json

from api.alertmanager.wire import read
from benchmarks.posts import HEADING, Posted, body, section, table

FOUND = [
    Posted(
        system="Alertmanager",
        first=27,
        again={64: [30, 40, 35], 256: [20]},
        listing=[1.5],
        listing_cpu=[0.4],
        page=None,
    ),
    Posted(
        system="Tocsin", first=250, again={64: [18], 256: [9]}, listing=[1.25], listing_cpu=[1], page=[0.01, 0.03, 0.02]
    ),
]


def test_a_post_is_one_that_is_taken_and_its_alerts_are_told_apart() -> None:
    wires, refused = read(body(range(5, 8), "2026-11-28T12:00:00Z"))
    assert refused == {}
    assert len({wire.post().labels for wire in wires}) == 3
    assert len(json.loads(body(range(5, 8), "2026-11-28T12:00:00Z"))[0]["labels"]) == 7


def test_each_system_has_a_column_with_the_middle_the_least_and_the_most() -> None:
    assert table(FOUND).splitlines() == [
        "| | Alertmanager | Tocsin |",
        "|---|---:|---:|",
        "| a new alert, CPU µs | 27 | 250 |",
        "| an unchanged alert, 64 in a post, CPU µs | 35.0 (30.0 to 40.0) | 18.0 (18.0 to 18.0) |",
        "| an unchanged alert, 256 in a post, CPU µs | 20.0 (20.0 to 20.0) | 9.0 (9.0 to 9.0) |",
        "| listing all, ms | 1500 (1500 to 1500) | 1250 (1250 to 1250) |",
        "| listing all, CPU ms | 400 (400 to 400) | 1000 (1000 to 1000) |",
        "| a page of 100, ms | – | 20.0 (10.0 to 30.0) |",
    ]


def test_the_section_names_its_sizes_its_surroundings_and_its_command() -> None:
    text = section(FOUND, ["Some CPU, 2 cores"], "make bench", alerts=10_000, rounds=3, listed=100_000)
    assert text.startswith(f"## {HEADING}\n")
    for words in ("10,000 alerts", "3 times over", "100,000 alerts", "- Some CPU, 2 cores\n", "`make bench`"):
        assert words in text
