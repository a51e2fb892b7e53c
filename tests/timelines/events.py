"""What can happen in a random timeline, as plain data, and how often each of it does.

One strategy draws the next event. Were each kind a rule of the state machine, Hypothesis would leave most kinds out of most
examples, and whole timelines would be restarts over nothing that fires.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from engine.core.outcome import Failed, FailureReason
from rules.labels import Labels
from tests.timelines.truth import NIGHTS, TREES

ALERTS: Final = tuple(Labels({"alertname": name, "host": host}) for name in ("Down", "Slow") for host in "abc")
OWN: Final = tuple(Labels({"alertname": "Own", "host": host}) for host in "ab")
"""The alerts of the one rule there is, which may name channels of its own; all others are posted."""
CHANNELS: Final = ("hook", "pager", "quiet")
NAMED: Final = ((), ("pager",), ("hook",), ("quiet", "hook"))
"""The channels that the rule names, to change between."""
MATCHERS: Final = ('host="a"', 'alertname="Slow"', 'alertname=~"D.*",host!="b"', 'host=~"b|c"')
RETRY: Final = Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail="it is down")
DEAD: Final = Failed(reason=FailureReason.CLIENT_ERROR, retryable=False, detail="it will not have it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """These alerts are posted at once, to fire for so many seconds."""

    alerts: tuple[Labels, ...]
    lasting: float = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """These alerts are posted as over, whether or not they fire."""

    alerts: tuple[Labels, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """The rule is evaluated, and these of its alerts fire, no others."""

    alerts: tuple[Labels, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameChannels:
    """The rule names these of NAMED as its own channels."""

    which: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quieten:
    """A silence is made that begins so many seconds from now."""

    matchers: str
    later: float = 0
    lasting: float = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class EditSilence:
    """One of the silences that have not ended is edited; it lasts for so long from its beginning, or from now.

    With `anew` the edit is as the API makes it where something else is hidden: that silence ends, and another begins.
    """

    which: int
    matchers: str
    lasting: float
    anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """One of the silences that hold, or have yet to, is ended."""

    which: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRoutes:
    """Another of TREES is in force."""

    tree: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EditNight:
    """The time interval gets another of NIGHTS for its content."""

    night: int


@dataclass(frozen=True, slots=True)
class ToggleInhibition:
    """The inhibit rule is made, or deleted if it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """The next sends of this channel come to this."""

    channel: str
    outcomes: tuple[Failed, ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """The engine ends in order, and another begins."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The engine ends as by a power cut, and another begins."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens."""


Event = (
    Fire
    | End
    | Evaluate
    | NameChannels
    | Quieten
    | EditSilence
    | Expire
    | EditRoutes
    | EditNight
    | ToggleInhibition
    | Fail
    | Restart
    | Crash
    | Wait
)

_some: Final = st.lists(st.sampled_from(ALERTS), min_size=1, max_size=4, unique=True).map(tuple)
_matchers: Final = st.sampled_from(MATCHERS)
_which: Final = st.integers(0, 5)
_OFTEN: Final[tuple[tuple[int, SearchStrategy[Event]], ...]] = (
    (2, st.just(Wait())),
    (6, st.builds(Fire, alerts=_some, lasting=st.sampled_from((3600, 45, 200)))),
    (4, st.builds(End, alerts=_some)),
    (2, st.builds(Evaluate, alerts=st.lists(st.sampled_from(OWN), max_size=2, unique=True).map(tuple))),
    (1, st.builds(NameChannels, which=st.integers(0, len(NAMED) - 1))),
    (
        3,
        st.builds(
            Quieten, matchers=_matchers, later=st.sampled_from((0, 0, 25)), lasting=st.sampled_from((20, 90, 700))
        ),
    ),
    (
        2,
        st.builds(
            EditSilence, which=_which, matchers=_matchers, lasting=st.sampled_from((20, 300)), anew=st.booleans()
        ),
    ),
    (1, st.builds(Expire, which=_which)),
    (3, st.builds(EditRoutes, tree=st.integers(0, len(TREES) - 1))),
    (1, st.builds(EditNight, night=st.integers(0, len(NIGHTS) - 1))),
    (1, st.just(ToggleInhibition())),
    (
        2,
        st.builds(
            Fail,
            channel=st.sampled_from(CHANNELS),
            outcomes=st.lists(st.sampled_from((RETRY, RETRY, DEAD)), max_size=2).map(tuple),
        ),
    ),
    (1, st.just(Restart())),
    (1, st.just(Crash())),
)
# `one_of` would take each strategy once.
EVENTS: Final[SearchStrategy[Event]] = st.sampled_from(
    [kind for kind, (often, _) in enumerate(_OFTEN) for _ in range(often)]
).flatmap(lambda kind: _OFTEN[kind][1])

PAUSES: Final = st.sampled_from((0, 0, 0, 3, 12, 31, 31, 61, 61, 310))
"""Seconds until the next event: many at once, within group_wait, within group_interval, and long enough for every promise."""
