"""Groups and their timers: who shares a message, when it goes out, and what it says when alerts come and go."""

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
    between,
    push,
    resolve,
    scenario,
    told,
)
from tests.timelines.scripts.sections import ANEW, OLDER

A, B, C = (alert("Down", host=host) for host in "abc")
SLOW = alert("Slow", host="a")
RACKED, OTHER = alert("Down", host="a", rack="r1"), alert("Down", host="b", rack="r2")
MANY = tuple(alert("Many", host=f"h{number}") for number in range(300))


def grouped(*labels: str, **timings: float) -> Configuration:
    return Configuration(route=Route(group_by=labels, **timings))  # type: ignore[arg-type]  # Timings only.


def hook(**words: object) -> Configuration:
    return Configuration(channels={HOOK: Channel(**words)})  # type: ignore[arg-type]  # Its own words.


SCENARIOS: Final = (
    scenario(
        "max_alerts leaves the last ones out of a message, and their ends are told all the same",
        at(0, push(A, B, C)),
        at(2, resolve(C)),
        at(4, resolve(A, B)),
        expect=[told(1, A, B), told(3, A, B), told(5, resolved=[A, B])],
        until=8.5,
        configuration=hook(max_alerts=2),
    ),
    scenario("one alert is told after group_wait, and only once", at(0, push(A)), expect=[told(1, A)], until=8),
    scenario(
        "what comes within group_wait shares the first message",
        at(0, push(A)),
        at(0.5, push(B)),
        expect=[told(1, A, B)],
        until=4.5,
    ),
    scenario(
        "a new alert joins at the next group_interval",
        at(0, push(A)),
        at(1.5, push(B)),
        at(4, push(C)),
        expect=[told(1, A), told(3, A, B), told(5, A, B, C)],
        until=8,
    ),
    scenario(
        "a group_wait of its own", at(0, push(A)), expect=[told(3, A)], until=5, configuration=grouped(group_wait=3)
    ),
    scenario(
        "no group_wait tells at once", at(0, push(A)), expect=[told(0, A)], until=3, configuration=grouped(group_wait=0)
    ),
    scenario(
        "an old alert is told at once",
        at(0, push(alert("Down", host="old"), starts=-60)),
        expect=[told(0, alert("Down", host="old"))],
        until=6,
        configuration=grouped(group_wait=4),
    ),
    scenario(
        "an old alert hurries a group that waits",
        at(0, push(A)),
        at(1, push(B, starts=-60)),
        expect=[told(1, A, B)],
        until=6,
        configuration=grouped("alertname", group_wait=4),
    ),
    scenario("what is over inside group_wait is never told", at(0, push(A)), at(0.5, resolve(A)), expect=[], until=4.5),
    scenario(
        "of two inside group_wait the one that is over is not told as firing",
        at(0, push(A, B)),
        at(0.5, resolve(B)),
        expect=[told(1, A, resolved=[B])],
        until=4.5,
    ),
    scenario("all resolved", at(0, push(A)), at(2, resolve(A)), expect=[told(1, A), told(3, resolved=[A])], until=6.5),
    scenario(
        "some resolved, then the rest",
        at(0, push(A, B)),
        at(2, resolve(A)),
        at(4, resolve(B)),
        expect=[told(1, A, B), told(3, B, resolved=[A]), told(5, resolved=[B])],
        until=8.5,
    ),
    scenario(
        "one ends and another begins in the same interval",
        at(0, push(A)),
        at(2, resolve(A), push(B)),
        expect=[told(1, A), told(3, B, resolved=[A])],
        until=6.5,
    ),
    scenario(
        "an end that comes twice is told once",
        at(0, push(A, B)),
        at(2, resolve(A)),
        at(4, resolve(A)),
        expect=[told(1, A, B), told(3, B, resolved=[A])],
        until=6.5,
    ),
    scenario("an end of what never fired is not told", at(0, resolve(A)), expect=[], until=4.5),
    scenario(
        "what ends and fires again before the flush is no news",
        at(0, push(A)),
        at(1.5, resolve(A)),
        at(2, push(A)),
        expect=[told(1, A)],
        until=6.5,
    ),
    scenario(
        "what fires again after its end was told is told again",
        at(0, push(A)),
        at(2, resolve(A)),
        at(4, push(A)),
        expect=[told(1, A), told(3, resolved=[A]), told(5, A)],
        until=8.5,
    ),
    scenario(
        "in a group that lives on, what fires again is told at the next interval",
        at(0, push(A, B)),
        at(2, resolve(A)),
        at(3.5, push(A)),
        expect=[told(1, A, B), told(3, B, resolved=[A]), told(5, A, B)],
        until=8.5,
    ),
    scenario(
        "a group that has ended waits for group_wait again",
        at(0, push(A)),
        at(2, resolve(A)),
        at(4.5, push(A)),
        expect=[told(1, A), told(4, resolved=[A]), told(5.5, A)],
        until=10.5,
        configuration=grouped("alertname", group_interval=3),
        alertmanager=Differs(section=ANEW, expect=(told(1, A), told(4, resolved=[A]), told(7, A))),
    ),
    scenario(
        "an end of its own in the future",
        at(0, push(A, ends=2)),
        expect=[told(1, A), told(3, resolved=[A])],
        until=6.5,
    ),
    scenario(
        "without an end an alert lasts for resolve_timeout",
        at(0, push(A, timeout=True)),
        expect=[told(1, A), told(5, resolved=[A])],
        until=8,
    ),
    scenario(
        "posting it again makes it last longer",
        at(0, push(A, timeout=True)),
        at(2, push(A, timeout=True)),
        expect=[told(1, A), told(7, resolved=[A])],
        until=10,
    ),
    scenario(
        "posting it again with an earlier end makes it shorter after a timeout",
        at(0, push(A, timeout=True)),
        at(1.5, push(A, ends=2.5)),
        expect=[told(1, A), told(3, resolved=[A])],
        until=6.5,
    ),
    scenario(
        "of two posts the earliest start and the newest words",
        at(0, push(alert("Down", {"summary": "old"}, host="a"), starts=-60)),
        at(2, push(alert("Down", {"summary": "new"}, host="a"), starts=-30), push(B)),
        expect=[told(0, A), told(4, A, B)],
        until=6.5,
        configuration=grouped("alertname", group_interval=4),
    ),
    scenario("one group for all", at(0, push(A, SLOW)), expect=[told(1, A, SLOW)], until=2.5, configuration=grouped()),
    scenario(
        "a group for each value of a label",
        at(0, push(A, B, SLOW)),
        expect=[told(1, A, SLOW), told(1, B)],
        until=2.5,
        configuration=grouped("host"),
    ),
    scenario(
        "a group for each pair of values",
        at(0, push(A, B, SLOW)),
        expect=[told(1, A), told(1, B), told(1, SLOW)],
        until=2.5,
        configuration=grouped("alertname", "host"),
    ),
    scenario(
        "alerts without the label are a group of their own",
        at(0, push(RACKED, OTHER, A, B)),
        expect=[told(1, RACKED), told(1, OTHER), told(1, A, B)],
        until=2.5,
        configuration=grouped("rack"),
    ),
    scenario(
        "a group for each alert",
        at(0, push(A, B)),
        at(2, resolve(B)),
        expect=[told(1, A), told(1, B), told(3, resolved=[B])],
        until=4.5,
        configuration=grouped("..."),
    ),
    scenario(
        "a route groups in its own way",
        at(0, push(A, B, SLOW)),
        expect=[told(1, A), told(1, B), told(1, SLOW)],
        until=2.5,
        configuration=Configuration(
            route=Route(group_by=(), routes=(Route(matchers=('alertname="Down"',), group_by=("host",)),))
        ),
    ),
    scenario(
        "an empty group_by overrides the parent's",
        at(0, push(A, B)),
        expect=[told(1, A, B)],
        until=2.5,
        configuration=Configuration(
            route=Route(group_by=("host",), routes=(Route(matchers=('alertname="Down"',), group_by=()),))
        ),
        alertmanager=Differs(section=OLDER, expect=(told(1, A), told(1, B))),
    ),
    scenario(
        "three hundred alerts are one message, and one more when they end",
        at(0, push(*MANY)),
        at(2, resolve(*MANY)),
        expect=[told(1, *MANY), told(3, resolved=MANY)],
        until=6.5,
    ),
    scenario(
        "without send_resolved no end is told, and what fires again is",
        at(0, push(A)),
        at(2, resolve(A)),
        at(4, push(A)),
        expect=[told(1, A), told(5, A)],
        until=8.5,
        configuration=hook(send_resolved=False),
    ),
    scenario(
        "without send_resolved the end of some is no news, nor part of the next",
        at(0, push(A, B)),
        at(2, resolve(B)),
        at(4, push(C)),
        expect=[told(1, A, B), told(5, A, C)],
        until=8.5,
        configuration=hook(send_resolved=False),
    ),
    scenario(
        "of two channels only one wants ends",
        at(0, push(A)),
        at(2, resolve(A)),
        expect=[told(1, A), told(1, A, channel="ends"), told(3, resolved=[A], channel="ends")],
        until=6.5,
        configuration=Configuration(
            route=Route(channels=(HOOK, "ends")), channels={HOOK: Channel(send_resolved=False), "ends": Channel()}
        ),
    ),
    scenario(
        "a channel that is down is told when it is back",
        at(0, push(A)),
        expect=[between(2.5, 5, firing=[A])],
        until=7,
        configuration=hook(down=(0, 2.5)),
    ),
    scenario(
        "an end is told when the channel is back",
        at(0, push(A)),
        at(2, resolve(A)),
        expect=[told(1, A), between(5.5, 9, resolved=[A])],
        until=10,
        configuration=hook(down=(2, 5.5)),
    ),
    scenario(
        "a channel that is down delays no other",
        at(0, push(A)),
        at(2, resolve(A)),
        expect=[
            told(1, A, channel="other"),
            told(3, resolved=[A], channel="other"),
            between(1.5, 4.5, firing=[A]),
            between(3, 6.5, resolved=[A]),
        ],
        until=8,
        configuration=Configuration(
            route=Route(channels=(HOOK, "other")), channels={HOOK: Channel(down=(0, 1.5)), "other": Channel()}
        ),
    ),
)
