"""What only some nouns can do: each command asks what the API knows, and says the answer in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.commands.asking import DELETED, answer, asked, page, serving, tocsin

ALERT = {
    "fingerprint": "0123456789abcdef",
    "labels": {"alertname": "HighCpu", "team": "db"},
    "state": "firing",
    "value": 91.5,
    "active_at": "2026-11-21T11:00:00Z",
    "fired_at": "2026-11-21T11:05:00Z",
    "muted_by": [{"kind": "silence", "id": "s1", "until": None}],
}
SILENCE = {
    "id": "s1",
    "matchers": [{"name": "team", "value": "db", "operator": "="}],
    "ends_at": "2026-11-21T14:00:00Z",
    "matched_alerts": 1,
    "state": "active",
    "note": "It closes no incident.",
}
TEAM_DB = [{"name": "team", "operator": "=", "value": "db"}]
ROUTES = [
    {"id": "root", "parent_id": None, "position": 0, "receiver": "default", "channels": ["slack"], "matchers": []},
    {"id": "late", "parent_id": "root", "position": 2, "receiver": "", "channels": None, "matchers": []},
    {
        "id": "db",
        "parent_id": "root",
        "position": 1,
        "receiver": "dba",
        "continue": True,
        "matchers": [{"name": "team", "value": "db", "operator": "="}],
    },
    {
        "id": "page",
        "parent_id": "db",
        "position": 0,
        "receiver": "",
        "channels": ["pagerduty"],
        "matchers": [{"name": "severity", "value": "x|y", "operator": "=~"}],
    },
]


def test_a_rule_is_patched_by_field() -> None:
    with serving({"PATCH /rules/cpu": answer({"id": "cpu"})}) as server:
        told = tocsin(
            "rules", "patch", "cpu", "threshold=95", "for=10m", "enabled=false", "labels.team=db", "expr=null",
            'name="5"', "annotations.a.b=x=y", "labels.x=1", url=server.url,
        )  # fmt: skip
    assert told.out == "rule cpu changed\n"
    assert server.requests[0].json == {
        "threshold": 95,
        "for": "10m",
        "enabled": False,
        "labels": {"team": "db", "x": 1},
        "expr": None,
        "name": "5",
        "annotations": {"a.b": "x=y"},
    }


@pytest.mark.parametrize("texts", [("threshold",), ("=5",), ("labels=null", "labels.a=b")], ids=" ".join)
def test_a_patch_that_says_nothing_clear_is_refused(texts: tuple[str, ...]) -> None:
    assert tocsin("rules", "patch", "cpu", *texts).status == 2


def test_an_evaluation_is_told_with_its_alerts() -> None:
    found = {"sample_count": 1, "alert_count": 1, "alerts": [ALERT], "warning": None, "error": None}
    with serving({"POST /rules/cpu/evaluate": answer({**found, "problems": [], "first_page_after": "30s"})}) as server:
        told = tocsin("rules", "evaluate", "cpu", url=server.url)
    assert told.status == 0
    assert told.out.startswith("returns 1 sample now, which make 1 alert\nits first page can go out after 30s\n")
    assert "0123456789abcdef  firing" in told.out


def test_an_evaluation_that_fails_ends_with_1() -> None:
    found = {"sample_count": 0, "alert_count": 0, "alerts": [], "warning": None, "error": "connection refused"}
    with serving({"POST /rules/cpu/evaluate": answer({**found, "problems": [], "first_page_after": "30s"})}) as server:
        told = tocsin("rules", "evaluate", "cpu", url=server.url)
    assert told.status == 1
    assert "error: cannot be evaluated now: connection refused\n" in told.out


def test_versions_are_listed_and_one_is_taken_back() -> None:
    changes = [{"field": "threshold", "before": 90.0, "after": 95.0}]
    version = {
        "version": 2,
        "operation": "update",
        "author": "key:ci",
        "at": "2026-11-21T11:00:00Z",
        "changes": changes,
    }
    answers = {"GET /rules/cpu/versions": page(version), "POST /rules/cpu/restore": answer({"id": "cpu"})}
    with serving(answers) as server:
        listed = tocsin("rules", "versions", "cpu", url=server.url)
        restored = tocsin("rules", "restore", "cpu", "--version", "2", url=server.url)
    assert listed.out.splitlines()[1].endswith("update     key:ci  threshold: 90 → 95")
    assert restored.out == "rule cpu restored to version 2\n"
    assert server.requests[1].json == {"version": 2}


def test_thresholds_hang_on_their_rule() -> None:
    path = "/rules/cpu/thresholds"
    answers = {
        f"GET {path}": page({"id": "t1", "matchers": TEAM_DB, "threshold": 95.0}),
        f"GET {path}/t1": answer({"id": "t1"}),
        f"PUT {path}/t1": answer({"id": "t1"}),
        f"POST {path}": answer({"id": "t2"}, status=201),
        f"DELETE {path}/t1": DELETED,
    }
    with serving(answers) as server:
        listed = tocsin("thresholds", "list", "cpu", url=server.url)
        tocsin("thresholds", "get", "cpu", "t1", url=server.url)
        applied = tocsin("thresholds", "apply", "cpu", "-f", "-", url=server.url, stdin="[{id: t1}, {threshold: 5}]")
        deleted = tocsin("thresholds", "delete", "cpu", "t1", url=server.url)
    assert 't1  team="db"  95' in listed.out
    assert applied.out == "threshold t1 applied\nthreshold t2 created\n"
    assert deleted.out == "threshold t1 deleted\n"


LEVEL = {"severity": "critical", "threshold": 95.0, "recovery_threshold": 85.0, "active": True}
EFFECTIVE = {
    "series_count": 3,
    "series": [
        {
            "labels": {"team": "db"},
            "value": 96.5,
            "levels": [
                {**LEVEL, "threshold_id": "t1", "why": "the only row that matches"},
                {**LEVEL, "severity": "warning", "threshold_id": None, "why": "no row matches", "active": False},
            ],
        }
    ],
    "idle": ["t2"],
    "error": None,
}


def test_what_governs_each_series_is_a_table() -> None:
    with serving({"GET /rules/cpu/thresholds/effective": answer(EFFECTIVE)}) as server:
        told = tocsin("thresholds", "effective", "cpu", "--limit", "1", url=server.url)
    assert asked(server) == ["GET /rules/cpu/thresholds/effective?limit=1"]
    assert told.out.splitlines() == [
        "LABELS   VALUE  SEVERITY  THRESHOLD  RECOVERY  ACTIVE  BY        WHY",
        "team=db  96.5   critical  95         85        true    t1        the only row that matches",
        "team=db  96.5   warning   95         85        false   the rule  no row matches",
    ]
    assert told.err == "and 2 more series; --limit shows more of them\nthresholds that govern nothing now: t2\n"


def test_what_governs_cannot_be_told_while_the_datasource_is_away() -> None:
    away = {"series_count": 0, "series": [], "idle": [], "error": "connection refused"}
    with serving({"GET /rules/cpu/thresholds/effective": answer(away)}) as server:
        told = tocsin("thresholds", "effective", "cpu", url=server.url)
    assert (told.status, told.out) == (1, "")
    assert told.err == "tocsin: rule cpu cannot be asked now: connection refused\n"


def test_rules_are_filtered_by_the_server() -> None:
    with serving({"GET /rules": page()}) as server:
        tocsin("rules", "list", "--team", "db", "--health", "err", "--name", "Cpu", "--origin", "sql", url=server.url)
    assert asked(server) == ["GET /rules?name=Cpu&team=db&health=err&origin=sql&limit=500"]


def test_a_time_interval_is_told_in_a_line() -> None:
    times = [{"start_time": "09:00", "end_time": "17:00"}]
    hours = {"times": times, "weekdays": ["monday:friday"], "location": "Europe/Berlin"}
    item = {"name": "office", "time_intervals": [hours, {"months": ["december"]}, {}]}
    with serving({"GET /time_intervals": page(item)}) as server:
        told = tocsin("time-intervals", "list", url=server.url)
    assert told.out.splitlines()[1] == "office  monday:friday 09:00-17:00 Europe/Berlin; december; always"


@pytest.mark.parametrize(
    ("delivered", "status", "words"),
    [(True, 0, "channel slack: delivered: ok"), (False, 1, "channel slack: not delivered (unconfigured): no url")],
)
def test_a_test_message_says_whether_it_arrived(delivered: bool, status: int, words: str) -> None:
    detail = "ok" if delivered else "no url"
    body = {"delivered": delivered, "outcome": "delivered" if delivered else "unconfigured", "detail": detail}
    with serving({"POST /channels/slack/test": answer(body)}) as server:
        told = tocsin("channels", "test", "slack", url=server.url)
    assert (told.status, told.out) == (status, f"{words}\n")


def test_the_tree_is_drawn_as_amtool_draws_it() -> None:
    with serving({"GET /routes": page(*ROUTES)}) as server:
        told = tocsin("routes", "show", url=server.url)
    assert told.out.splitlines() == [
        "Routing tree:",
        ".",
        "└── default-route  receiver: default  channels: slack  id: root",
        '    ├── {team="db"}  continue: true  receiver: dba  id: db',
        '    │   └── {severity=~"x|y"}  channels: pagerduty  id: page',
        "    └── {}  id: late",
    ]


def test_the_way_of_an_alert_is_told_step_by_step() -> None:
    tried = [
        {"route_id": "root", "depth": 0, "verdict": "passed on", "why": "routes below it take the alert"},
        {"route_id": "db", "depth": 1, "verdict": "taken", "why": "it matches"},
    ]
    policy = {"route_id": "db", "receiver": "dba", "channels": ["slack"], "group_labels": {"alertname": "X"}}
    policies = [{**policy, "group_wait": "30s", "repeat_interval": "4h", "mute_time_intervals": ["nights", "lunch"]}]
    with serving({"POST /routes/test": answer({"tried": tried, "policies": policies})}) as server:
        told = tocsin("routes", "test", "team=db", "alertname=X", url=server.url)
    assert server.requests[0].json == {"labels": {"team": "db", "alertname": "X"}}
    assert told.out.splitlines() == [
        "TRIED  VERDICT    WHY",
        "root   passed on  routes below it take the alert",
        "  db   taken      it matches",
        "",
        "TAKEN BY  RECEIVER  CHANNELS  GROUP        WAIT  REPEAT",
        "db        dba       slack     alertname=X  30s   4h",
        "route db is quiet within nights, lunch",
    ]


def test_a_whole_tree_is_put_in_one_step() -> None:
    changes = [{"id": "old", "operation": "delete", "changes": []}]
    with serving({"PUT /routes": answer({"dry_run": True, "changes": changes, "items": ROUTES})}) as server:
        told = tocsin(
            "routes", "apply", "--tree", "--dry-run", "-f", "-", url=server.url, stdin="[{id: root}, {id: a}]"
        )
    assert asked(server) == ["PUT /routes?dry_run=true"]
    assert server.requests[0].json == {"items": [{"id": "root"}, {"id": "a"}]}
    assert told.out == "route old would be deleted\nthe tree would have 4 routes\n"


def test_a_silence_is_asked_for_and_says_what_it_covers() -> None:
    with serving({"POST /silences": answer(SILENCE, status=201)}) as server:
        told = tocsin("silences", "add", "HighCpu", "team=db", "-d", "2h", "-c", "works", url=server.url)
    matchers = [{"name": "alertname", "operator": "=", "value": "HighCpu"}, *TEAM_DB]
    assert server.requests[0].json == {"matchers": matchers, "duration": "2h", "comment": "works"}
    assert told.out == "silence s1 covers 1 alert now, until 2026-11-21T14:00:00Z\n"
    assert told.err == "It closes no incident.\n"


def test_a_silence_can_be_tried() -> None:
    would = {
        "dry_run": True,
        "operation": "create",
        "changes": [],
        "problems": [],
        "result": {**SILENCE, "matched_alerts": 0},
    }
    with serving({"POST /silences": answer(would)}) as server:
        told = tocsin("silences", "add", "team=db", "--dry-run", url=server.url)
    assert asked(server) == ["POST /silences?dry_run=true"]
    assert (told.out, told.err) == ("silence would cover 0 alerts now, until 2026-11-21T14:00:00Z\n", "")


def test_silences_that_are_over_are_listed_only_when_asked_for() -> None:
    over = {**SILENCE, "id": "s0", "state": "expired"}
    with serving({"GET /silences": page(over, SILENCE)}) as server:
        now = tocsin("silences", "list", "-o", "json", url=server.url).json
        then = tocsin("silences", "list", "-o", "json", "--state", "expired", "--limit", "1", url=server.url).json
    assert [one["id"] for one in (*now, *then)] == ["s1", "s0"]


LONG = {**SILENCE, "id": "3fa85f640a1b4c2d8e9f00112233445566"[:32]}


def test_a_silence_goes_by_the_beginning_of_its_id_where_no_other_begins_so() -> None:
    other = {**SILENCE, "id": "3fa8" + "0" * 28}
    answers = {"GET /silences": page(LONG, other), f"GET /silences/{LONG['id']}": answer(LONG)}
    with serving({**answers, f"DELETE /silences/{LONG['id']}": answer(LONG)}) as server:
        found = tocsin("silences", "get", "3fa85f64", "-o", "json", url=server.url)
        ended = tocsin("silences", "expire", "3fa85f64", url=server.url)
        vague = tocsin("silences", "get", "3fa8", url=server.url)
        unknown = tocsin("silences", "get", "beef0000", url=server.url)
    assert (found.json["id"], ended.status) == (LONG["id"], 0)
    assert (vague.status, "2 silences begin with '3fa8': 3fa80000" in vague.err, "write more" in vague.err) == (
        2,
        True,
        True,
    )
    assert asked(server)[-1] == "GET /silences/beef0000"
    assert unknown.status == 1


def test_the_list_says_with_what_a_silence_ends_and_within_what_it_holds() -> None:
    resolving = {**SILENCE, "until_resolved": True, "ends_at": "2099-01-01T00:00:00Z"}
    nightly = {**SILENCE, "time_intervals": ["nights"], "ends_at": "2099-01-01T00:00:00Z"}
    over = {**SILENCE, "until_resolved": True, "state": "expired"}
    with serving({"GET /silences": page(resolving, nightly, over)}) as server:
        now = tocsin("silences", "list", url=server.url).out
        then = tocsin("silences", "list", "--state", "expired", url=server.url).out
    first, second = now.splitlines()[1:]
    assert "when resolved, in " in first
    assert " at the latest" in first
    assert ", within nights only" in second
    assert "when resolved" not in then


def test_silences_are_ended_without_a_question() -> None:
    with serving({"DELETE /silences/s1": answer(SILENCE), "DELETE /silences/s2": answer(SILENCE)}) as server:
        told = tocsin("silences", "expire", "s1", "s2", url=server.url)
    assert told.out == "silence s1 expired\nsilence s2 expired\n"


def test_a_preview_shows_the_alerts_that_would_be_covered() -> None:
    with serving(
        {
            "POST /silences/preview": answer(
                {"matched_alerts": 1, "active_alerts": 1, "alerts": [ALERT], "warning": "it is all"}
            )
        }
    ) as server:
        told = tocsin("silences", "preview", "team=db", url=server.url)
    assert server.requests[0].json == {"matchers": TEAM_DB}
    assert told.out.startswith("covers 1 alert now\n")
    assert "0123456789abcdef" in told.out
    assert told.err == "warning: it is all\n"


def test_alerts_are_filtered_by_the_server() -> None:
    with serving({"GET /alerts": page(ALERT)}) as server:
        told = tocsin(
            "alerts", "list", "team=db", "HighCpu", "--state", "firing", "--rule", "cpu", url=server.url
        )  # fmt: skip
    (request,) = asked(server)
    assert request == (
        "GET /alerts?filter=team%3Ddb&filter=alertname%3D%22HighCpu%22&state=firing&rule_id=cpu&limit=500"
    )
    assert told.out.splitlines()[0].split() == [
        "FINGERPRINT",
        "STATE",
        "NAME",
        "LABELS",
        "VALUE",
        "SINCE",
        "MUTED",
        "BY",
    ]
    assert "0123456789abcdef  firing  HighCpu  team=db  91.5" in told.out
    assert told.out.endswith("silence s1\n")


def test_one_alert_is_silenced() -> None:
    fingerprint = str(ALERT["fingerprint"])
    answers = {
        f"GET /alerts/{fingerprint}": answer(ALERT),
        f"POST /alerts/{fingerprint}/silence": answer(SILENCE, status=201),
    }
    with serving(answers) as server:
        assert tocsin("alerts", "get", fingerprint, url=server.url).status == 0
        told = tocsin("alerts", "silence", fingerprint, "--duration", "30m", url=server.url)
    assert server.requests[1].json == {"duration": "30m"}
    assert told.out.startswith("silence s1 covers 1 alert now")


def test_notifications_are_filtered_and_show_their_last_attempt() -> None:
    attempts = [
        {"at": "2026-11-21T11:00:00Z", "outcome": "retry", "error": "timeout"},
        {"at": "2026-11-21T11:01:00Z", "outcome": "retry", "error": "rate_limited: HTTP 429"},
    ]
    item = {
        "id": 7,
        "channel": "email",
        "recipient": "a@b",
        "reason": "repeat",
        "outcome": "retry",
        "attempts": attempts,
    }
    with serving({"GET /notifications": page(item)}) as server:
        told = tocsin("notifications", "list", "--channel", "slack", "--outcome", "retry", url=server.url)
    assert asked(server) == ["GET /notifications?channel=slack&outcome=retry&limit=500"]
    assert told.out.splitlines()[1].split(maxsplit=7) == [
        "7", "-", "email", "a@b", "repeat", "retry", "2", "-     rate_limited: HTTP 429",
    ]  # fmt: skip


PREVIEW = {"text": "[FIRING:1] HighCpu\n\x1b[31mred", "problems": [], "payload": {}}


def test_a_message_is_shown_and_nothing_in_it_steers_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "text.tmpl").write_text("{{ .Receiver }}")
    with serving({"POST /channels/slack/preview": answer(PREVIEW)}) as server:
        told = tocsin(
            "channels", "preview", "slack", "--alert", "0123456789abcdef", "--resolved", "--template", "title=a=b",
            "--template", f"text=@{tmp_path}/text.tmpl", url=server.url,
        )  # fmt: skip
    assert (told.status, told.out) == (0, "[FIRING:1] HighCpu\n\\x1b[31mred\n")
    assert server.requests[0].json == {
        "fingerprint": "0123456789abcdef",
        "resolved": True,
        "templates": {"title": "a=b", "text": "{{ .Receiver }}"},
    }


def test_a_template_that_fails_is_told_on_stderr_with_1() -> None:
    body = {**PREVIEW, "problems": ["template 'title' of this channel failed: line 1, column 4: no"]}
    with serving({"POST /channels/slack/preview": answer(body)}) as server:
        told = tocsin("channels", "preview", "slack", url=server.url)
    assert (told.status, told.err) == (1, "tocsin: template 'title' of this channel failed: line 1, column 4: no\n")


@pytest.mark.parametrize("template", ["title", "=x", "title=@/nowhere/at/all"])
def test_a_template_that_is_none_is_told_of_and_nothing_is_asked(template: str) -> None:
    assert tocsin("channels", "preview", "slack", "--template", template).status == 2
