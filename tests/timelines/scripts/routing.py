"""Which routes an alert takes: the first that matches, those after it by continue, the parent, the root."""

from __future__ import annotations

from typing import Final

from tests.timelines.language import HOOK, Channel, Configuration, Route, alert, at, push, resolve, scenario, told

DB, WEB, BACKUP = alert("Down", team="db"), alert("Down", team="web"), alert("Down", team="db", job="backup")
ONE, TWO, THREE = "one", "two", "three"


def routed(*routes: Route, channels: tuple[str, ...] = (HOOK,)) -> Configuration:
    """A configuration with these routes below the scenario's own, which groups everything together."""
    names = (HOOK, ONE, TWO, THREE)
    return Configuration(
        route=Route(group_by=(), channels=channels, routes=routes), channels={name: Channel() for name in names}
    )


def route(channel: str, *matchers: str, continue_: bool = False, routes: tuple[Route, ...] = ()) -> Route:
    return Route(channels=(channel,), matchers=matchers, continue_=continue_, routes=routes)


SCENARIOS: Final = (
    scenario(
        "what no route takes is the root's",
        at(0, push(alert("Lost", host="a"))),
        at(2, resolve(alert("Lost", host="a"))),
        expect=[told(1, alert("Lost", host="a")), told(3, resolved=[alert("Lost", host="a")])],
        until=4.5,
        unrouted=True,
    ),
    scenario(
        "the first route that matches takes the alert",
        at(0, push(DB, WEB)),
        expect=[told(1, DB, channel=ONE), told(1, WEB, channel=TWO)],
        until=2.5,
        configuration=routed(route(ONE, 'team="db"'), route(TWO, 'team=~".+"')),
    ),
    scenario(
        "the order of routes decides",
        at(0, push(DB, WEB)),
        expect=[told(1, DB, WEB, channel=TWO)],
        until=2.5,
        configuration=routed(route(TWO, 'team=~".+"'), route(ONE, 'team="db"')),
    ),
    scenario(
        "continue lets the routes after it have the alert too",
        at(0, push(DB)),
        at(2, resolve(DB)),
        expect=[
            *(told(1, DB, channel=name) for name in (ONE, TWO)),
            *(told(3, resolved=[DB], channel=name) for name in (ONE, TWO)),
        ],
        until=4.5,
        configuration=routed(
            route(ONE, 'team="db"', continue_=True), route(TWO, 'team="db"'), route(THREE, 'team="db"')
        ),
    ),
    scenario(
        "continue on the last route that matches leaves nothing to the parent",
        at(0, push(DB)),
        expect=[told(1, DB, channel=ONE)],
        until=2.5,
        configuration=routed(route(ONE, 'team="db"', continue_=True), route(TWO, 'team="web"')),
    ),
    scenario(
        "continue inside of a route does not let the alert out of it",
        at(0, push(DB)),
        expect=[told(1, DB, channel=ONE)],
        until=2.5,
        configuration=routed(
            route(THREE, 'team="db"', routes=(route(ONE, 'alertname="Down"', continue_=True),)), route(TWO, 'team="db"')
        ),
    ),
    scenario(
        "a route keeps what none of those below it takes",
        at(0, push(DB, BACKUP)),
        expect=[told(1, DB, channel=ONE), told(1, BACKUP, channel=TWO)],
        until=2.5,
        configuration=routed(route(ONE, 'team="db"', routes=(route(TWO, 'job="backup"'),))),
    ),
    scenario(
        "a route below one that does not match is never asked",
        at(0, push(WEB)),
        expect=[told(1, WEB)],
        until=2.5,
        configuration=routed(route(ONE, 'team="db"', routes=(route(TWO, 'team="web"'),))),
    ),
    scenario(
        "four routes deep",
        at(0, push(BACKUP, DB)),
        expect=[told(1, BACKUP, channel=THREE), told(1, DB, channel=TWO)],
        until=2.5,
        configuration=routed(
            route(
                ONE,
                'team=~".+"',
                routes=(route(TWO, 'alertname="Down"', routes=(Route(routes=(route(THREE, 'job="backup"'),)),)),),
            )
        ),
    ),
    scenario(
        "a route inherits its channel, its grouping and its timings",
        at(0, push(DB, BACKUP)),
        at(1.5, push(WEB)),
        expect=[told(1, DB, BACKUP), told(3, WEB, DB, BACKUP)],
        until=4.5,
        configuration=routed(Route(matchers=('alertname="Down"',))),
    ),
    scenario(
        "every channel of a route is told",
        at(0, push(DB)),
        at(2, resolve(DB)),
        expect=[
            *(told(1, DB, channel=name) for name in (ONE, TWO)),
            *(told(3, resolved=[DB], channel=name) for name in (ONE, TWO)),
        ],
        until=4.5,
        configuration=routed(channels=(ONE, TWO)),
    ),
    scenario(
        "two routes by continue keep their own timings",
        at(0, push(DB)),
        at(1.5, push(BACKUP)),
        expect=[
            told(1, DB, channel=ONE),
            told(3, DB, BACKUP, channel=ONE),
            told(2, DB, BACKUP, channel=TWO),
        ],
        until=5.5,
        configuration=routed(
            route(ONE, 'team="db"', continue_=True),
            Route(channels=(TWO,), matchers=('team="db"',), group_wait=2, group_interval=3),
        ),
    ),
    scenario(
        "two routes to one channel are two groups",
        at(0, push(DB)),
        expect=[told(1, DB), told(1, DB)],
        until=2.5,
        configuration=routed(route(HOOK, 'team="db"', continue_=True), route(HOOK, 'alertname="Down"')),
    ),
)
