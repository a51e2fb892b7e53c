"""Mute and active time intervals of routes: within them, when they begin, when they end; who inherits them (nobody)."""

from __future__ import annotations

from typing import Final

from tests.timelines.language import (
    HOOK,
    Channel,
    Configuration,
    Configure,
    Differs,
    Interval,
    Route,
    alert,
    at,
    between,
    push,
    resolve,
    scenario,
    told,
)
from tests.timelines.scripts.sections import OUTLIVES, RESOLVED_MUTED, UNMUTED

A, B = alert("Down", host="a"), alert("Down", host="b")
ALWAYS, NEVER = Interval(), Interval(never=True)


def muted(*intervals: Interval, repeat: float | None = None) -> Configuration:
    """The scenario's route is muted within these."""
    named = {f"mute {number}": interval for number, interval in enumerate(intervals)}
    return Configuration(route=Route(mute_time_intervals=tuple(named), repeat_interval=repeat), time_intervals=named)


def active(*intervals: Interval) -> Configuration:
    """The scenario's route speaks within these only."""
    named = {f"active {number}": interval for number, interval in enumerate(intervals)}
    return Configuration(route=Route(active_time_intervals=tuple(named)), time_intervals=named)


SCENARIOS: Final = (
    scenario(
        "always: an interval that is over is told of, though all was told before",
        at(0, push(A)),
        expect=[told(1, A), told(5, A)],
        until=8.5,
        configuration=Configuration(
            route=Route(active_time_intervals=("day",), notify_on_unmute="always"),
            time_intervals={"day": Interval(ends=2, starts=4)},
        ),
        alertmanager=Differs(section=UNMUTED, expect=(told(1, A),)),
    ),
    scenario(
        "a mute interval that an edit ends over what it kept back",
        at(0, push(A)),
        at(3.2, Configure(muted(NEVER))),
        expect=[told(5, A)],
        until=8.5,
        configuration=muted(ALWAYS),
        # A reload makes the group anew, and an alert that has waited is told at once.
        alertmanager=Differs(section=OUTLIVES, expect=(between(3, 4, firing=[A]),)),
    ),
    scenario(
        "a mute interval that an edit begins",
        at(0, push(A)),
        at(2, Configure(muted(ALWAYS))),
        at(2.5, push(B)),
        expect=[told(1, A)],
        until=6.5,
        configuration=muted(NEVER),
    ),
    scenario(
        "within a mute interval nothing is told",
        at(0, push(A)),
        at(2, resolve(A)),
        expect=[],
        until=4.5,
        configuration=muted(ALWAYS),
    ),
    scenario(
        "outside of its mute intervals a route speaks",
        at(0, push(A)),
        expect=[told(1, A)],
        until=4.5,
        configuration=muted(NEVER, NEVER),
    ),
    scenario(
        "one mute interval of two is enough",
        at(0, push(A)),
        expect=[],
        until=4.5,
        configuration=muted(NEVER, ALWAYS),
    ),
    scenario(
        "outside of its active intervals a route is quiet",
        at(0, push(A)),
        expect=[],
        until=4.5,
        configuration=active(NEVER, NEVER),
    ),
    scenario(
        "one active interval of two is enough",
        at(0, push(A)),
        expect=[told(1, A)],
        until=4.5,
        configuration=active(NEVER, ALWAYS),
    ),
    scenario(
        "a mute interval wins over an active one",
        at(0, push(A)),
        expect=[],
        until=4.5,
        configuration=Configuration(
            route=Route(mute_time_intervals=("night",), active_time_intervals=("always",)),
            time_intervals={"night": ALWAYS, "always": ALWAYS},
        ),
    ),
    scenario(
        "a mute interval that begins",
        at(0, push(A)),
        at(2.5, push(B)),
        expect=[told(1, A)],
        until=6.5,
        configuration=muted(Interval(starts=2)),
    ),
    scenario(
        "a mute interval that ends over what was never told",
        at(0, push(A)),
        expect=[told(5, A)],
        until=8.5,
        configuration=muted(Interval(ends=4)),
    ),
    scenario(
        "an active interval that begins",
        at(0, push(A)),
        expect=[told(5, A)],
        until=8.5,
        configuration=active(Interval(starts=4)),
    ),
    scenario(
        "an active interval that ends",
        at(0, push(A)),
        at(2.5, push(B)),
        expect=[told(1, A)],
        until=6.5,
        configuration=active(Interval(ends=2)),
    ),
    scenario(
        "a quiet hour between two active intervals",
        at(0, push(A)),
        at(2.5, push(B)),
        expect=[told(1, A), told(7, A, B)],
        until=8.5,
        configuration=active(Interval(ends=2, starts=6)),
    ),
    scenario(
        "a mute interval that ends after a repeat was due",
        at(0, push(A)),
        expect=[told(1, A), told(9, A)],
        until=12.5,
        configuration=Configuration(
            route=Route(active_time_intervals=("day",), repeat_interval=5),
            time_intervals={"day": Interval(ends=2, starts=8)},
        ),
    ),
    scenario(
        "a mute interval that ends over what was told and needs no repeat",
        at(0, push(A)),
        expect=[told(1, A)],
        until=8.5,
        configuration=active(Interval(ends=2, starts=4)),
    ),
    scenario(
        "what was told and ends within a mute interval",
        at(0, push(A)),
        at(4, resolve(A)),
        expect=[told(1, A), told(5, resolved=[A])],
        until=8.5,
        configuration=muted(Interval(starts=2)),
        alertmanager=Differs(section=RESOLVED_MUTED, expect=(told(1, A),)),
    ),
    scenario(
        "what came and went within a mute interval is never told",
        at(0, push(A)),
        at(2, resolve(A)),
        expect=[],
        until=8.5,
        configuration=muted(Interval(ends=4)),
    ),
    scenario(
        "of two told the end of one within a mute interval",
        at(0, push(A, B)),
        at(3.5, resolve(A)),
        expect=[told(1, A, B), told(5, B, resolved=[A])],
        until=8.5,
        configuration=active(Interval(ends=2, starts=6)),
        alertmanager=Differs(section=RESOLVED_MUTED, expect=(told(1, A, B),)),
    ),
    scenario(
        "intervals are not inherited",
        at(0, push(A, B)),
        expect=[told(1, B)],
        until=4.5,
        configuration=Configuration(
            route=Route(mute_time_intervals=("night",), routes=(Route(matchers=('host="b"',)),)),
            time_intervals={"night": ALWAYS},
        ),
    ),
    scenario(
        "a muted route takes the alert all the same",
        at(0, push(A)),
        expect=[],
        until=4.5,
        configuration=Configuration(
            route=Route(
                routes=(
                    Route(matchers=('host="a"',), mute_time_intervals=("night",)),
                    Route(matchers=('alertname="Down"',)),
                )
            ),
            time_intervals={"night": ALWAYS},
        ),
    ),
    scenario(
        "of two routes by continue one is muted",
        at(0, push(A)),
        expect=[told(1, A, channel="other")],
        until=4.5,
        configuration=Configuration(
            route=Route(
                routes=(
                    Route(matchers=('host="a"',), mute_time_intervals=("night",), continue_=True),
                    Route(matchers=('alertname="Down"',), channels=("other",)),
                )
            ),
            channels={HOOK: Channel(), "other": Channel()},
            time_intervals={"night": ALWAYS},
        ),
    ),
)
