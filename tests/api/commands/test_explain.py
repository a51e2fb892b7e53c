"""`tocsin explain`: whom it asks, and how it tells the answer."""

from __future__ import annotations

import json

import pytest

from tests.api.commands.asking import answer, asked, problem, serving, tocsin

STEP = {"at": "2026-11-21T11:00:00.5Z", "kind": "decision", "reason": "slack is told\x1b", "subject": {}, "detail": {}}
TOLD = {"verdict": "already_told", "summary": "Busy fires.", "steps": [STEP], "next": {"at": None, "action": "nothing"}}


def test_a_fingerprint_is_asked_for_as_of_a_moment() -> None:
    with serving({"GET /alerts/70efa86a4f307ec4/explain": answer(TOLD)}) as server:
        told = tocsin("explain", "70efa86a4f307ec4", "--at", "2026-11-21T12:00:00Z", url=server.url)
    assert asked(server) == ["GET /alerts/70efa86a4f307ec4/explain?at=2026-11-21T12%3A00%3A00Z"]
    assert told.out.splitlines() == [
        "ALREADY TOLD: Busy fires.",
        "",
        "2026-11-21 11:00:00Z  decision    slack is told\\x1b",
        "",
        "next: nothing",
    ]


def route(name: str, verdict: str, why: str) -> dict[str, object]:
    reason = f"route '{name}' {verdict}: {why}"
    return {**STEP, "kind": "route", "reason": reason, "subject": {"id": name}, "detail": {"verdict": verdict}}


def test_routes_that_one_after_the_other_were_not_tried_share_a_line() -> None:
    steps = [
        route("a", "not tried", "'x' took it"),
        route("b", "taken", "it matches"),
        route("c", "not tried", "route 'b': it took it"),
        route("d", "not tried", "route 'b': it took it"),
    ]
    with serving({"POST /explain": answer({**TOLD, "steps": steps, "next": None})}) as server:
        told = tocsin("explain", "Busy", url=server.url)
    assert [line.partition("  ")[2] for line in told.out.splitlines()[2:]] == [
        "route       route 'a' not tried: 'x' took it",
        "route       route 'b' taken: it matches",
        "route       routes 'c', 'd' not tried: route 'b': it took it",
    ]


def test_labels_are_sent_and_scripts_get_the_answer_itself() -> None:
    with serving({"POST /explain": answer({**TOLD, "next": None})}) as server:
        told = tocsin("explain", "Busy", "host=a", "-o", "json", url=server.url)
        plain = tocsin("explain", "Busy", "host=a", url=server.url)
    assert json.loads(server.requests[0].body) == {"labels": {"alertname": "Busy", "host": "a"}}
    assert told.json["verdict"] == "already_told"
    assert "next:" not in plain.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["Busy", "--at", "2026-11-21T12:00:00Z"], "--at needs the alert's fingerprint"), (["Busy", "=a"], "name=value")],
)
def test_what_cannot_be_asked_is_said_before_anybody_is(arguments: list[str], complaint: str) -> None:
    told = tocsin("explain", *arguments)
    assert told.status == 2
    assert complaint in told.err


def test_an_alert_that_does_not_exist_is_told() -> None:
    with serving({"GET /alerts/0000000000000000/explain": problem(404, "there is no alert")}) as server:
        told = tocsin("explain", "0000000000000000", url=server.url)
    assert (told.status, told.err) == (1, "tocsin: there is no alert\n")
