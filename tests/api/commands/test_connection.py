"""The way to the server: address and key, what is never done with the key, and the line for everything that goes wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from api.commands.connection import Connection, connection, segment
from api.commands.failures import UnreachableError, UsageError
from tests.api.commands.asking import answer, page, problem, serving, tocsin
from tests.delivery.certificates import self_signed, server_context
from tests.servers import Request, Response, ScriptedServer

KEY = "0123456789abcdef"


def test_the_key_of_the_environment_goes_along() -> None:
    with serving({"GET /rules": page()}) as server:
        tocsin("rules", "list", url=server.url, TOCSIN_API_KEY=f" {KEY} ")
        tocsin("rules", "list", url=server.url)
    assert [request.headers.get("authorization") for request in server.requests] == [f"Bearer {KEY}", None]


def test_the_address_given_beats_that_of_the_environment() -> None:
    with serving({"GET /rules": page()}) as server:
        assert tocsin("rules", "list", "--url", f"{server.url}/").status == 0
    assert server.requests[0].path.startswith("/api/v1/rules?")


def test_an_address_may_have_a_path() -> None:
    with ScriptedServer(lambda _: page()) as server:
        tocsin("rules", "list", url=f"{server.url}/tocsin/")
    assert server.requests[0].path.startswith("/tocsin/api/v1/rules?")


def test_nobody_there_is_one_line_that_says_what_to_do() -> None:
    told = tocsin("rules", "list", url="http://127.0.0.1:1")
    assert (told.status, told.out) == (1, "")
    assert told.err == (
        "tocsin: nobody answers at http://127.0.0.1:1 (connection refused): "
        "start one with tocsin serve, or set TOCSIN_URL to where it is\n"
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("127.0.0.1:9099", "write one such as http://127.0.0.1:9099", id="no-scheme"),
        pytest.param("ftp://h", "write one such as", id="another-scheme"),
        pytest.param("http://h:99999", "write one such as", id="no-port"),
        pytest.param("http://user:secret@h", "the key is not in it but in TOCSIN_API_KEY", id="a-password"),
        pytest.param("http://h/?key=secret", "the key is not in it but in TOCSIN_API_KEY", id="a-query"),
    ],
)
def test_what_is_no_address_is_refused(url: str, words: str) -> None:
    told = tocsin("rules", "list", url=url)
    assert (told.status, told.err.count("\n")) == (2, 1)
    assert told.err.startswith("tocsin: TOCSIN_URL: ")
    assert words in told.err
    assert "secret" not in told.err


def test_a_wrong_address_on_the_command_line_is_called_by_its_option() -> None:
    assert tocsin("rules", "list", "--url", "nowhere").err.startswith("tocsin: --url: 'nowhere' is no address")


def test_a_key_no_header_can_hold_is_refused_and_not_shown() -> None:
    told = tocsin("rules", "list", TOCSIN_API_KEY="two wörds")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("tocsin: TOCSIN_API_KEY: ")
    assert "wörds" not in told.err


def test_a_redirect_is_not_followed_lest_it_carry_the_key_away() -> None:
    with (
        serving({}) as other,
        ScriptedServer(lambda _: Response(status=302, headers={"Location": other.url})) as server,
    ):
        told = tocsin("rules", "list", url=server.url, TOCSIN_API_KEY=KEY)
        assert (told.status, other.requests) == (1, [])
        assert f"sends on to {other.url}" in told.err


def test_no_proxy_stands_between_this_machine_and_itself() -> None:
    with serving({"GET /rules": page()}) as server:
        told = tocsin("rules", "list", url=server.url, HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1")
    assert told.status == 0


def test_a_proxy_is_used_to_reach_others() -> None:
    with ScriptedServer(lambda _: page()) as proxy:
        told = tocsin("rules", "list", url="http://tocsin.invalid", http_proxy=proxy.url, HTTP_PROXY=proxy.url)
    assert told.status == 0, told.err
    assert proxy.requests[0].path.startswith("http://tocsin.invalid/api/v1/rules")


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(Response(body=b"<html>It works!</html>"), id="a-page"),
        pytest.param(Response(status=502, body=b"Bad Gateway"), id="a-gateway"),
        pytest.param(answer({"error": "x"}, status=404), id="json-of-another"),
    ],
)
def test_an_answer_that_is_not_tocsins_says_so(response: Response) -> None:
    with ScriptedServer(lambda _: response) as server:
        told = tocsin("rules", "list", url=server.url)
    assert (told.status, told.err.count("\n")) == (1, 1)
    assert "not as Tocsin does: is TOCSIN_URL right?" in told.err


def test_a_list_that_never_ends_is_given_up() -> None:
    with serving({"GET /rules": page({"id": "a"}, next_cursor="a")}) as server:
        told = tocsin("rules", "list", url=server.url)
    assert told.status == 1
    assert "the same page again and again" in told.err


def test_every_wrong_field_has_its_line() -> None:
    refusal = problem(
        422,
        "2 fields are wrong; nothing was changed",
        {"field": "for", "value": "5x", "message": "is no duration", "fix": "write it like 5m"},
        {"field": "labels.team", "message": "is unknown"},
    )
    with serving({"POST /silences": refusal}) as server:
        told = tocsin("silences", "add", "team=db", url=server.url)
    assert (told.status, told.out) == (1, "")
    assert told.err.splitlines() == [
        "tocsin: 2 fields are wrong; nothing was changed",
        "  for: is no duration (value '5x'); write it like 5m",
        "  labels.team: is unknown",
    ]


def test_a_conflict_tells_what_differs() -> None:
    refusal = problem(409, "it was changed", difference=[{"field": "threshold", "current": 90, "yours": 95}])
    with serving({"PATCH /rules/cpu": refusal}) as server:
        told = tocsin("rules", "patch", "cpu", "threshold=95", url=server.url)
    assert told.err.splitlines()[1] == "  threshold: is 90, you send 95"


def test_a_refused_key_is_told_with_where_it_comes_from() -> None:
    with serving({"GET /rules": problem(401, "this needs a key")}) as server:
        told = tocsin("rules", "list", url=server.url, TOCSIN_API_KEY=KEY)
    assert (told.status, KEY in told.err) == (1, False)
    assert "this needs a key (tocsin sends the key that TOCSIN_API_KEY holds)" in told.err


def test_a_server_that_does_not_answer_in_time_is_left() -> None:
    def never(_: Request) -> Response:
        server.stopping.wait()
        return Response()

    with ScriptedServer(never) as server, pytest.raises(UnreachableError, match=r"no answer within 0\.05 s"):
        ask(server.url).get("/rules", within=timedelta(milliseconds=50))


def test_a_certificate_nobody_vouches_for_is_refused_and_the_setting_named(tmp_path: Path) -> None:
    pem = self_signed(tmp_path)
    with ScriptedServer(lambda _: page(), tls=server_context(pem)) as server:
        told = tocsin("rules", "list", url=server.url, REQUESTS_CA_BUNDLE="")
        known = tocsin("rules", "list", url=server.url, REQUESTS_CA_BUNDLE=str(pem))
    assert (told.status, known.status) == (1, 0)
    assert "REQUESTS_CA_BUNDLE" in told.err


@pytest.mark.parametrize(("key", "written"), [("a/b", "a%2Fb"), ("é ?#", "%C3%A9%20%3F%23"), ("rule:x", "rule%3Ax")])
def test_a_key_is_one_part_of_a_path(key: str, written: str) -> None:
    assert segment(key) == written


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_a_key_that_would_lead_elsewhere_in_the_path_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="is no id and no name"):
        segment(key)


def ask(url: str) -> Connection:
    return connection({"TOCSIN_URL": url})
