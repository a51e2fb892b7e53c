"""What every declared noun has: lists to their end, one object, declaring from files, deleting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.commands.asking import DELETED, answer, asked, page, problem, serving, tocsin

RULE = {"id": "cpu", "name": "HighCpu", "severity": "critical", "version": 1}
CREATED = {
    **RULE,
    "problems": [{"severity": "warning", "field": "labels", "message": "looks odd", "position": None}],
    "first_evaluation": {"sample_count": 3, "alert_count": 1, "alerts": [], "warning": None, "error": None},
    "first_page_after": "6m30s",
}
WOULD = {
    "dry_run": True,
    "operation": "replace",
    "changes": [
        {"field": "threshold", "before": 90.0, "after": 95.0},
        {"field": "labels", "before": {}, "after": {"team": "db"}},
        {"field": "group", "before": None, "after": ""},
    ],
    "problems": [],
    "result": RULE,
}
REFUSAL = problem(422, "1 field is wrong; nothing was changed", {"field": "expr", "message": "does not parse"})


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("rules", "/rules"),
        ("channels", "/channels"),
        ("routes", "/routes"),
        ("inhibit-rules", "/inhibit_rules"),
        ("time-intervals", "/time_intervals"),
        ("datasources", "/datasources"),
    ],
)
def test_every_declared_noun_is_found_at_its_path(command: str, path: str) -> None:
    answers = {f"GET {path}": page(), f"GET {path}/a%2Fb": answer({"name": "a/b"}), f"DELETE {path}/x": DELETED}
    key = "name" if command in ("channels", "time-intervals", "datasources") else "id"
    with serving({**answers, f"PUT {path}/x": answer({key: "x"}, status=201)}) as server:
        statuses = [
            tocsin(command, "list", url=server.url).status,
            tocsin(command, "get", "a/b", url=server.url).status,
            tocsin(command, "apply", "-f", "-", url=server.url, stdin=f"{key}: x").status,
            tocsin(command, "delete", "x", url=server.url).status,
        ]
    assert statuses == [0, 0, 0, 0]
    assert server.requests[2].json == {key: "x"}


def test_a_list_is_read_to_its_end() -> None:
    pages = [page({"id": "a"}, {"id": "b"}, next_cursor="b"), page({"id": "c"})]
    with serving({"GET /rules": pages}) as server:
        told = tocsin("rules", "list", "-o", "json", url=server.url)
    assert told.json == [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    assert asked(server) == ["GET /rules?limit=500", "GET /rules?limit=500&cursor=b"]


def test_a_limit_asks_for_no_more_than_is_shown() -> None:
    pages = [page({"id": "a"}, {"id": "b"}, next_cursor="b"), page({"id": "c"}, next_cursor="c")]
    with serving({"GET /rules": pages}) as server:
        told = tocsin("rules", "list", "-o", "json", "--limit", "3", url=server.url)
    assert [one["id"] for one in told.json] == ["a", "b", "c"]
    assert asked(server) == ["GET /rules?limit=3", "GET /rules?limit=1&cursor=b"]


def test_a_list_that_breaks_off_ends_with_1() -> None:
    with serving({"GET /rules": [page({"id": "a"}, next_cursor="a"), problem(503, "the database is away")]}) as server:
        told = tocsin("rules", "list", "-o", "yaml", url=server.url)
    assert (told.status, told.out, told.err) == (1, "- id: a\n", "tocsin: the database is away\n")


def test_one_object_is_told_field_by_field() -> None:
    rule = {**RULE, "labels": {"team": "db", "a": "b"}, "status": {"health": "ok", "problems": []}}
    with serving({"GET /rules/cpu": answer(rule)}) as server:
        told = tocsin("rules", "get", "cpu", url=server.url)
    assert "name             HighCpu\n" in told.out
    assert "labels           team=db\n                 a=b\n" in told.out
    assert "status.health    ok\n" in told.out


def test_what_is_missing_ends_with_1() -> None:
    with serving({"GET /rules/x": problem(404, "there is no rule 'x'")}) as server:
        told = tocsin("rules", "get", "x", url=server.url)
    assert (told.status, told.out, told.err) == (1, "", "tocsin: there is no rule 'x'\n")


def test_an_object_without_a_key_is_posted_and_its_first_evaluation_told() -> None:
    with serving({"POST /rules": answer(CREATED, status=201)}) as server:
        told = tocsin("rules", "apply", "-f", "-", url=server.url, stdin="name: HighCpu\nfor: 5m\n")
    assert server.requests[0].json == {"name": "HighCpu", "for": "5m"}
    assert (told.status, told.out.splitlines()) == (
        0,
        [
            "rule cpu created",
            "  warning: labels: looks odd",
            "  returns 3 samples now, which make 1 alert",
            "  its first page can go out after 6m30s",
        ],
    )


def test_a_refusal_keeps_no_other_object_back(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("- id: a\n- id: bad\n")
    (tmp_path / "b.json").write_text('{"id": "b"}')
    answers = {"PUT /rules/a": answer(RULE), "PUT /rules/bad": REFUSAL, "PUT /rules/b": answer(RULE, status=201)}
    with serving(answers) as server:
        told = tocsin("rules", "apply", "-f", f"{tmp_path}/a.yml", "-f", f"{tmp_path}/b.json", url=server.url)
    assert told.status == 1
    assert told.out == "rule a applied\nrule b created\n"
    assert told.err.splitlines() == [
        "tocsin: rule bad: 1 field is wrong; nothing was changed",
        "  expr: does not parse",
    ]


def test_a_dry_run_tells_the_differences_and_sends_nothing_else() -> None:
    with serving({"PUT /rules/cpu": answer(WOULD)}) as server:
        told = tocsin("rules", "apply", "-f", "-", "--dry-run", url=server.url, stdin="id: cpu")
    assert asked(server) == ["PUT /rules/cpu?dry_run=true"]
    assert told.out.splitlines() == ["rule cpu would be changed", "  threshold: 90 → 95", "  labels: - → team=db"]


def test_what_is_like_that_already_is_said_so() -> None:
    same = {"dry_run": True, "operation": "nothing", "changes": [], "problems": []}
    with serving({"PUT /rules/cpu": answer(same)}) as server:
        told = tocsin("rules", "apply", "-f", "-", "--dry-run", url=server.url, stdin="id: cpu")
    assert told.out == "rule cpu is like that already\n"


def test_a_script_gets_every_outcome_as_one_document() -> None:
    with serving({"PUT /rules/a": answer(RULE), "PUT /rules/bad": REFUSAL}) as server:
        told = tocsin("rules", "apply", "-f", "-", "-o", "json", url=server.url, stdin="[{id: a}, {id: bad}]")
    assert told.status == 1
    assert [(one["key"], one["outcome"]) for one in told.json] == [("a", "applied"), ("bad", "refused")]
    assert told.json[0]["answer"] == RULE
    assert told.json[1]["answer"]["errors"] == [{"field": "expr", "message": "does not parse"}]


def test_a_server_that_goes_away_ends_it_there() -> None:
    with serving({"PUT /rules/a": answer(RULE)}) as server:
        url = server.url
    told = tocsin("rules", "apply", "-f", "-", url=url, stdin="[{id: a}, {id: b}]")
    assert (told.status, told.out, told.err.count("nobody answers")) == (1, "", 1)


def test_a_key_that_is_no_text_is_refused_before_it_is_sent() -> None:
    told = tocsin("rules", "apply", "-f", "-", stdin="id: 5")
    assert (told.status, told.err) == (2, "tocsin: rule number 1: id 5 is no text; put it in quotes\n")


def test_what_was_got_can_be_applied_again() -> None:
    rule = {**RULE, "for": "5m", "expr": "up == 0", "labels": {"on": "off"}, "threshold": 1e-05}
    with serving({"GET /rules/cpu": answer(rule), "PUT /rules/cpu": answer(rule)}) as server:
        got = tocsin("rules", "get", "cpu", "-o", "yaml", url=server.url).out
        tocsin("rules", "apply", "-f", "-", url=server.url, stdin=got)
    assert server.requests[1].json == rule


def test_deleting_goes_on_after_what_is_missing() -> None:
    with serving({"DELETE /rules/a": DELETED, "DELETE /rules/b": DELETED}) as server:
        told = tocsin("rules", "delete", "a", "nonesuch", "b", url=server.url)
    assert (told.status, told.out) == (1, "rule a deleted\nrule b deleted\n")
    assert told.err.startswith("tocsin: rule nonesuch: ")


def test_a_dry_run_of_a_delete_deletes_nothing() -> None:
    would = {"dry_run": True, "operation": "delete", "changes": [], "problems": []}
    with serving({"DELETE /rules/a": answer(would)}) as server:
        told = tocsin("rules", "delete", "a", "--dry-run", url=server.url)
    assert asked(server) == ["DELETE /rules/a?dry_run=true"]
    assert told.out == "rule a would be deleted\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("rules", "lst"),
        ("rules", "get"),
        ("rules", "list", "-o", "xml"),
        ("rules", "list", "--limit", "0"),
        ("rules", "apply"),
    ],
    ids=" ".join,
)
def test_a_command_that_is_typed_wrong_ends_with_2(arguments: tuple[str, ...]) -> None:
    told = tocsin(*arguments)
    assert (told.status, told.out) == (2, "")


def test_the_exit_codes_are_in_the_help() -> None:
    assert "Exit codes: 0 done; 1 failed" in tocsin("rules", "--help").out
    assert "Exit codes: 0 done; 1 failed" in tocsin("--help").out


def test_json_is_what_the_api_answered() -> None:
    with serving({"GET /rules/cpu": answer(CREATED)}) as server:
        told = tocsin("rules", "get", "cpu", "-o", "json", url=server.url)
    assert told.out == json.dumps(CREATED, indent=2) + "\n"
