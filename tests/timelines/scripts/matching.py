"""Which alerts a route's matchers mean: every operator, anchoring, absent labels, every way to write them."""

from __future__ import annotations

from typing import Final

from tests.timelines.language import (
    HOOK,
    Alert,
    Channel,
    Configuration,
    Differs,
    Route,
    Scenario,
    alert,
    at,
    push,
    scenario,
    told,
)
from tests.timelines.scripts.sections import OLDER

YES: Final = "yes"
CHANNELS: Final = {HOOK: Channel(), YES: Channel()}


def takes(
    name: str, *matchers: str, yes: tuple[Alert, ...], no: tuple[Alert, ...], alertmanager: Differs | None = None
) -> Scenario:
    """A route with these matchers takes the one and leaves the other to its parent."""
    taken = Route(matchers=matchers, channels=(YES,))
    expect = ([told(1, *yes, channel=YES)] if yes else []) + ([told(1, *no)] if no else [])
    return scenario(
        name,
        at(0, push(*yes, *no)),
        expect=expect,
        until=2.5,
        configuration=Configuration(channels=CHANNELS, route=Route(group_by=(), routes=(taken,))),
        alertmanager=alertmanager,
    )


DB, WEB, DBA, NONE = alert("A", team="db"), alert("B", team="web"), alert("C", team="dba"), alert("D")
BLANK, QUOTE, BACKSLASH = alert("E", team="data base"), alert("F", team='the "A" team'), alert("G", team="a\\b")

SCENARIOS: Final = (
    takes("an equal matcher takes the whole value", 'team="db"', yes=(DB,), no=(WEB, DBA, NONE)),
    takes("a value may be written without quotes", "team=db", yes=(DB,), no=(WEB, DBA, NONE)),
    takes("blanks around an operator mean nothing", 'team = "db"', yes=(DB,), no=(WEB, DBA, NONE)),
    takes("an unequal matcher takes an absent label too", 'team!="db"', yes=(WEB, DBA, NONE), no=(DB,)),
    takes("a regex is anchored at both ends", 'team=~"d|eb"', yes=(), no=(DB, WEB, DBA, NONE)),
    takes("a regex takes what it matches as a whole", 'team=~"d.*"', yes=(DB, DBA), no=(WEB, NONE)),
    takes("alternatives of a regex are anchored together", 'team=~"db|we"', yes=(DB,), no=(WEB, DBA, NONE)),
    takes("a negative regex takes an absent label too", 'team!~"d.+"', yes=(WEB, NONE), no=(DB, DBA)),
    takes("an empty value means an absent label", 'team=""', yes=(NONE,), no=(DB, WEB, DBA)),
    takes("an unequal empty value means any value", 'team!=""', yes=(DB, WEB, DBA), no=(NONE,)),
    takes("a regex that takes nothing takes an absent label", 'team=~"|web"', yes=(WEB, NONE), no=(DB, DBA)),
    takes("a negative regex of anything takes only an absent label", 'team!~".+"', yes=(NONE,), no=(DB, WEB, DBA)),
    takes("all matchers must match", 'team=~"d.*"', 'alertname!="A"', yes=(DBA,), no=(DB, WEB, NONE)),
    takes("matchers in braces are a list", '{team=~"d.*",alertname!="A"}', yes=(DBA,), no=(DB, WEB, NONE)),
    takes("a trailing comma is no matcher", '{team="web",}', yes=(WEB,), no=(DB,)),
    takes("a value holds blanks", 'team="data base"', yes=(BLANK,), no=(DB,)),
    takes("a value holds quotes", r'team="the \"A\" team"', yes=(QUOTE,), no=(DB,)),
    takes("a value holds a backslash", r'team="a\\b"', yes=(BACKSLASH,), no=(DB,)),
    takes(
        "letters of a regex are case-sensitive unless it says otherwise", 'team=~"(?i:DB)"', yes=(DB,), no=(WEB, DBA)
    ),
    takes("a value is not a regex", 'team="d."', yes=(), no=(DB,)),
    takes(
        "a label name in quotes may be any text",
        '"größe"="groß"',
        yes=(alert("H", größe="groß"),),
        no=(alert("I", größe="klein"),),
        alertmanager=Differs(section=OLDER, expect=None),
    ),
)
