"""Repeats: when nothing changes, and what puts them off."""

from __future__ import annotations

from typing import Final

from tests.timelines.language import (
    HOOK,
    Channel,
    Configuration,
    Differs,
    Route,
    alert,
    at,
    push,
    resolve,
    scenario,
    told,
)
from tests.timelines.scripts.sections import REPEAT

A, B = alert("Down", host="a"), alert("Down", host="b")


def repeating(every: float, **channel: object) -> Configuration:
    words = Channel(**channel)  # type: ignore[arg-type]  # Its own words.
    return Configuration(route=Route(repeat_interval=every), channels={HOOK: words})


SCENARIOS: Final = (
    scenario(
        "what goes on is repeated at the first flush after repeat_interval",
        at(0, push(A)),
        expect=[told(1, A), told(7, A), told(13, A)],
        until=14.5,
        configuration=repeating(5),
    ),
    scenario(
        "a repeat_interval of whole group_intervals",
        at(0, push(A)),
        expect=[told(1, A), told(5, A), told(9, A)],
        until=10.5,
        # It counts from when the channel has answered, so its repeats are an interval late; a slow channel makes that sure.
        configuration=repeating(4, slow=0.4),
        alertmanager=Differs(section=REPEAT, expect=(told(1, A), told(7, A))),
    ),
    scenario(
        "a repeat_interval shorter than group_interval",
        at(0, push(A)),
        expect=[told(1, A), told(3, A), told(5, A), told(7, A)],
        until=8.5,
        configuration=repeating(1),
    ),
    scenario(
        "news puts the repeat off",
        at(0, push(A)),
        at(4, push(B)),
        expect=[told(1, A), told(5, A, B), told(11, A, B)],
        until=12.5,
        configuration=repeating(5),
    ),
    scenario(
        "an end puts the repeat off, and what ended is not part of it",
        at(0, push(A, B)),
        at(2, resolve(B)),
        expect=[told(1, A, B), told(3, A, resolved=[B]), told(9, A)],
        until=10.5,
        configuration=repeating(5),
    ),
    scenario(
        "without send_resolved an end puts nothing off",
        at(0, push(A, B)),
        at(2, resolve(B)),
        expect=[told(1, A, B), told(7, A)],
        until=10.5,
        configuration=repeating(5, send_resolved=False),
    ),
    scenario(
        "what is over is not repeated",
        at(0, push(A)),
        at(2, resolve(A)),
        expect=[told(1, A), told(3, resolved=[A])],
        until=12.5,
        configuration=repeating(5),
    ),
    scenario(
        "posting the same alert again repeats nothing",
        at(0, push(A)),
        at(2, push(A)),
        at(4, push(A)),
        expect=[told(1, A)],
        until=6.5,
    ),
)
