"""Alertmanager's configuration file: what is read of it, what is not carried over, and what is a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rules.channels import Channel, ChannelKind
from rules.formats.alertmanager_yaml import EVERY, AlertmanagerFile, Branch, parse
from rules.labels import Labels
from rules.matchers import parse_matchers
from rules.problems import Severity
from rules.time_intervals import parse_period
from tests.alertmanager_files.bad import FILES, HOOK, ROUTE, Bad

ALL = sorted((Path(__file__).parents[1] / "alertmanager_files").glob("*/*.yml"))


def read(name: str) -> AlertmanagerFile:
    file = next(file for file in ALL if f"{file.parent.name}/{file.stem}" == name)
    return parse(file.read_text(encoding="utf-8"), file.name)


def warnings(found: AlertmanagerFile) -> list[str]:
    return [str(flaw) for flaw in found.flaws]


def channel(found: AlertmanagerFile, name: str) -> Channel:
    return next(channel for channel in found.channels if channel.name == name)


def one(config: str, common: str = "{}") -> Channel:
    found = parse(f"global: {common}\n{ROUTE}receivers: [{{name: a, {config}}}]\n")
    assert not found.errors, warnings(found)
    (made,) = found.channels
    return made


def branches(branch: Branch) -> Iterator[Branch]:
    yield branch
    for child in branch.below:
        yield from branches(child)


@pytest.mark.parametrize("bad", FILES, ids=lambda bad: bad.name)
def test_a_mistake_is_told_once_at_its_place_and_then_there_is_nothing(bad: Bad) -> None:
    found = parse(bad.text, "am.yml")
    (flaw,) = found.errors
    assert str(flaw).startswith(f"am.yml:{bad.at}: ")
    assert bad.said in flaw.problem.message
    assert found == AlertmanagerFile(flaws=found.flaws)


@pytest.mark.parametrize("file", ALL, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_file_in_use_is_read_whole(file: Path) -> None:
    found = parse(file.read_text(encoding="utf-8"), file.name)
    assert not found.errors
    assert found.root is not None
    known = {channel.name for channel in found.channels} | {"log"}
    for branch in branches(found.root):
        assert set(branch.route.channels or ()) <= known
        assert branch.route.receiver or branch.route.channels is None


def test_all_mistakes_of_a_file_are_told_from_its_top_to_its_end() -> None:
    found = parse("route: {receiver: x, group_wait: y}\nreceivers: [{nam: a}]\nother: 1\n", "am.yml")
    assert [str(flaw).split(": ")[0] for flaw in found.errors] == [
        "am.yml:1:19",
        "am.yml:1:34",
        "am.yml:2:13",
        "am.yml:2:14",
        "am.yml:3:1",
    ]


def test_the_tree_says_what_the_file_says() -> None:
    root = read("good/nested_teams").root
    assert root is not None
    assert (root.route.id, root.route.channels, root.route.group_wait) == (
        "root",
        ("default-mail",),
        timedelta(seconds=30),
    )
    db, page, web = root.below
    assert (db.route.matchers, db.line) == (parse_matchers('service=~"mysql|postgres|redis"'), 13)
    assert [branch.route.continue_ for branch in db.below] == [True, False, False]
    assert db.below[1].below[0].route.channels == ("log",)
    assert page.route.matchers == parse_matchers('severity="critical",service=~"^(web|api).*"')
    assert (page.route.group_by, web.route.group_by, db.below[0].route.group_by) == (("...",), (), None)


def test_time_intervals_of_both_spellings_are_read() -> None:
    found = read("good/business_hours")
    assert [interval.name for interval in found.time_intervals] == [
        *("nights", "weekends", "saturdays", "office-hours", "holidays"),
    ]
    assert found.time_intervals[1].periods == (parse_period({"weekdays": ["saturday", "sunday"]}),)
    assert found.root is not None
    assert found.root.below[2].route.active_time_intervals == ("office-hours", "saturdays")
    empty = parse(f"{ROUTE}{HOOK}time_intervals: [{{name: n, time_intervals: [{{months: [may], location: }}]}}]")
    assert not empty.errors


def test_an_empty_side_of_an_inhibit_rule_takes_every_alert_and_that_is_said() -> None:
    found = read("good/platform")
    assert found.inhibit_rules[3].source_matchers == (EVERY,)
    assert any("platform.yml:34:3: warning: inhibit rule 4: source_matchers is empty" in one for one in warnings(found))


def test_a_route_has_labels_as_newer_versions_know_them() -> None:
    root = read("newer/integrations").root
    assert root is not None
    assert root.route.labels == Labels({"team": "{{ .CommonLabels.team }}"})
    found = parse("route: {receiver: a, labels: {a: '{{ x'}}\n" + HOOK)
    assert [flaw.problem.field for flaw in found.errors] == ["labels"]


def test_matchers_that_are_merged_in_count_beside_those_that_are_given() -> None:
    found = read("good/anchors")
    assert found.root is not None
    assert found.root.below[1].route.matchers == parse_matchers('severity="page",severity="critical"')
    assert len([one for one in warnings(found) if "both count, as in Alertmanager" in one]) == 2
    merged = "&m {match: {a: '1', b: '1'}}, {<<: *m, match: {b: '2', c: '2'}}"
    (first, second) = (parse(f"route: {{receiver: a, routes: [{merged}]}}\n{HOOK}").root or found.root).below
    assert (first.route.matchers, second.route.matchers) == (parse_matchers("a=1,b=1"), parse_matchers("b=2,c=2,a=1"))


def test_a_section_for_something_else_and_a_second_document_are_told() -> None:
    found = parse(f"{ROUTE}{HOOK}event_recorder: {{}}\ntracing: {{}}\n---\nroute: 5\n")
    assert [flaw.problem.severity for flaw in found.flaws] == [Severity.WARNING] * 3
    assert "only the first YAML document is read" in warnings(found)[2]


@pytest.mark.parametrize(("deep", "said"), [(20, []), (30, ["is nested more than 50 levels deep"])])
def test_a_tree_is_as_deep_as_anyone_writes(deep: int, said: list[str]) -> None:
    nested = "{match: {a: b}}"
    for _ in range(deep):
        nested = f"{{match: {{a: b}}, routes: [{nested}]}}"
    found = parse(f"route: {{receiver: a, routes: [{nested}]}}\n{HOOK}")
    assert [flaw.problem.message for flaw in found.errors] == said


def test_a_receiver_of_one_integration_gives_its_name_and_others_get_the_services_behind_it() -> None:
    assert [channel.name for channel in read("good/every_integration").channels][-5:] == [
        *("all-slack", "all-slack-2", "all-pagerduty", "all-email", "all-webhook"),
    ]


def test_a_name_that_is_somebody_elses_is_left_to_them() -> None:
    found = parse(ROUTE + HOOK, taken=("a", "a-2"))
    assert [channel.name for channel in found.channels] == ["a-3"]
    assert "a channel 'a' is there already" in warnings(found)[0]
    assert found.root is not None
    assert found.root.route.channels == ("a-3",)


def test_a_receiver_that_tells_nobody_goes_to_the_log() -> None:
    found = parse(f"{ROUTE}receivers: [{{name: a}}]\n")
    assert found.root is not None
    assert found.root.route.channels == ("log",)
    assert "it tells nobody" in warnings(found)[0]


def test_the_todo_applications_file_comes_in_with_its_traps_told() -> None:
    found = read("good/todo_application")
    hook = channel(found, "critical-slack")
    assert (hook.kind, hook.send_resolved) == (ChannelKind.SLACK, True)
    mail = channel(found, "critical-email")
    assert (mail.url, mail.send_resolved) == ("smtp.todo.example", False)
    assert dict(mail.settings) == {
        "port": "587",
        "user": "alerts@todo.example",
        "password": "<password>",
        "from": "alerts@todo.example",
        "to": "oncall@todo.example",
    }
    assert [one.split("warning: ")[1][:40] for one in warnings(found)] == [
        "route.routes[0]: continue does nothing o",
        "receiver 'critical': webhook_configs[0]:",
    ]


def test_secrets_in_files_become_references_to_them() -> None:
    found = read("good/secret_files")
    assert [channel.url for channel in found.channels[:3]] == [
        *("file:/run/secrets/slack", "file:/run/secrets/slack2", "file:/run/secrets/pd"),
    ]
    assert channel(found, "team-email").settings["password"] == "file:/run/secrets/smtp"
    assert channel(found, "team-opsgenie").settings == {"api_key": "file:/run/secrets/opsgenie"}
    newer = read("newer/secret_files")
    assert channel(newer, "team-pushover").settings == {
        "user_key": "file:/run/secrets/u",
        "token": "file:/run/secrets/t",
    }
    assert channel(newer, "team-telegram").settings["bot_token"] == "file:/run/secrets/tg"


TOKEN = (
    "webhook_configs: [{url: 'http://h/', http_config: {authorization: {type: Token, credentials: c}, "
    "tls_config: {ca_file: /ca, insecure_skip_verify: false}, follow_redirects: true, enable_http2: false}}]"
)
CARRIED = [
    ("slack_configs: [{app_token: xoxb-1, channel: c}]", "slack", "xoxb-1", {"channel": "c"}),
    (
        "slack_configs: [{app_token: xoxb-1, app_url: 'https://s.example/api/chat.postMessage'}]",
        "slack",
        "xoxb-1",
        {"api_url": "https://s.example/api"},
    ),
    ("pagerduty_configs: [{routing_key: k}]", "pagerduty", "k", {}),
    (
        "pagerduty_configs: [{routing_key: k, url: 'https://events.eu.pagerduty.com/v2/enqueue'}]",
        "pagerduty",
        "k",
        {"region": "eu"},
    ),
    (
        "pagerduty_configs: [{routing_key: k, url: 'https://p.example:8443/x'}]",
        "pagerduty",
        "https://k@p.example:8443/x",
        {},
    ),
    ("pagerduty_configs: [{routing_key_file: /k, url: 'https://p.example/x'}]", "pagerduty", "", {}),
    ("pagerduty_configs: [{service_key: k}]", "pagerduty", "", {}),
    (
        "email_configs: [{to: a@b, from: c@d, smarthost: 'm:465', require_tls: false, auth_username: u, auth_identity: i}]",
        "email",
        "m",
        {"to": "a@b", "from": "c@d", "port": "465", "user": "u"},
    ),
    (
        "email_configs: [{to: a@b, from: c@d, smarthost: '[::1]:25', require_tls: false, tls_config: {ca_file: /ca}}]",
        "email",
        "[::1]",
        {"to": "a@b", "from": "c@d", "port": "25", "tls": "none", "ca_file": "/ca"},
    ),
    (
        "email_configs: [{to: a@b, from: c@d, smarthost: 'm:25', force_implicit_tls: true}]",
        "email",
        "m",
        {"to": "a@b", "from": "c@d", "port": "25", "tls": "implicit"},
    ),
    (
        "webhook_configs: [{url: 'http://h/', max_alerts: 20, http_config: {bearer_token: t}}]",
        "webhook",
        "http://h/",
        {"max_alerts": "20", "authorization": "Bearer t"},
    ),
    (
        "webhook_configs: [{url: 'http://h/', max_alerts: 0, http_config: {basic_auth: {username: u, password: p}}}]",
        "webhook",
        "http://h/",
        {"authorization": "Basic dTpw"},
    ),
    (
        "webhook_configs: [{url: 'http://h/', http_config: {basic_auth: {username: u, password_file: /p}}}]",
        "webhook",
        "http://h/",
        {},
    ),
    (
        TOKEN,
        "webhook",
        "http://h/",
        {"authorization": "Token c", "ca_file": "/ca"},
    ),
    ("webhook_configs: [{url: 'http://h/', http_config: {authorization: nobody}}]", "webhook", "http://h/", {}),
    (
        "telegram_configs: [{bot_token: '1:b', chat_id: -5, parse_mode: HTML}]",
        "apprise",
        "tgram://{bot_token}/{chat_id}",
        {"bot_token": "1:b", "chat_id": "-5"},
    ),
    (
        "mattermost_configs: [{webhook_url: 'http://m.example/chat/hooks/k'}]",
        "apprise",
        "mmost://m.example/chat/{token}",
        {"token": "k"},
    ),
    ("msteams_configs: [{webhook_url: 'http://t/'}]", "apprise", "{workflow_url}", {"workflow_url": "http://t/"}),
    (
        "sns_configs: [{phone_number: '+49151', sigv4: {region: r, access_key: a, secret_key: s}}]",
        "apprise",
        "sns://{access_key}/{secret_key}/{region}/{phone_number}",
        {"access_key": "a", "secret_key": "s", "region": "r", "phone_number": "+49151"},
    ),
    (
        "sns_configs: [{topic_arn: 'arn:aws:sns:eu-west-1:1:news', sigv4: {access_key: a, secret_key: s}}]",
        "apprise",
        "sns://{access_key}/{secret_key}/{region}/%23news",
        {"access_key": "a", "secret_key": "s", "region": "eu-west-1", "topic_arn": "arn:aws:sns:eu-west-1:1:news"},
    ),
    (
        "rocketchat_configs: [{token_id: i, token: t, channel: c, api_url: 'http://r:3000/'}]",
        "apprise",
        "rocket://{token_id}:{token}@r:3000/{channel}?mode=token",
        {"token_id": "i", "token": "t", "channel": "c"},
    ),
]


@pytest.mark.parametrize(("config", "kind", "url", "settings"), CARRIED)
def test_an_integration_becomes_a_channel(config: str, kind: str, url: str, settings: dict[str, str]) -> None:
    made = one(config)
    assert (made.kind, made.url, dict(made.settings)) == (ChannelKind(kind), url, settings)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("jira_configs: [{project: P, issue_type: Bug, api_url: 'http://j/'}]", "no channel speaks to it"),
        ("sns_configs: [{target_arn: x}]", "carried over only with access_key"),
        ("mattermost_configs: [{webhook_url_file: /f}]", "only an address such as"),
        ("incidentio_configs: [{url_file: /f, alert_source_token: t}]", "an address from a file is not carried over"),
    ],
)
def test_an_integration_without_a_door_is_told_and_the_receiver_falls_back(config: str, said: str) -> None:
    found = parse(f"{ROUTE}receivers: [{{name: a, {config}}}]\n")
    assert (found.errors, found.channels) == ((), ())
    assert said in " ".join(warnings(found))
    assert found.root is not None
    assert found.root.route.channels == ("log",)


def test_what_the_global_section_says_is_told_once() -> None:
    common = "{http_config: {proxy_url: 'http://p/'}, slack_api_url: 'http://s/'}"
    found = parse(f"global: {common}\n{ROUTE}receivers: [{{name: a, slack_configs: [{{}}, {{channel: b}}]}}]\n")
    assert warnings(found) == ["alertmanager.yml:1:35: warning: global: http_config: proxy_url is not carried over"]


def test_texts_are_kept_as_templates_and_a_default_is_none() -> None:
    found = read("good/platform")
    assert channel(found, "platform").templates.keys() == {"text"}
    mail = one("email_configs: [{to: a@b, from: c@d, smarthost: 'm:25', html: '', headers: {subject: 'S', X-A: b}}]")
    assert dict(mail.templates) == {"subject": "S"}


def test_custom_details_are_templates_by_their_names() -> None:
    made = one("pagerduty_configs: [{routing_key: k, details: {runbook: '{{ .CommonAnnotations.runbook_url }}'}}]")
    assert dict(made.templates) == {"details.runbook": "{{ .CommonAnnotations.runbook_url }}"}


def test_a_place_in_an_address_is_only_there_when_something_fills_it() -> None:
    assert one("wechat_configs: [{corp_id: c, api_secret: s}]").url == "wechat://{corp_id}:{api_secret}@{agent_id}"
    assert one("rocketchat_configs: [{token_id: i, token: t}]").url == (
        "rockets://{token_id}:{token}@open.rocket.chat?mode=token"
    )


@pytest.mark.parametrize("count", [1, 2])
def test_a_name_too_long_for_a_channel_is_cut(count: int) -> None:
    name = "n" * 400
    hooks = ", ".join(["{url: 'http://h/'}"] * count)
    found = parse(f"route: {{receiver: {name}}}\nreceivers: [{{name: {name}, webhook_configs: [{hooks}]}}]\n")
    assert not found.errors
    assert {len(channel.name) <= 200 for channel in found.channels} == {True}
