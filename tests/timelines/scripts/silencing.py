"""Silences: before, over and after an alert; of a part of a group; edited, ended by hand, overlapping."""

from __future__ import annotations

from typing import Final

from tests.timelines.language import (
    HOOK,
    Channel,
    Configuration,
    Differs,
    Expire,
    Route,
    alert,
    at,
    push,
    resolve,
    scenario,
    silence,
    told,
)
from tests.timelines.scripts.sections import RESOLVED_MUTED, STAYS_TOLD, UNMUTED

A, B, C = (alert("Down", host=host) for host in "abc")
REPEATING = Configuration(route=Route(repeat_interval=5))


def on_unmute(word: str, repeat: float | None = None) -> Configuration:
    """The scenario's route tells what a mute has let go as this word of `notify_on_unmute` says."""
    return Configuration(route=Route(notify_on_unmute=word, repeat_interval=repeat))


SCENARIOS: Final = (
    scenario(
        "always: a silence that ends over what was told is told again",
        at(0, push(A)),
        at(1.5, silence("known", 'host="a"', ends=4)),
        expect=[told(1, A), told(5, A)],
        until=8.5,
        configuration=on_unmute("always"),
        alertmanager=Differs(section=UNMUTED, expect=(told(1, A),)),
    ),
    scenario(
        "never: what a silence kept back is told by the next repeat, and so is its end",
        at(0, silence("known", 'host="a"', ends=4), push(A)),
        at(11.5, resolve(A)),
        expect=[told(11, A), told(13, resolved=[A])],
        until=14.5,
        configuration=on_unmute("never", repeat=5),
        alertmanager=Differs(section=UNMUTED, expect=(told(5, A), told(11, A), told(13, resolved=[A]))),
    ),
    scenario(
        "never: what a silence kept back is told with the news of another",
        at(0, silence("known", 'host="b"', ends=4), push(A, B)),
        at(5.5, push(C)),
        expect=[told(1, A), told(7, A, B, C)],
        until=8.5,
        configuration=on_unmute("never"),
        alertmanager=Differs(section=UNMUTED, expect=(told(1, A), told(5, A, B), told(7, A, B, C))),
    ),
    scenario(
        "a silence keeps back what it covers",
        at(0, silence("known", 'host="a"'), push(A)),
        at(2, resolve(A)),
        expect=[],
        until=6.5,
    ),
    scenario(
        "a silence covers what all its matchers match",
        at(0, silence("known", 'alertname="Down"', 'host="a"'), push(A, B)),
        expect=[told(1, B)],
        until=4.5,
    ),
    scenario(
        "a silence by regex is anchored",
        at(0, silence("known", 'host=~"a|b.+"'), push(A, B)),
        expect=[told(1, B)],
        until=4.5,
    ),
    scenario("a silence by negation", at(0, silence("known", 'host!="a"'), push(A, B)), expect=[told(1, A)], until=4.5),
    scenario(
        "a silence by negated regex",
        at(0, silence("known", 'host!~"a|c"'), push(A, B, C)),
        expect=[told(1, A, C)],
        until=4.5,
    ),
    scenario(
        "a silence keeps a repeat back",
        at(0, push(A)),
        at(2, silence("known", 'host="a"')),
        expect=[told(1, A)],
        until=10.5,
        configuration=REPEATING,
    ),
    scenario(
        "a silence that runs out over what was never told",
        at(0, silence("known", 'host="a"', ends=4), push(A)),
        expect=[told(5, A)],
        until=8.5,
    ),
    scenario(
        "a silence that is ended by hand over what was never told",
        at(0, silence("known", 'host="a"'), push(A)),
        at(4, Expire("known")),
        expect=[told(5, A)],
        until=8.5,
    ),
    scenario(
        "a silence that ends before the first flush",
        at(0, silence("known", 'host="a"', ends=2), push(A)),
        expect=[told(4, A)],
        until=7.5,
        configuration=Configuration(route=Route(group_wait=4, group_interval=6)),
    ),
    scenario(
        "a silence that begins before the first flush",
        at(0, push(A)),
        at(0.5, silence("known", 'host="a"')),
        expect=[],
        until=4.5,
    ),
    scenario(
        "a silence that ends over what was told and needs no repeat",
        at(0, push(A)),
        at(2, silence("known", 'host="a"', ends=4)),
        expect=[told(1, A)],
        until=8.5,
    ),
    scenario(
        "a silence that ends after a repeat was due",
        at(0, push(A)),
        at(2, silence("known", 'host="a"', ends=8)),
        expect=[told(1, A), told(9, A), told(15, A)],
        until=16.5,
        configuration=REPEATING,
    ),
    scenario(
        "a silence that begins later",
        at(0, silence("night", 'alertname="Down"', starts=4, ends=60), push(A)),
        at(4.5, push(B)),
        expect=[told(1, A)],
        until=8.5,
    ),
    scenario(
        "a silence that is made longer",
        at(0, silence("known", 'host="a"', ends=4), push(A)),
        at(2, silence("known", 'host="a"', ends=8)),
        expect=[told(9, A)],
        until=10.5,
    ),
    scenario(
        "a silence that is made shorter",
        at(0, silence("known", 'host="a"', ends=60), push(A)),
        at(2, silence("known", 'host="a"', ends=4)),
        expect=[told(5, A)],
        until=8.5,
    ),
    scenario(
        "a silence that is given other matchers",
        at(0, silence("known", 'host="a"'), push(A, B)),
        at(2, silence("known", 'host="c"')),
        at(2.5, push(C)),
        expect=[told(1, B), told(3, A, B)],
        until=6.5,
    ),
    scenario(
        "of two silences the one that lasts counts",
        at(0, silence("one", 'host="a"', ends=4), silence("two", 'alertname="Down"', ends=8), push(A)),
        expect=[told(9, A)],
        until=10.5,
    ),
    scenario(
        "of a group only what is not silenced is told, and the rest when the silence ends",
        at(0, silence("known", 'host="a"', ends=4), push(A, B)),
        expect=[told(1, B), told(5, A, B)],
        until=8.5,
    ),
    scenario(
        "what came and went under a silence is never told",
        at(0, silence("known", 'host="a"', ends=4), push(A)),
        at(2, resolve(A)),
        expect=[],
        until=8.5,
    ),
    scenario(
        "what was told and ends under a silence",
        at(0, push(A)),
        at(2, silence("known", 'host="a"')),
        at(4, resolve(A)),
        expect=[told(1, A), told(5, resolved=[A])],
        until=8.5,
        alertmanager=Differs(section=RESOLVED_MUTED, expect=(told(1, A),)),
    ),
    scenario(
        "what was told and ends under a silence, for a channel without send_resolved",
        at(0, push(A)),
        at(2, silence("known", 'host="a"')),
        at(4, resolve(A)),
        expect=[told(1, A)],
        until=8.5,
        configuration=Configuration(channels={HOOK: Channel(send_resolved=False)}),
    ),
    scenario(
        "one of two is silenced, the other ends",
        at(0, push(A, B)),
        at(2, silence("known", 'host="b"')),
        at(4, resolve(A)),
        at(6, resolve(B)),
        expect=[told(1, A, B), told(5, B, resolved=[A]), told(7, resolved=[B])],
        until=10.5,
        alertmanager=Differs(section=STAYS_TOLD, expect=(told(1, A, B), told(5, resolved=[A]))),
    ),
    scenario(
        "one was told and is silenced, another joins",
        at(0, push(A)),
        at(2, silence("known", 'host="a"')),
        at(4, push(B)),
        expect=[told(1, A), told(5, A, B)],
        until=8.5,
        alertmanager=Differs(section=STAYS_TOLD, expect=(told(1, A), told(5, B))),
    ),
    scenario(
        "two hundred leave a silence in one message",
        at(0, silence("known", 'alertname="Many"', ends=4), push(*(alert("Many", host=f"h{n}") for n in range(200)))),
        expect=[told(5, *(alert("Many", host=f"h{n}") for n in range(200)))],
        until=8.5,
    ),
    scenario(
        "what fires again under a silence after its end was told",
        at(0, push(A)),
        at(2, resolve(A)),
        at(4, silence("known", 'host="a"', ends=8), push(A)),
        expect=[told(1, A), told(3, resolved=[A]), told(9, A)],
        until=12.5,
    ),
)
