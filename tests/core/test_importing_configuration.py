"""What an import of Alertmanager's file makes different, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.core.importing import Why
from engine.core.importing_configuration import Change, Noun, Plan, Standing, plan, taken
from rules.channels import Channel, ChannelKind, RateLimit
from rules.formats.alertmanager_yaml import AlertmanagerFile, parse
from rules.inhibition import InhibitRule
from rules.matchers import parse_matchers
from rules.routing import ROOT, Route
from rules.time_intervals import TimeInterval

ORIGIN = "import:alertmanager:a"
FRESH_ROOT = Route(id=ROOT, channels=("slack",), origin="tocsin")
FILE = """
route:
  receiver: a
  routes:
  - {matchers: [x=y], receiver: b, mute_time_intervals: [n]}
receivers:
- {name: a, webhook_configs: [{url: 'http://a/'}]}
- {name: b, slack_configs: [{api_url: 'http://s/', channel: c}]}
inhibit_rules:
- {source_matchers: [a=b], target_matchers: [c=d]}
- {source_matchers: [a=b], target_matchers: [c=d]}
time_intervals:
- {name: n, time_intervals: [{months: [may]}]}
"""


def read(text: str = FILE, standing: Standing | None = None) -> AlertmanagerFile:
    found = parse(text, taken=taken(standing or Standing(), ORIGIN))
    assert not found.errors
    return found


def planned(standing: Standing, text: str = FILE) -> Plan:
    return plan(read(text, standing), standing, origin=ORIGIN)


def after(standing: Standing, made: Plan) -> Standing:
    """What stands when the plan is written."""
    changes = (*made.added, *made.changed, *made.removed)
    gone = {(change.noun, change.key) for change in changes}
    new = [change.after for change in changes if change.after is not None]
    return Standing(
        channels=[c for c in standing.channels if (Noun.CHANNEL, c.name) not in gone]
        + [one for one in new if isinstance(one, Channel)],
        time_intervals=[i for i in standing.time_intervals if (Noun.TIME_INTERVAL, i.name) not in gone]
        + [one for one in new if isinstance(one, TimeInterval)],
        routes=[r for r in standing.routes if (Noun.ROUTE, r.id) not in gone]
        + [one for one in new if isinstance(one, Route)],
        inhibit_rules=[r for r in standing.inhibit_rules if (Noun.INHIBIT_RULE, r.id) not in gone]
        + [one for one in new if isinstance(one, InhibitRule)],
        named=standing.named,
    )


def told(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(change.noun.value, change.key) for change in changes]


FRESH = Standing(routes=(FRESH_ROOT,))


def test_all_of_a_file_is_added_and_the_root_of_a_fresh_database_is_taken_over() -> None:
    made = planned(FRESH)
    nouns = [noun for noun, _ in told(made.added)]
    assert nouns == ["channel", "channel", "time interval", "route", "inhibit rule", "inhibit rule"]
    assert told(made.changed) == [("route", "root")]
    assert made.changed[0].differences == ("receiver", "channels", "origin")
    assert (made.reasons, made.notes, made.removed) == ((), (), ())


def test_the_same_file_again_is_nothing() -> None:
    standing = after(FRESH, planned(FRESH))
    made = planned(standing)
    assert (made.is_empty, made.unchanged) == (True, 7)


def test_what_is_gone_from_the_file_is_removed_and_what_is_edited_keeps_its_name() -> None:
    standing = after(FRESH, planned(FRESH))
    made = planned(standing, "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://z/'}]}]")
    assert (told(made.changed), made.changed[0].differences) == ([("channel", "a")], ("url",))
    assert [noun for noun, _ in told(made.removed)] == [
        *("channel", "time interval", "route", "inhibit rule", "inhibit rule"),
    ]
    assert made.removed[0].differences == ()


def test_what_others_own_is_left_alone_and_their_names_are_left_to_them() -> None:
    interval = TimeInterval(name="n", origin="api")
    other = TimeInterval(name="n-2", origin="api")
    standing = Standing(
        channels=(Channel(name="a", kind=ChannelKind.LOG, origin="sql"),),
        time_intervals=(interval, other),
        routes=(FRESH_ROOT, Route(id="own", parent_id=ROOT, origin="api")),
        inhibit_rules=(
            InhibitRule(
                id="i", source_matchers=parse_matchers("a=b"), target_matchers=parse_matchers("c=d"), origin="api"
            ),
        ),
    )
    made = planned(standing)
    assert ("channel", "a-2") in told(made.added)
    assert ("time interval", "n-3") in told(made.added)
    assert made.notes == ("a time interval 'n' is there already, and is not the import's: this one is called 'n-3'",)
    route = next(change.after for change in made.added if isinstance(change.after, Route))
    assert route.mute_time_intervals == ("n-3",)
    assert made.removed == ()
    assert planned(after(standing, made)).is_empty


def test_a_root_that_somebody_owns_has_to_be_forced() -> None:
    made = planned(Standing(routes=(replace(FRESH_ROOT, origin="api"),)))
    assert [(reason.why, "'api'" in str(reason)) for reason in made.reasons] == [(Why.OWNED, True)]


def test_a_route_of_somebody_else_below_one_that_would_go_is_named() -> None:
    standing = after(FRESH, planned(FRESH))
    mine = next(route for route in standing.routes if route.id != ROOT)
    foreign = Route(id="own", parent_id=mine.id, origin="api", channels=("b",))
    made = planned(
        replace(standing, routes=[*standing.routes, foreign]),
        "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://a/'}]}]",
    )
    assert [reason.why for reason in made.reasons] == [Why.ORPHANED]
    assert made.notes == ("channel 'b' stays, because route 'own' names it",)


def test_a_channel_that_a_rule_names_stays() -> None:
    standing = replace(after(FRESH, planned(FRESH)), named=("b", "elsewhere"))
    made = planned(standing, "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://a/'}]}]")
    assert made.notes == ("channel 'b' stays, because a rule names it",)
    assert ("channel", "b") not in told(made.removed)


LIMIT = RateLimit(messages=1, per=timedelta(minutes=1))


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        pytest.param("pagerduty_configs: [{service_key: v1}]", "k", id="a key that the file cannot give"),
        pytest.param("pagerduty_configs: [{routing_key: <secret>}]", "k", id="a secret left out"),
        pytest.param("pagerduty_configs: [{routing_key: new}]", "new", id="a secret given"),
        pytest.param("webhook_configs: [{url: <secret>}]", "", id="another service"),
    ],
)
def test_a_secret_that_the_file_does_not_give_stays(given: str, stored: str) -> None:
    before = Channel(
        name="a", kind=ChannelKind.PAGERDUTY, url="k", origin=ORIGIN, team="t", rate_limit=LIMIT, version=3
    )
    standing = replace(FRESH, channels=(before,))
    made = planned(standing, f"route: {{receiver: a}}\nreceivers: [{{name: a, {given}}}]")
    found = next((change.after for change in (*made.changed, *made.added) if isinstance(change.after, Channel)), before)
    assert (found.url, found.team, found.rate_limit, found.version) == (stored, "t", LIMIT, 3)


def test_a_setting_that_stands_for_a_secret_keeps_what_is_stored() -> None:
    text = (
        "route: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: a@b, from: c@d, smarthost: 'm:25', "
        "auth_username: u, auth_password: PASSWORD}]}]"
    )
    standing = after(FRESH, planned(FRESH, text))
    made = planned(standing, text.replace("PASSWORD", "<secret>"))
    assert made.is_empty
    fresh = planned(FRESH, text.replace("PASSWORD", "<secret>"))
    mail = next(change.after for change in fresh.added if isinstance(change.after, Channel))
    assert "password" not in mail.settings
