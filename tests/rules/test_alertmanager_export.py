"""What is declared, as Alertmanager's file: read back it declares the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.core.importing_configuration import Noun, Standing, plan
from rules import routing
from rules.channels import Channel, ChannelKind, RateLimit
from rules.formats.alertmanager_export import export
from rules.formats.alertmanager_yaml import parse
from rules.inhibition import InhibitRule
from rules.routing import NotifyOnUnmute, Route, Tree
from rules.time_intervals import TimeInterval

ALL = sorted((Path(__file__).parents[1] / "alertmanager_files").glob("*/*.yml"))
ORIGIN = "import:alertmanager:a"


@dataclass(frozen=True)
class Declared:
    channels: Mapping[str, Channel] = field(default_factory=dict)
    tree: Tree = field(default_factory=lambda: routing.build([Route(id="root")]))
    inhibit_rules: tuple[InhibitRule, ...] = ()
    time_intervals: Mapping[str, TimeInterval] = field(default_factory=dict)


def imported(text: str) -> Declared:
    """What a fresh database declares when it has taken the file in."""
    found = parse(text)
    assert not found.errors, [str(flaw) for flaw in found.errors]
    made = plan(found, Standing(routes=(Route(id="root", origin="tocsin", receiver="\0"),)), origin=ORIGIN)
    stands: dict[Noun, list[Any]] = {noun: [] for noun in Noun}
    for change in (*made.added, *made.changed):
        stands[change.noun].append(change.after)
    return Declared(
        channels={"log": Channel(name="log", kind=ChannelKind.LOG), **{one.name: one for one in stands[Noun.CHANNEL]}},
        tree=routing.build(stands[Noun.ROUTE]),
        inhibit_rules=tuple(stands[Noun.INHIBIT_RULE]),
        time_intervals={one.name: one for one in stands[Noun.TIME_INTERVAL]},
    )


def hidden(_: str) -> str:
    return "<secret>"


def written(declared: Declared, *own: str) -> Any:
    return yaml.safe_load(export(declared, str, own))


@pytest.mark.parametrize("file", ALL, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_file_taken_in_and_written_out_declares_the_same(file: Path) -> None:
    declared = imported(file.read_text(encoding="utf-8"))
    assert imported(export(declared, str)) == declared


@pytest.mark.parametrize("file", ALL, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_without_secrets_it_is_still_a_file_and_its_routes_are_the_same(file: Path) -> None:
    declared = imported(file.read_text(encoding="utf-8"))
    assert imported(export(declared, hidden)).tree == declared.tree


def test_no_secret_is_in_a_file_without_them() -> None:
    text = export(imported((ALL[0].parent / "every_integration.yml").read_text(encoding="utf-8")), hidden)
    secrets = ("geheim", "0123456789abcdef", "/T/B/", "key=1", "dTpw", "ABC-DEF", "aaaabbbb", "wsecret", "/1/abc")
    assert [secret for secret in secrets if secret in text] == []


def channel(**changes: Any) -> Declared:
    made = replace(Channel(name="a", kind=ChannelKind.WEBHOOK, url="http://h/", origin=ORIGIN), **changes)
    return Declared(channels={"a": made}, tree=routing.build([Route(id="root", receiver="a", channels=("a",))]))


APPRISE = {"kind": ChannelKind.APPRISE}
COMMENTED = [
    ({"url": "env:HOOK"}, "channel 'a' is left out: url is env:HOOK, and Alertmanager reads no environment"),
    ({"rate_limit": RateLimit(messages=1, per=timedelta(1))}, "channel 'a' has a rate limit"),
    ({"settings": {"authorization": "env:X"}}, "left out: settings.authorization is env:X"),
    ({"settings": {"x": "y"}}, "channel 'a': settings.x is left out"),
    ({"templates": {"title": "y"}}, "channel 'a': the template title is left out"),
    ({"kind": ChannelKind.EMAIL, "url": "env:SMTP_HOST"}, "left out: its server is env:SMTP_HOST"),
    ({**APPRISE, "url": "ntfy://{topic}"}, "left out: it is a service that Alertmanager does not know"),
    ({**APPRISE, "url": "json://x"}, "left out: it is a service that Alertmanager does not know"),
]


@pytest.mark.parametrize(("changes", "said"), COMMENTED)
def test_what_the_file_cannot_say_stands_in_a_comment(changes: dict[str, Any], said: str) -> None:
    text = export(channel(**changes), str)
    assert any(line.startswith("# ") and said in line for line in text.splitlines())
    assert parse(text).root is not None


BOT = {"authorization": {"credentials": "xoxb-1"}}
NOBODY = {"username": "", "password": ""}
TOKEN = {"authorization": {"type": "Token", "credentials": "x"}, "tls_config": {"ca_file": "/c"}}
WRITTEN = [
    (
        {"kind": ChannelKind.SLACK, "url": "xoxb-1"},
        "slack_configs",
        {"http_config": BOT, "api_url": "https://slack.com/api/chat.postMessage"},
    ),
    ({"kind": ChannelKind.SLACK, "url": ""}, "slack_configs", {"api_url": "<secret>"}),
    (
        {"kind": ChannelKind.PAGERDUTY, "url": "https://k%2F@p/x"},
        "pagerduty_configs",
        {"routing_key": "k/", "url": "https://p/x"},
    ),
    (
        {"kind": ChannelKind.EMAIL, "url": "smtps://u:p%40@[::1]"},
        "email_configs",
        {
            "smarthost": "[::1]:587",
            "to": "nobody@unconfigured.invalid",
            "from": "tocsin@unconfigured.invalid",
            "auth_username": "u",
            "auth_password": "p@",
            "force_implicit_tls": True,
        },
    ),
    (
        {"kind": ChannelKind.EMAIL, "url": "m", "settings": {"ca_file": "/c", "tls": "none"}},
        "email_configs",
        {
            "smarthost": "m:587",
            "to": "nobody@unconfigured.invalid",
            "from": "tocsin@unconfigured.invalid",
            "require_tls": False,
            "tls_config": {"ca_file": "/c"},
        },
    ),
    (
        {"settings": {"authorization": "Basic !"}},
        "webhook_configs",
        {"url": "http://h/", "http_config": {"basic_auth": NOBODY}},
    ),
    (
        {"settings": {"authorization": "Token x", "ca_file": "/c"}},
        "webhook_configs",
        {"url": "http://h/", "http_config": TOKEN},
    ),
    ({"url": "file:/x"}, "webhook_configs", {"url_file": "/x"}),
    (
        {**APPRISE, "url": "tgram://{bot_token}/{chat_id}", "settings": {"bot_token": "1:a"}},
        "telegram_configs",
        {"bot_token": "1:a"},
    ),
]


@pytest.mark.parametrize(("changes", "name", "fields"), WRITTEN)
def test_a_channel_is_written_as_its_integration(changes: dict[str, Any], name: str, fields: dict[str, Any]) -> None:
    (receiver,) = written(channel(**changes))["receivers"]
    (found,) = receiver[name]
    found.pop("send_resolved", None)
    assert found == fields


def test_rules_and_routes_that_say_more_than_the_file_can_are_named() -> None:
    tree = routing.build([Route(id="root", receiver="a", notify_on_unmute=NotifyOnUnmute.ALWAYS, channels=("gone",))])
    text = export(Declared(tree=tree), str, ["High Error Rate"])
    assert "# route 'root' has notify_on_unmute always\n" in text
    assert "# rules that name their channels themselves have no route here: High Error Rate\n" in text


def test_two_receivers_of_one_name_are_two() -> None:
    routes = [
        Route(id="root", receiver="a", channels=("x",)),
        Route(id="b", parent_id="root", receiver="a", channels=()),
    ]
    found = written(Declared(tree=routing.build(routes)))
    assert [one["name"] for one in found["receivers"]] == ["a", "a (2)"]
    assert found["route"]["routes"][0]["receiver"] == "a (2)"


names = st.sampled_from(["a", "b", "c"])
matchers = st.lists(
    st.builds(
        "{0}{1}{2}".format, names, st.sampled_from(["=", "!=", "=~", "!~"]), st.sampled_from(["x", '"y z"', '"\\"ü"'])
    ),
    min_size=1,
    max_size=2,
)
routes = st.recursive(
    st.fixed_dictionaries(
        {"matchers": matchers},
        optional={
            "receiver": names,
            "continue": st.booleans(),
            "group_by": st.lists(names, unique=True),
            "group_wait": st.sampled_from(["0s", "1m30s", "500ms"]),
            "repeat_interval": st.sampled_from(["1h", "1d"]),
            "mute_time_intervals": st.just(["n"]),
        },
    ),
    lambda below: st.builds(lambda route, some: {**route, "routes": some}, below, st.lists(below, max_size=3)),
    max_leaves=8,
)
integrations = st.fixed_dictionaries(
    {},
    optional={
        "slack_configs": st.lists(
            st.fixed_dictionaries(
                {"api_url": st.just("http://s/")}, optional={"title": st.text("ab{} \n", max_size=5)}
            ),
            max_size=2,
        ),
        "webhook_configs": st.lists(
            st.fixed_dictionaries(
                {"url": st.sampled_from(["http://h/", "https://u:p@h/?x=1"])},
                optional={"send_resolved": st.booleans(), "max_alerts": st.integers(0, 30)},
            ),
            max_size=2,
        ),
        "pagerduty_configs": st.lists(st.just({"routing_key": "k"}), max_size=2),
    },
)


@given(st.lists(routes, max_size=4), st.lists(integrations, min_size=3, max_size=3))
def test_any_file_taken_in_and_written_out_declares_the_same(below: list[Any], receivers: list[Any]) -> None:
    file = {
        "route": {"receiver": "a", "routes": below},
        "receivers": [{"name": name, **some} for name, some in zip("abc", receivers, strict=True)],
        "time_intervals": [{"name": "n", "time_intervals": [{"weekdays": ["monday:friday"]}]}],
    }
    declared = imported(yaml.safe_dump(file, allow_unicode=True))
    assert imported(export(declared, str)) == declared
