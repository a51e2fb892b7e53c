"""At a terminal: tables fit its width, colours only where they are wanted, and a question before anything is deleted."""

from __future__ import annotations

import pytest

from tests.api.commands.asking import DELETED, asked, page, serving, tocsin
from tests.api.commands.terminal import at_terminal

CHANNELS = ["slack-database-team", "pagerduty-database-team", "email-database-team"]
RULE = {
    "id": "node-cpu-high",
    "name": "HighCpu",
    "severity": "critical",
    "enabled": True,
    "notification_channels": CHANNELS,
    "status": {"state": "firing", "health": "ok", "last_evaluation_at": None},
}
QUIET = {**RULE, "id": "calm", "enabled": False, "notification_channels": []}


def test_a_table_fits_a_narrow_terminal_and_leaves_ids_whole() -> None:
    with serving({"GET /rules": page(RULE, QUIET)}) as server:
        seen = at_terminal("rules", "list", url=server.url, NO_COLOR="1")
    assert seen.status == 0
    assert max(map(len, seen.lines)) <= 80
    assert [line.split()[0] for line in seen.lines if not line.startswith(" ")] == ["ID", "node-cpu-high", "calm"]
    told = "".join(line[63:].strip() for line in seen.lines[1:-1])
    assert told.replace(" ", "") == ",".join(CHANNELS)


def test_a_narrow_terminal_leaves_out_what_can_be_spared() -> None:
    matchers = [{"name": "team", "value": "db", "operator": "="}]
    silence = {"id": "a" * 32, "state": "active", "matchers": matchers, "matched_alerts": 3, "created_by": "key:ci"}
    item = {**silence, "comment": "the database is being moved", "starts_at": None, "ends_at": None}
    with serving({"GET /silences": page(item)}) as server:
        narrow, wide = (at_terminal("silences", "list", url=server.url, width=width).lines[0] for width in (80, 120))
    assert narrow.split() == ["ID", "STATE", "MATCHERS", "ALERTS", "ENDS", "COMMENT"]
    assert wide.split()[-4:] == ["ENDS", "CREATED", "BY", "COMMENT"]


def test_a_wide_terminal_needs_one_line_per_rule() -> None:
    with serving({"GET /rules": page(RULE, QUIET)}) as server:
        seen = at_terminal("rules", "list", url=server.url, width=200, NO_COLOR="1")
    assert seen.lines == [
        "ID             NAME     SEVERITY  STATE     HEALTH  EVALUATED  CHANNELS",
        f"node-cpu-high  HighCpu  critical  firing    ok      -          {', '.join(CHANNELS)}",
        "calm           HighCpu  critical  disabled  ok      -          -",
    ]


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)], ids=["unset", "set"])
def test_colours_can_be_switched_off(no_color: str, coloured: bool) -> None:
    with serving({"GET /rules": page(RULE)}) as server:
        seen = at_terminal("rules", "list", url=server.url, NO_COLOR=no_color)
    assert ("\x1b[31mfiring" in seen.text) is coloured


def test_what_goes_to_no_terminal_has_neither_colours_nor_a_width() -> None:
    long = {**RULE, "name": "x" * 300}
    with serving({"GET /rules": page(long)}) as server:
        told = tocsin("rules", "list", url=server.url, COLUMNS="80")
    assert "\x1b" not in told.out
    assert len(told.out.splitlines()) == 2
    assert "x" * 300 in told.out
    assert all(line == line.rstrip() for line in told.out.splitlines())


def test_a_label_cannot_steer_the_terminal() -> None:
    with serving({"GET /rules": page({**RULE, "name": "a\x1b[2Jb"})}) as server:
        seen = at_terminal("rules", "list", url=server.url, NO_COLOR="1")
    assert "a\\x1b[2Jb" in seen.text


def test_an_empty_list_is_a_remark_and_no_output() -> None:
    with serving({"GET /rules": page()}) as server:
        told = tocsin("rules", "list", url=server.url)
        documents = [tocsin("rules", "list", "-o", form, url=server.url).out for form in ("json", "yaml")]
    assert (told.status, told.out, told.err) == (0, "", "no rules\n")
    assert documents == ["[]\n", "[]\n"]


@pytest.mark.parametrize(("typed", "status", "requests"), [("n\n", 1, []), ("y\n", 0, ["DELETE /rules/cpu"])])
def test_deleting_asks_first(typed: str, status: int, requests: list[str]) -> None:
    with serving({"DELETE /rules/cpu": DELETED}) as server:
        seen = at_terminal("rules", "delete", "cpu", url=server.url, typed=typed)
        assert (seen.status, asked(server)) == (status, requests)
    assert "Delete rule cpu? [y/N]" in seen.text


def test_deleting_asks_nothing_when_told_so() -> None:
    with serving({"DELETE /rules/cpu": DELETED}) as server:
        assert at_terminal("rules", "delete", "cpu", "--yes", url=server.url).lines == ["rule cpu deleted"]
