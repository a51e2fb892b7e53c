"""Files that Alertmanager refuses, each with one mistake, and where and how Tocsin tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import Final

ROUTE: Final = "route: {receiver: a}\n"
HOOK: Final = "receivers: [{name: a, webhook_configs: [{url: 'http://h/'}]}]\n"


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A file, the line and column of its mistake, and words of what is said of it."""

    name: str
    text: str
    at: str
    said: str
    since: str = ""
    """The version since which Alertmanager refuses it, where 0.25 does not yet."""


def _bad(name: str, text: str, at: str, said: str, since: str = "") -> Bad:
    return Bad(name=name, text=dedent(text), at=at, said=said, since=since)


def _receiver(name: str, config: str, at: int, said: str, since: str = "") -> Bad:
    """One integration in a receiver, all on line 2; `at` counts from the first column of `config`."""
    return Bad(
        name=name, text=f"{ROUTE}receivers: [{{name: a, {config}}}]\n", at=f"2:{22 + at}", said=said, since=since
    )


FILES: Final = (
    _bad("empty", "", "1:1", "there is no route"),
    _bad("no mapping", "- a\n", "1:1", "the file is a list and not a mapping"),
    _bad("no YAML", "route: {receiver: a\n", "2:1", "is no YAML"),
    _bad("tab", "route:\n\treceiver: a\n", "2:1", "is no YAML"),
    _bad("unknown section", ROUTE + HOOK + "recievers: []\n", "3:1", "there is no field 'recievers'"),
    _bad("twice", ROUTE + HOOK + "route: {receiver: a}\n", "3:1", "'route' is given already on line 1"),
    _bad("no route", HOOK, "1:1", "there is no route"),
    _bad("no receiver at the root", "route: {group_by: [a]}\n" + HOOK, "1:8", "the root route names no receiver"),
    _bad("unknown receiver", "route: {receiver: b}\n" + HOOK, "1:19", "receiver 'b' is not defined; there is a"),
    _bad("no receivers", ROUTE, "1:19", "receiver 'a' is not defined; there is none"),
    _bad(
        "unknown receiver below",
        "route: {receiver: a, routes: [{receiver: c, match: {x: y}}]}\n" + HOOK,
        "1:42",
        "route.routes[0]: receiver 'c' is not defined",
    ),
    _bad("matchers at the root", "route: {receiver: a, matchers: [a=b]}\n" + HOOK, "1:32", "cannot have matchers"),
    _bad("match at the root", "route: {receiver: a, match: {a: b}}\n" + HOOK, "1:29", "cannot have match;"),
    _bad("continue at the root", "route: {receiver: a, continue: true}\n" + HOOK, "1:32", "cannot have continue"),
    _bad(
        "intervals at the root",
        "route: {receiver: a, mute_time_intervals: [n]}\n"
        + HOOK
        + "time_intervals: [{name: n, time_intervals: [{months: [may]}]}]\n",
        "1:43",
        "cannot have mute_time_intervals",
    ),
    _bad(
        "unknown field of a route", "route: {receiver: a, groupby: [a]}\n" + HOOK, "1:22", "there is no field 'groupby'"
    ),
    _bad("group_by twice", "route: {receiver: a, group_by: [a, b, a]}\n" + HOOK, "1:32", "'a' is twice in group_by"),
    _bad(
        "all labels and one", "route: {receiver: a, group_by: ['...', a]}\n" + HOOK, "1:32", "stands alone in group_by"
    ),
    _bad("group_by of no label", "route: {receiver: a, group_by: [a, '']}\n" + HOOK, "1:32", "names ''"),
    _bad("group_interval 0", "route: {receiver: a, group_interval: 0s}\n" + HOOK, "1:38", "group_interval is 0"),
    _bad("repeat_interval 0", "route: {receiver: a, repeat_interval: 0s}\n" + HOOK, "1:39", "repeat_interval is 0"),
    _bad("no duration", "route: {receiver: a, group_wait: 5 minutes}\n" + HOOK, "1:34", "group_wait: "),
    _bad("duration without a unit", "route: {receiver: a, group_wait: 30}\n" + HOOK, "1:34", "group_wait: "),
    _bad("continue maybe", "route: {receiver: a, routes: [{continue: maybe}]}\n" + HOOK, "1:42", "give true or false"),
    _bad(
        "routes no list",
        "route: {receiver: a, routes: {match: {a: b}}}\n" + HOOK,
        "1:30",
        "is a mapping and not a list",
    ),
    _bad("bad matcher", "route: {receiver: a, routes: [{matchers: ['a b']}]}\n" + HOOK, "1:43", "matchers: "),
    _bad("bad regex", "route: {receiver: a, routes: [{matchers: ['a=~\"(\"']}]}\n" + HOOK, "1:43", "matchers: "),
    _bad(
        "bad regex in match_re", "route: {receiver: a, routes: [{match_re: {a: '('}}]}\n" + HOOK, "1:46", "match_re: "
    ),
    _bad("bad label in match", "route: {receiver: a, routes: [{match: {'': c}}]}\n" + HOOK, "1:44", "match: "),
    _bad("matchers no list", "route: {receiver: a, routes: [{matchers: {a: b}}]}\n" + HOOK, "1:42", "not a list"),
    _bad("matchers one text", "route: {receiver: a, routes: [{matchers: a=b}]}\n" + HOOK, "1:42", "not a list"),
    _bad(
        "interval not defined",
        "route: {receiver: a, routes: [{mute_time_intervals: [n]}]}\n" + HOOK,
        "1:53",
        "the time interval 'n' is not defined",
    ),
    _bad(
        "interval twice",
        ROUTE
        + HOOK
        + "time_intervals:\n- {name: n, time_intervals: [{months: [may]}]}\n- {name: n, time_intervals: [{months: [may]}]}\n",
        "5:10",
        "'n' is there twice",
    ),
    _bad(
        "interval without a name",
        ROUTE + HOOK + "time_intervals: [{time_intervals: [{months: [may]}]}]\n",
        "3:18",
        "needs a name",
    ),
    _bad("period no mapping", ROUTE + HOOK + "time_intervals: [{name: n, time_intervals: [x]}]\n", "3:45", "x"),
    _bad(
        "month unknown",
        ROUTE + HOOK + "time_intervals: [{name: n, time_intervals: [{months: [mai]}]}]\n",
        "3:54",
        "mai",
    ),
    _bad(
        "weekday unknown",
        ROUTE + HOOK + "time_intervals: [{name: n, time_intervals: [{weekdays: [mon]}]}]\n",
        "3:56",
        "mon",
    ),
    _bad(
        "weekdays backwards",
        ROUTE + HOOK + "time_intervals: [{name: n, time_intervals: [{weekdays: ['friday:monday']}]}]\n",
        "3:56",
        "friday:monday",
    ),
    _bad(
        "time unknown",
        ROUTE
        + HOOK
        + "time_intervals: [{name: n, time_intervals: [{times: [{start_time: '25:00', end_time: '26:00'}]}]}]\n",
        "3:53",
        "25:00",
    ),
    _bad(
        "times backwards",
        ROUTE
        + HOOK
        + "time_intervals: [{name: n, time_intervals: [{times: [{start_time: '17:00', end_time: '09:00'}]}]}]\n",
        "3:53",
        "09:00",
    ),
    _bad(
        "day 32",
        ROUTE + HOOK + "time_intervals: [{name: n, time_intervals: [{days_of_month: ['32']}]}]\n",
        "3:61",
        "32",
    ),
    _bad(
        "zone unknown",
        ROUTE + HOOK + "time_intervals: [{name: n, time_intervals: [{location: Europe/Berlim}]}]\n",
        "3:56",
        "Berlim",
    ),
    _bad(
        "field of a period unknown",
        ROUTE + HOOK + "time_intervals: [{name: n, time_intervals: [{hours: ['1']}]}]\n",
        "3:53",
        "hours",
    ),
    _bad("receiver twice", ROUTE + "receivers: [{name: a}, {name: a}]\n", "2:24", "receiver 'a' is there twice"),
    _bad(
        "receiver without a name",
        ROUTE + "receivers: [{name: a}, {webhook_configs: []}]\n",
        "2:24",
        "the name is missing",
    ),
    _bad(
        "integration unknown",
        ROUTE + "receivers: [{name: a, slack_config: []}]\n",
        "2:23",
        "there is no field 'slack_config'",
    ),
    _bad(
        "inhibit field unknown",
        ROUTE + HOOK + "inhibit_rules: [{source: {a: b}}]\n",
        "3:18",
        "there is no field 'source'",
    ),
    _bad(
        "inhibit matcher",
        ROUTE + HOOK + "inhibit_rules: [{source_matchers: ['a'], target_matchers: [b=c]}]\n",
        "3:36",
        "source_matchers: ",
    ),
    _bad(
        "equal of no label",
        ROUTE + HOOK + "inhibit_rules: [{source_matchers: [a=b], target_matchers: [b=c], equal: ['']}]\n",
        "3:73",
        "equal names ''",
    ),
    _bad("global unknown", "global: {slack_url: x}\n" + ROUTE + HOOK, "1:10", "there is no field 'slack_url'"),
    _bad(
        "global no URL", "global: {slack_api_url: hooks.slack.com}\n" + ROUTE + HOOK, "1:25", "slack_api_url is no URL"
    ),
    _bad(
        "global twice",
        "global: {slack_api_url: 'http://x/', slack_api_url_file: /f}\n" + ROUTE + HOOK,
        "1:58",
        "are both given",
    ),
    _bad("resolve_timeout", "global: {resolve_timeout: soon}\n" + ROUTE + HOOK, "1:27", "resolve_timeout: "),
    _receiver(
        "slack without an address",
        "slack_configs: [{channel: x}]",
        17,
        "no api_url here and no slack_api_url in global",
    ),
    _receiver("slack address", "slack_configs: [{api_url: x}]", 27, "api_url is no URL"),
    _receiver("slack twice", "slack_configs: [{api_url: 'http://x/', api_url_file: y}]", 54, "are both given"),
    _receiver("slack field", "slack_configs: [{api_url: 'http://x/', chanel: y}]", 40, "there is no field 'chanel'"),
    _receiver("slack action", "slack_configs: [{api_url: 'http://x/', actions: [{text: y}]}]", 50, "there is no type"),
    _receiver("slack fields", "slack_configs: [{api_url: 'http://x/', fields: [{title: y}]}]", 49, "there is no value"),
    _receiver("pagerduty without a key", "pagerduty_configs: [{severity: x}]", 21, "there is no routing_key"),
    _receiver("mail to nobody", "email_configs: [{from: a@b, smarthost: 'h:25'}]", 17, "there is no to"),
    _receiver("mail from nobody", "email_configs: [{to: a@b, smarthost: 'h:25'}]", 17, "there is no from"),
    _receiver("mail without a server", "email_configs: [{to: a@b, from: a@b}]", 17, "there is no smarthost"),
    _receiver("mail server without a port", "email_configs: [{to: a@b, from: a@b, smarthost: h}]", 49, "has no port"),
    _receiver(
        "mail headers",
        "email_configs: [{to: a@b, from: a@b, smarthost: 'h:25', headers: {To: x, to: y}}]",
        66,
        "there twice",
    ),
    _receiver("webhook without an address", "webhook_configs: [{send_resolved: true}]", 19, "there is no url"),
    _receiver("webhook address", "webhook_configs: [{url: 'ftp://x/'}]", 25, "url is no URL"),
    _receiver("webhook most", "webhook_configs: [{url: 'http://x/', max_alerts: many}]", 50, "max_alerts is 'many'"),
    _receiver(
        "webhook flag", "webhook_configs: [{url: 'http://x/', send_resolved: perhaps}]", 53, "give true or false"
    ),
    _receiver(
        "webhook two ways in",
        "webhook_configs: [{url: 'http://x/', http_config: {basic_auth: {username: u}, authorization: {credentials: c}}}]",
        64,
        "keep one of them",
    ),
    _receiver(
        "http_config field",
        "webhook_configs: [{url: 'http://x/', http_config: {proxy: x}}]",
        52,
        "there is no field 'proxy'",
    ),
    _receiver(
        "opsgenie without a key",
        "opsgenie_configs: [{message: x}]",
        20,
        "no api_key here and no opsgenie_api_key in global",
    ),
    _receiver(
        "victorops without a key",
        "victorops_configs: [{routing_key: x}]",
        21,
        "no api_key here and no victorops_api_key",
    ),
    _receiver("victorops without a route", "victorops_configs: [{api_key: x}]", 21, "there is no routing_key"),
    _receiver("pushover without a user", "pushover_configs: [{token: x}]", 20, "there is no user_key"),
    _receiver("pushover without a token", "pushover_configs: [{user_key: x}]", 20, "there is no token"),
    _receiver("telegram without a bot", "telegram_configs: [{chat_id: 5}]", 20, "there is no bot_token"),
    _receiver("telegram without a chat", "telegram_configs: [{bot_token: x}]", 20, "there is no chat_id"),
    _receiver("telegram chat", "telegram_configs: [{bot_token: x, chat_id: '@me'}]", 44, "chat_id is '@me'"),
    _receiver(
        "telegram mode", "telegram_configs: [{bot_token: x, chat_id: 5, parse_mode: bold}]", 59, "parse_mode is 'bold'"
    ),
    _receiver("sns to nobody", "sns_configs: [{sigv4: {region: x}}]", 15, "there is no topic_arn"),
    _receiver("sns keys", "sns_configs: [{topic_arn: x, sigv4: {access_key: k}}]", 37, "give both or neither"),
    _receiver(
        "webex without a room",
        "webex_configs: [{http_config: {authorization: {credentials: c}}}]",
        17,
        "there is no room_id",
    ),
    _receiver("webex without a token", "webex_configs: [{room_id: c}]", 17, "there is no http_config.authorization"),
    _receiver("wechat without a secret", "wechat_configs: [{corp_id: c}]", 18, "there is no api_secret"),
    _receiver("wechat without a corporation", "wechat_configs: [{api_secret: c}]", 18, "there is no corp_id"),
    _receiver(
        "wechat kind", "wechat_configs: [{api_secret: c, corp_id: c, message_type: loud}]", 60, "message_type is 'loud'"
    ),
    _receiver(
        "discord without an address", "discord_configs: [{title: x}]", 19, "there is no webhook_url", since="0.26"
    ),
    _receiver("msteams without an address", "msteams_configs: [{title: x}]", 19, "there is no webhook_url"),
    _receiver("mattermost without an address", "mattermost_configs: [{text: x}]", 22, "there is no webhook_url"),
    _receiver("rocketchat without a token", "rocketchat_configs: [{token_id: x}]", 22, "there is no token"),
    _receiver(
        "incidentio without a token", "incidentio_configs: [{url: 'http://x/'}]", 22, "there is no alert_source_token"
    ),
)
