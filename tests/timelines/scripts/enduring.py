"""What outlives a restart, a reload and an edit of the routes. All happen at 2: so one process can play them together."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.timelines.language import (
    HOOK,
    USUAL,
    Channel,
    Configuration,
    Configure,
    Differs,
    Inhibit,
    Interval,
    Restart,
    Route,
    alert,
    at,
    between,
    push,
    resolve,
    scenario,
    silence,
    told,
)
from tests.timelines.scripts.sections import EDITED, OUTLIVES

A, B = alert("Down", host="a"), alert("Down", host="b")
DOWN = alert("Off", host="a")
TWO = {HOOK: Channel(), "other": Channel()}
PLAIN: Final = Configuration(channels=TWO)


def routed(*routes: Route, channels: tuple[str, ...] = (HOOK,), **timings: float) -> Configuration:
    """Both channels, and these routes below."""
    top = replace(USUAL, channels=channels, routes=routes, **timings)  # type: ignore[arg-type]  # Timings only.
    return Configuration(route=top, channels=TWO)


HOST_A = ('host="a"',)

RESTARTS: Final = (
    scenario(
        "what was told is not told again after a restart, and its end is",
        at(0, push(A)),
        at(2, Restart()),
        at(10, push(A, starts=0)),
        at(12.5, resolve(A)),
        expect=[told(1, A), between(12.5, 14.5, resolved=[A])],
        until=17,
    ),
    scenario(
        "a group_wait goes on over a restart",
        at(0, push(A)),
        at(2, Restart()),
        at(9, push(A, starts=0)),
        expect=[told(12, A)],
        until=17,
        configuration=Configuration(route=Route(group_wait=12, group_interval=20)),
        # It has forgotten the alert, so whoever posts it again finds it old: told at once, or a whole group_wait later.
        alertmanager=Differs(section=OUTLIVES, expect=()),
    ),
    scenario(
        "an alert that nobody posts again after a restart still ends",
        at(0, push(A, ends=9)),
        at(2, Restart()),
        expect=[told(1, A), between(9, 11, resolved=[A])],
        until=14,
        alertmanager=Differs(section=OUTLIVES, expect=(told(1, A),)),
    ),
    scenario(
        "a repeat that nobody posts again after a restart",
        at(0, push(A)),
        at(2, Restart()),
        expect=[told(1, A), told(13, A)],
        until=16,
        configuration=Configuration(route=Route(repeat_interval=12)),
        alertmanager=Differs(section=OUTLIVES, expect=(told(1, A),)),
    ),
    scenario(
        "a silence outlives a restart",
        at(0, silence("known", 'host="a"'), push(A)),
        at(2, Restart()),
        at(10, push(A, starts=0), push(B)),
        expect=[between(10, 13, firing=[B])],
        until=15,
    ),
    scenario(
        "an inhibition outlives a restart",
        at(0, push(DOWN)),
        at(2, Restart()),
        at(10, push(DOWN, starts=0)),
        at(10.5, push(A)),
        expect=[told(1, DOWN)],
        until=15,
        configuration=Configuration(
            inhibit_rules=(Inhibit(source=('alertname="Off"',), target=HOST_A, equal=("host",)),)
        ),
    ),
)

EDITS: Final = (
    scenario(
        "an edit that has nothing to do with it tells nothing",
        at(0, push(A)),
        at(2, Configure(replace(PLAIN, inhibit_rules=(Inhibit(source=("a=b",), target=("c=d",)),)))),
        at(4, push(B)),
        expect=[told(1, A), between(4, 6, firing=[A, B])],
        until=8,
        configuration=PLAIN,
    ),
    scenario(
        "an edit that has nothing to do with it delays nothing",
        at(0, push(A)),
        at(2, Configure(replace(routed(group_wait=4), inhibit_rules=(Inhibit(source=("a=b",), target=("c=d",)),)))),
        expect=[told(4, A)],
        until=8,
        configuration=routed(group_wait=4),
        alertmanager=Differs(section=OUTLIVES, expect=(told(6, A),)),
    ),
    scenario(
        "a silenced alert stays silenced over an edit",
        at(0, silence("known", 'host="a"'), push(A)),
        at(2, Configure(replace(PLAIN, inhibit_rules=(Inhibit(source=("a=b",), target=("c=d",)),)))),
        expect=[],
        until=8,
        configuration=PLAIN,
    ),
    scenario(
        "an inhibit rule that is added holds from the next flush",
        at(0, push(DOWN)),
        at(
            2,
            Configure(
                replace(PLAIN, inhibit_rules=(Inhibit(source=('alertname="Off"',), target=HOST_A, equal=("host",)),))
            ),
        ),
        at(4, push(A)),
        expect=[told(1, DOWN)],
        until=8,
        configuration=PLAIN,
    ),
    scenario(
        "an inhibit rule that is taken away lets its targets go",
        at(0, push(DOWN, A)),
        at(2, Configure(PLAIN)),
        expect=[told(1, DOWN), between(2, 3, firing=[A])],
        until=6,
        configuration=replace(
            PLAIN, inhibit_rules=(Inhibit(source=('alertname="Off"',), target=HOST_A, equal=("host",)),)
        ),
    ),
    scenario(
        "a mute interval that is taken away lets its route speak",
        at(0, push(A)),
        at(2, Configure(PLAIN)),
        expect=[between(2, 3, firing=[A])],
        until=6,
        configuration=Configuration(
            route=Route(mute_time_intervals=("night",)), channels=TWO, time_intervals={"night": Interval()}
        ),
    ),
    scenario(
        "a route that names another channel",
        at(0, push(A)),
        at(2, Configure(routed(channels=("other",)))),
        at(6, resolve(A)),
        expect=[
            told(1, A),
            between(2, 3, firing=[A], channel="other"),
            between(2, 3, resolved=[A]),
            between(6, 8, resolved=[A], channel="other"),
        ],
        until=10,
        configuration=PLAIN,
        alertmanager=Differs(
            section=EDITED,
            expect=(
                told(1, A),
                between(2, 3, firing=[A], channel="other"),
                between(6, 8, resolved=[A], channel="other"),
            ),
        ),
    ),
    scenario(
        "a route that is written in other words",
        at(0, push(A)),
        at(2, Configure(routed(Route(matchers=('host=~"a"',), id="a")))),
        at(6, resolve(A)),
        expect=[told(1, A), between(6, 8, resolved=[A])],
        until=10,
        configuration=routed(Route(matchers=HOST_A, id="a")),
        alertmanager=Differs(
            section=EDITED, expect=(told(1, A), between(2, 3, firing=[A]), between(6, 8, resolved=[A]))
        ),
    ),
    scenario(
        "a new route that sends it where it went before",
        at(0, push(A)),
        at(2, Configure(routed(Route(matchers=HOST_A)))),
        at(6, resolve(A)),
        expect=[told(1, A), between(6, 8, resolved=[A])],
        until=10,
        configuration=PLAIN,
        alertmanager=Differs(
            section=EDITED, expect=(told(1, A), between(2, 3, firing=[A]), between(6, 8, resolved=[A]))
        ),
    ),
    scenario(
        "a new route that sends it elsewhere",
        at(0, push(A)),
        at(2, Configure(routed(Route(matchers=HOST_A, channels=("other",))))),
        at(6, resolve(A)),
        expect=[
            told(1, A),
            between(2, 4, firing=[A], channel="other"),
            between(2, 4, resolved=[A]),
            between(6, 8, resolved=[A], channel="other"),
        ],
        until=10,
        configuration=PLAIN,
        alertmanager=Differs(
            section=EDITED,
            expect=(
                told(1, A),
                between(2, 4, firing=[A], channel="other"),
                between(6, 8, resolved=[A], channel="other"),
            ),
        ),
    ),
    scenario(
        "a route that is deleted leaves its alerts to its parent",
        at(0, push(A)),
        at(2, Configure(PLAIN)),
        at(6, resolve(A)),
        expect=[
            told(1, A, channel="other"),
            between(2, 4, firing=[A]),
            between(2, 4, resolved=[A], channel="other"),
            between(6, 8, resolved=[A]),
        ],
        until=10,
        configuration=routed(Route(matchers=HOST_A, channels=("other",))),
        alertmanager=Differs(
            section=EDITED,
            expect=(told(1, A, channel="other"), between(2, 4, firing=[A]), between(6, 8, resolved=[A])),
        ),
    ),
)

SCENARIOS: Final = (*RESTARTS, *EDITS)
