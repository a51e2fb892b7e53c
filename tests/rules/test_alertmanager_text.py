"""What is declared, in Alertmanager's words: what is in the text, and what must never be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import yaml

from rules.channels import Channel, ChannelKind
from rules.formats.alertmanager_text import receivers, written
from rules.inhibition import InhibitRule
from rules.matchers import parse_matchers
from rules.routing import Policy, Route, Tree, build, implicit
from rules.time_intervals import TimeInterval, parse_period

ROUTES = (
    Route(id="root", receiver="ops", channels=("chat",), group_by=("alertname",)),
    Route(
        id="db",
        parent_id="root",
        position=1,
        receiver="db",
        matchers=parse_matchers('team="db"'),
        continue_=True,
        repeat_interval=timedelta(minutes=90),
        group_by=(),
        mute_time_intervals=("nights", "nowhere"),
    ),
    Route(id="own", parent_id="root", position=2, channels=("hook", "mail")),
    Route(id="below", parent_id="own", channels=None),
    Route(id="quiet", parent_id="root", position=3, channels=()),
)
NIGHTS = TimeInterval(name="nights", periods=(parse_period({"times": [{"start_time": "22:00", "end_time": "24:00"}]}),))
INHIBIT = InhibitRule(
    id="i", source_matchers=parse_matchers("a=b"), target_matchers=parse_matchers("c=d"), equal=("instance",)
)


@dataclass(frozen=True)
class Declared:
    channels: Mapping[str, Channel] = field(default_factory=dict)
    tree: Tree = field(default_factory=lambda: build(ROUTES))
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, TimeInterval] = field(default_factory=dict)


def text(declared: Declared, *more: Policy) -> str:
    return written(declared, [*declared.tree.policies.values(), *more])


def read(declared: Declared, *more: Policy) -> Any:
    return yaml.safe_load(text(declared, *more))


def test_a_route_without_a_receiver_is_named_by_its_channels_and_those_below_it_too() -> None:
    assert receivers(build(ROUTES)) == {
        "root": "ops",
        "db": "db",
        "own": "hook,mail",
        "below": "hook,mail",
        "quiet": "none",
    }


def test_the_tree_is_told_with_what_each_route_says_itself() -> None:
    found = read(Declared(time_intervals={"nights": NIGHTS}, inhibit_rules=(INHIBIT,)))
    root = found["route"]
    assert (root["group_wait"], root["group_interval"], root["repeat_interval"]) == ("30s", "5m", "4h")
    assert root["routes"][0] == {
        "receiver": "db",
        "matchers": ['team="db"'],
        "continue": True,
        "group_by": [],
        "repeat_interval": "1h30m",
        "mute_time_intervals": ["nights"],
    }
    assert found["inhibit_rules"] == [
        {"source_matchers": ['a="b"'], "target_matchers": ['c="d"'], "equal": ["instance"]}
    ]
    assert found["time_intervals"] == [
        {"name": "nights", "time_intervals": [{"times": [{"start_time": "22:00", "end_time": "24:00"}]}]}
    ]


def test_an_inhibit_rule_may_have_no_equal_labels() -> None:
    rule = InhibitRule(id="i", source_matchers=INHIBIT.source_matchers, target_matchers=INHIBIT.target_matchers)
    assert "equal" not in read(Declared(inhibit_rules=(rule,)))["inhibit_rules"][0]


CHANNELS: list[Any] = [
    pytest.param(
        Channel(
            name="chat", kind=ChannelKind.SLACK, url="https://hooks.slack.com/secret", settings={"channel": "#ops"}
        ),
        ("slack_configs", {"send_resolved": True, "api_url": "<secret>", "channel": "#ops"}),
        id="slack",
    ),
    pytest.param(
        Channel(name="chat", kind=ChannelKind.SLACK, url="env:SLACK", send_resolved=False),
        ("slack_configs", {"send_resolved": False, "api_url": "<secret>"}),
        id="slack by reference",
    ),
    pytest.param(
        Channel(name="chat", kind=ChannelKind.PAGERDUTY, url="secret"),
        ("pagerduty_configs", {"send_resolved": True, "routing_key": "<secret>"}),
        id="pagerduty",
    ),
    pytest.param(
        Channel(
            name="chat",
            kind=ChannelKind.EMAIL,
            url="smtp://me:secret@mail.example:25",
            settings={"to": "ops@example.org", "from": "tocsin@example.org"},
        ),
        (
            "email_configs",
            {
                "send_resolved": True,
                "to": "ops@example.org",
                "from": "tocsin@example.org",
                "smarthost": "mail.example:25",
                "auth_password": "<secret>",
            },
        ),
        id="email",
    ),
    pytest.param(
        Channel(name="chat", kind=ChannelKind.EMAIL, url="env:SMTP_HOST", settings={"port": "env:SMTP_PORT"}),
        (
            "email_configs",
            {
                "send_resolved": True,
                "to": "nobody@unconfigured.invalid",
                "from": "tocsin@unconfigured.invalid",
                "smarthost": "unconfigured.invalid:587",
            },
        ),
        id="email by reference",
    ),
    pytest.param(
        Channel(name="chat", kind=ChannelKind.WEBHOOK, url="https://me:secret@hooks.example/secret"),
        ("webhook_configs", {"send_resolved": True, "url": "https://hooks.example/"}),
        id="webhook",
    ),
    pytest.param(
        Channel(name="chat", kind=ChannelKind.WEBHOOK, url="sealed:secret"),
        ("webhook_configs", {"send_resolved": True, "url": "http://unconfigured.invalid/"}),
        id="webhook sealed",
    ),
]


@pytest.mark.parametrize(("channel", "told"), CHANNELS)
def test_a_channel_is_told_in_its_kinds_words_without_its_secret(
    channel: Channel, told: tuple[str, dict[str, object]]
) -> None:
    declared = Declared(channels={"chat": channel})
    kind, configuration = told
    assert read(declared)["receivers"][0] == {"name": "ops", kind: [configuration]}
    assert "secret" not in text(declared).partition("\n")[2].replace("<secret>", "")


def test_the_log_needs_no_configuration_and_a_rules_own_channels_are_a_receiver() -> None:
    declared = Declared(channels={"chat": Channel(name="chat", kind=ChannelKind.LOG)})
    own = implicit("r", ("chat", "pager"), declared.tree.root.policy)
    found = read(declared, own)["receivers"]
    assert [one["name"] for one in found] == ["ops", "db", "hook,mail", "none", "chat,pager"]
    assert found[0] == {"name": "ops"}
