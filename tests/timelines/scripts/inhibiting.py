"""Inhibition: one alert that keeps others quiet, by equal labels, for as long as it fires."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.timelines.language import (
    HOOK,
    Channel,
    Configuration,
    Differs,
    Inhibit,
    Route,
    Scenario,
    alert,
    at,
    push,
    resolve,
    scenario,
    silence,
    told,
)
from tests.timelines.scripts.sections import INHIBITION_ENDS, RESOLVED_MUTED, STAYS_TOLD

DOWN, DOWN_B = (alert("Down", host=host, severity="critical") for host in "ab")
SLOW, SLOW_B = (alert("Slow", host=host, severity="warning") for host in "ab")
NO_HOST, SLOW_NO_HOST = alert("Down", severity="critical"), alert("Slow", severity="warning")
SOURCES = "sources"
BY_HOST = Inhibit(source=('severity="critical"',), target=('severity="warning"',), equal=("host",))


def inhibiting(*rules: Inhibit, repeat: float | None = None, **channel: object) -> Configuration:
    """Sources on a channel of their own, targets on the usual one."""
    words = Channel(**channel)  # type: ignore[arg-type]  # Its own words.
    return Configuration(
        route=Route(
            repeat_interval=repeat,
            routes=(Route(matchers=('severity="critical"',), channels=(SOURCES,), repeat_interval=600),),
        ),
        channels={HOOK: words, SOURCES: Channel()},
        inhibit_rules=rules or (BY_HOST,),
    )


SCENARIOS: Final[tuple[Scenario, ...]] = (
    scenario(
        "always: the end of an inhibition is no news all the same",
        at(0, push(SLOW)),
        at(1.5, push(DOWN)),
        at(4.2, resolve(DOWN)),
        expect=[told(1, SLOW), told(2.5, DOWN, channel=SOURCES), told(4.5, resolved=[DOWN], channel=SOURCES)],
        until=8.5,
        configuration=replace(
            inhibiting(),
            route=Route(
                notify_on_unmute="always", routes=(Route(matchers=('severity="critical"',), channels=(SOURCES,)),)
            ),
        ),
    ),
    scenario(
        "a source that fires keeps its target quiet",
        at(0, push(DOWN, SLOW)),
        expect=[told(1, DOWN, channel=SOURCES)],
        until=6.5,
        configuration=inhibiting(),
    ),
    scenario(
        "another host is not quiet",
        at(0, push(DOWN, SLOW, SLOW_B)),
        expect=[told(1, DOWN, channel=SOURCES), told(1, SLOW_B)],
        until=6.5,
        configuration=inhibiting(),
    ),
    scenario(
        "a label that neither has is equal",
        at(0, push(NO_HOST, SLOW_NO_HOST)),
        expect=[told(1, NO_HOST, channel=SOURCES)],
        until=4.5,
        configuration=inhibiting(),
    ),
    scenario(
        "a label that only one has is not equal",
        at(0, push(NO_HOST, SLOW)),
        expect=[told(1, NO_HOST, channel=SOURCES), told(1, SLOW)],
        until=4.5,
        configuration=inhibiting(),
    ),
    scenario(
        "without equal labels any source will do",
        at(0, push(DOWN_B, SLOW)),
        expect=[told(1, DOWN_B, channel=SOURCES)],
        until=4.5,
        configuration=inhibiting(Inhibit(source=('severity="critical"',), target=('severity="warning"',))),
    ),
    scenario(
        "what both sides match inhibits neither itself nor its like",
        at(0, push(SLOW, SLOW_B)),
        expect=[told(1, SLOW, SLOW_B)],
        until=4.5,
        configuration=inhibiting(Inhibit(source=('alertname="Slow"',), target=('alertname="Slow"',))),
    ),
    scenario(
        "a one-sided source keeps a two-sided target quiet",
        at(0, push(DOWN, SLOW)),
        expect=[told(1, DOWN, channel=SOURCES)],
        until=4.5,
        configuration=inhibiting(Inhibit(source=('host="a"',), target=('alertname="Slow"',))),
    ),
    scenario(
        "sides by regex and by negation",
        at(0, push(DOWN, SLOW)),
        expect=[told(1, DOWN, channel=SOURCES)],
        until=4.5,
        configuration=inhibiting(
            Inhibit(source=('severity=~"crit.*"',), target=('severity!="critical"', 'alertname=~"S.+"'))
        ),
    ),
    scenario(
        "when the source ends, a target never told is told at its next flush",
        at(0, push(DOWN, SLOW)),
        at(2, resolve(DOWN)),
        expect=[told(1, DOWN, channel=SOURCES), told(3, resolved=[DOWN], channel=SOURCES), told(3, SLOW)],
        until=6.5,
        configuration=inhibiting(),
    ),
    scenario(
        "while another source fires, the end of one lets nothing go",
        at(0, push(DOWN, DOWN_B, SLOW)),
        at(2, resolve(DOWN)),
        at(6, resolve(DOWN_B)),
        expect=[
            told(1, DOWN, DOWN_B, channel=SOURCES),
            told(3, DOWN_B, resolved=[DOWN], channel=SOURCES),
            told(7, resolved=[DOWN_B], channel=SOURCES),
            told(7, SLOW),
        ],
        until=8.5,
        configuration=inhibiting(Inhibit(source=('severity="critical"',), target=('severity="warning"',))),
    ),
    scenario(
        "a source that comes later makes no word of a target that was told",
        at(0, push(SLOW)),
        at(2, push(DOWN)),
        expect=[told(1, SLOW), told(3, DOWN, channel=SOURCES)],
        until=8.5,
        configuration=inhibiting(),
    ),
    scenario(
        "of a group only what is not inhibited is told",
        at(0, push(DOWN, SLOW, SLOW_B)),
        at(2, push(DOWN_B)),
        expect=[
            told(1, DOWN, channel=SOURCES),
            told(3, DOWN, DOWN_B, channel=SOURCES),
            told(1, SLOW_B),
        ],
        until=6.5,
        configuration=inhibiting(),
    ),
    scenario(
        "a silenced source still inhibits",
        at(0, silence("known", 'severity="critical"'), push(DOWN, SLOW)),
        expect=[],
        until=4.5,
        configuration=inhibiting(),
    ),
    scenario(
        "an inhibited source still inhibits",
        at(0, push(DOWN, SLOW, alert("Late", host="a", severity="info"))),
        expect=[told(1, DOWN, channel=SOURCES)],
        until=4.5,
        configuration=inhibiting(
            BY_HOST, Inhibit(source=('severity="warning"',), target=('severity="info"',), equal=("host",))
        ),
    ),
    scenario(
        "what came and went while it was inhibited is never told",
        at(0, push(DOWN, SLOW)),
        at(2, resolve(SLOW)),
        at(4, resolve(DOWN)),
        expect=[told(1, DOWN, channel=SOURCES), told(5, resolved=[DOWN], channel=SOURCES)],
        until=8.5,
        configuration=inhibiting(),
    ),
    scenario(
        "a target that was told and ends while it is inhibited",
        at(0, push(SLOW)),
        at(2, push(DOWN)),
        at(4, resolve(SLOW)),
        expect=[told(1, SLOW), told(3, DOWN, channel=SOURCES), told(5, resolved=[SLOW])],
        until=8.5,
        configuration=inhibiting(),
        alertmanager=Differs(section=RESOLVED_MUTED, expect=(told(1, SLOW), told(3, DOWN, channel=SOURCES))),
    ),
    scenario(
        "one of two told targets is inhibited, the other ends",
        at(0, push(SLOW, SLOW_B)),
        at(2, push(DOWN)),
        at(4, resolve(SLOW_B)),
        expect=[told(1, SLOW, SLOW_B), told(3, DOWN, channel=SOURCES), told(5, SLOW, resolved=[SLOW_B])],
        until=8.5,
        configuration=inhibiting(),
        alertmanager=Differs(
            section=STAYS_TOLD,
            expect=(told(1, SLOW, SLOW_B), told(3, DOWN, channel=SOURCES), told(5, resolved=[SLOW_B])),
        ),
    ),
    scenario(
        "a repeat that was missed while inhibited",
        at(0, push(SLOW)),
        at(2, push(DOWN)),
        at(8, resolve(DOWN)),
        expect=[
            told(1, SLOW),
            told(3, DOWN, channel=SOURCES),
            told(9, resolved=[DOWN], channel=SOURCES),
            told(15, SLOW),
        ],
        until=16.5,
        configuration=inhibiting(repeat=5),
        alertmanager=Differs(
            section=INHIBITION_ENDS,
            expect=(
                told(1, SLOW),
                told(3, DOWN, channel=SOURCES),
                told(9, resolved=[DOWN], channel=SOURCES),
                told(9, SLOW),
                told(15, SLOW),
            ),
        ),
    ),
    scenario(
        "an inhibition that ends before a repeat is due changes nothing",
        at(0, push(SLOW)),
        at(2, push(DOWN)),
        at(4, resolve(DOWN)),
        expect=[
            told(1, SLOW),
            told(3, DOWN, channel=SOURCES),
            told(5, resolved=[DOWN], channel=SOURCES),
            told(7, SLOW),
        ],
        until=8.5,
        configuration=inhibiting(repeat=5),
    ),
)
