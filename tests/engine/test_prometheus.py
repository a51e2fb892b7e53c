"""The door to Prometheus over real HTTP: what is sent, and that every bad answer becomes one typed error."""

from __future__ import annotations

import json
import logging
import math
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from engine.core.alert import Sample
from engine.prometheus import Answer, Prometheus, QueryError, QueryErrorKind, Series
from engine.tls import Tls
from rules.labels import Labels
from tests.delivery.certificates import self_signed, server_context
from tests.servers import Request, Response, ScriptedServer

NOW = datetime(2026, 11, 21, 5, 0, 0, 123999, tzinfo=UTC)
AUTHORIZED = "Basic dXNlcjpww6Rzcw=="
"""user:päss in UTF-8."""


def vector(value: str = "1", **remarks: object) -> bytes:
    result = [{"metric": {"job": "a"}, "value": [1.0, value]}]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **remarks}).encode()


def stated(error_type: str, error: str) -> bytes:
    return json.dumps({"status": "error", "errorType": error_type, "error": error}).encode()


def answering(body: bytes, status: int = 200, **headers: str) -> Callable[[Request], Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: Response(status=status, body=body, headers=named)


def refused_by(server: ScriptedServer, **settings: Any) -> QueryError:
    with closing(Prometheus(server.url, **settings)) as prometheus, pytest.raises(QueryError) as caught:
        prometheus.query("up", NOW)
    return caught.value


@contextmanager
def asked(handler: Callable[[Request], Response], path: str = "", **settings: Any) -> Iterator[tuple[Any, Any]]:
    with ScriptedServer(handler) as server, closing(Prometheus(server.url + path, **settings)) as prometheus:
        yield prometheus, server


def test_a_query_is_a_form_with_exact_time_and_the_servers_own_limit() -> None:
    with asked(answering(vector()), timeout=timedelta(seconds=2.5)) as (prometheus, server):
        answer = prometheus.query('up{job="ä"} > 0', NOW)
    assert answer == Answer(samples=(Sample(labels=Labels({"job": "a"}), value=1.0),))
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/api/v1/query")
    assert request.form == {"query": 'up{job="ä"} > 0', "time": "1795237200.123", "timeout": "2500ms"}
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        pytest.param(datetime(2026, 11, 21, 5, tzinfo=UTC), "1795237200.000", id="whole"),
        pytest.param(datetime(2026, 11, 21, 6, tzinfo=timezone(timedelta(hours=1))), "1795237200.000", id="zone"),
        pytest.param(datetime(1969, 12, 31, 23, 59, 58, 500000, tzinfo=UTC), "-1.500", id="before-1970"),
    ],
)
def test_instants_are_sent_to_the_millisecond(at: datetime, sent: str) -> None:
    with asked(answering(vector())) as (prometheus, server):
        prometheus.query("up", at)
    assert server.requests[0].form["time"] == sent


def test_a_naive_instant_is_refused() -> None:
    with closing(Prometheus("http://127.0.0.1:9")) as prometheus, pytest.raises(ValueError, match="time zone"):
        prometheus.query("up", datetime(2026, 11, 21))  # noqa: DTZ001 (the mistake under test)


def test_a_range_is_asked_for_exactly_and_not_rounded_to_seconds() -> None:
    body = (
        b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1.5,"NaN"],[2,"3"]]}]}}'
    )
    with asked(answering(body)) as (prometheus, server):
        [series] = prometheus.query_range("up", NOW, NOW + timedelta(seconds=3), timedelta(seconds=1.5))
    assert series == Series(labels=Labels(), points=((1.5, series.points[0][1]), (2.0, 3.0)))
    assert math.isnan(series.points[0][1])
    assert server.requests[0].path == "/api/v1/query_range"
    sent = {"query": "up", "start": "1795237200.123", "end": "1795237203.123", "step": "1.500", "timeout": "10000ms"}
    assert server.requests[0].form == sent


@pytest.mark.parametrize("path", ["/", "/prometheus", "/prometheus/", "/a%20b", "/select/0/prometheus"])
def test_a_path_prefix_is_kept(path: str) -> None:
    with asked(answering(vector()), path) as (prometheus, server):
        prometheus.query("up", NOW)
    assert server.requests[0].path == f"{path.rstrip('/')}/api/v1/query"


def test_a_question_over_a_mebibyte_goes_through() -> None:
    expr = "up # " + "x" * 1_100_000
    with asked(answering(vector())) as (prometheus, server):
        prometheus.query(expr, NOW)
    assert server.requests[0].form["query"] == expr


def test_warnings_and_infos_the_library_drops_are_kept() -> None:
    with asked(answering(vector(warnings=["truncated"], infos=["no counter"]))) as (prometheus, _):
        answer = prometheus.query("up", NOW)
    assert (answer.warnings, answer.infos) == (("truncated",), ("no counter",))


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        pytest.param(400, stated("bad_data", "1:4: parse error"), "bad_data", "^1:4: parse error$", id="parse-error"),
        pytest.param(422, stated("execution", "many-to-many"), "execution", "^many-to-many$", id="execution"),
        pytest.param(200, stated("timeout", "too slow"), "timeout", "^too slow$", id="error-with-200"),
        pytest.param(503, stated("unavailable", "starting"), "unavailable", "^starting$", id="json-503"),
        pytest.param(
            503, b"Service\n Unavailable", "unavailable", "503 Service Unavailable: Service Unavailable", id="plain-503"
        ),
        pytest.param(502, b"", "unavailable", r"502 Bad Gateway: \(an empty body\)", id="empty-502"),
        pytest.param(400, b"<h1>plain HTTP to an HTTPS port</h1>", "unavailable", "plain HTTP", id="a-proxys-400"),
        pytest.param(401, b"who are you", "auth", "401 Unauthorized: who are you", id="401"),
        pytest.param(403, b'{"message":"no"}', "auth", "403 Forbidden", id="403"),
        pytest.param(404, b"404 page not found", "unavailable", "is this the address of a Prometheus", id="404"),
        pytest.param(413, b"", "too_large", "413", id="413"),
        pytest.param(504, b"", "timeout", "504", id="504"),
        pytest.param(204, b"", "unavailable", "204 No Content", id="204"),
        pytest.param(
            200, b"<html>Sign in</html>", "malformed", "no query result .*<html>Sign in</html>", id="login-page"
        ),
        pytest.param(200, b"", "malformed", r"\(an empty body\)", id="empty-200"),
        pytest.param(200, vector()[:-2], "malformed", "truncated", id="truncated-json"),
        pytest.param(
            200,
            b'{"status":"success","data":{"resultType":"vector","result":7}}',
            "malformed",
            "Expected",
            id="wrong-type",
        ),
        pytest.param(200, b'{"status":"success"}', "malformed", "without data", id="no-data"),
        pytest.param(200, vector("\xff").replace(b"\\u00ff", b"\xff"), "malformed", "utf-8", id="no-utf-8"),
    ],
)
def test_every_bad_answer_is_one_typed_error(status: int, body: bytes, kind: str, message: str) -> None:
    with ScriptedServer(answering(body, status)) as server:
        error = refused_by(server)
        assert error.kind == kind
        assert len(server.requests) == 1
    with pytest.raises(QueryError, match=message):
        raise error


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_an_error_that_names_its_target_without_secrets(status: int) -> None:
    location = "https://user:secret@login.test/start?token=secret"
    with ScriptedServer(answering(b"", status, Location=location)) as server:
        error = refused_by(server)
        assert len(server.requests) == 1
    assert error.kind is QueryErrorKind.REDIRECTED
    assert "https://login.test/start" in error.message
    assert "secret" not in error.message


def test_a_dripping_answer_is_a_timeout() -> None:
    began = time.monotonic()
    with ScriptedServer(lambda request: Response(body=vector(), drip=timedelta(seconds=0.2))) as server:
        error = refused_by(server, timeout=timedelta(seconds=0.3))
    assert (error.kind, error.message) == ("timeout", f"{server.url}: no complete answer within 0.3 s")
    assert time.monotonic() - began < 10


def test_an_answer_over_the_limit_is_too_large() -> None:
    with ScriptedServer(answering(vector("1" * 100))) as server:
        error = refused_by(server, max_bytes=100)
    assert (error.kind, error.message) == (
        "too_large",
        f"{server.url}: the answer is larger than 100 bytes; ask for fewer series",
    )


def test_an_answer_cut_short_is_never_half_a_result() -> None:
    with ScriptedServer(answering(vector(), Content_Length="9999")) as server:
        assert refused_by(server).kind is QueryErrorKind.UNAVAILABLE


def unreachable_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("call", [lambda it: it.check(), lambda it: it.build_info(), lambda it: it.query("up", NOW)])
def test_a_refused_port_is_unavailable_at_once_and_hides_credentials(call: Callable[[Prometheus], object]) -> None:
    address, began = unreachable_address(), time.monotonic()
    with closing(Prometheus(f"http://user:secret@{address}")) as prometheus, pytest.raises(QueryError) as caught:
        call(prometheus)
    assert caught.value.kind is QueryErrorKind.UNAVAILABLE
    assert caught.value.message == f"http://{address}: [Errno 111] Connection refused"
    assert time.monotonic() - began < 10


def test_a_failure_met_while_another_is_handled_tells_its_own_cause() -> None:
    with closing(Prometheus(f"http://{unreachable_address()}")) as prometheus:
        try:
            raise OSError("something earlier")
        except OSError:
            with pytest.raises(QueryError, match="Connection refused"):
                prometheus.check()


def test_an_expression_that_is_no_text_is_bad_data_and_never_sent() -> None:
    with asked(answering(vector())) as (prometheus, server), pytest.raises(QueryError) as caught:
        prometheus.query("up\ud800", NOW)
    assert caught.value.kind is QueryErrorKind.BAD_DATA
    assert server.requests == []


@pytest.mark.parametrize(
    ("credentials", "settings", "sent"),
    [
        pytest.param("", {}, None, id="none"),
        pytest.param("user:p%C3%A4ss@", {}, AUTHORIZED, id="in-the-url"),
        pytest.param("", {"auth": ("user", "päss")}, AUTHORIZED, id="given"),
        pytest.param("other:one@", {"auth": ("user", "päss")}, AUTHORIZED, id="given-over-the-urls"),
        pytest.param("", {"headers": {"Authorization": "Bearer abc"}}, "Bearer abc", id="header"),
    ],
)
def test_credentials_are_sent(credentials: str, settings: dict[str, Any], sent: str | None) -> None:
    with ScriptedServer(answering(vector())) as server:
        url = server.url.replace("//", f"//{credentials}")
        with closing(Prometheus(url, **settings)) as prometheus:
            prometheus.query("up", NOW)
            prometheus.build_info()
    assert [request.headers.get("authorization") for request in server.requests] == [sent, sent]


def test_headers_are_sent_with_every_request() -> None:
    with asked(answering(vector()), headers={"X-Scope-OrgID": "team-a"}) as (prometheus, server):
        prometheus.check()
    assert server.requests[0].headers["x-scope-orgid"] == "team-a"


@pytest.mark.parametrize(
    ("url", "settings", "complaint"),
    [
        pytest.param("prometheus:9090", {}, "url: must be http", id="no-scheme"),
        pytest.param("ftp://prometheus", {}, "url: must be http", id="another-scheme"),
        pytest.param("http://", {}, "url: must be http", id="no-host"),
        pytest.param("http://prometheus/?token=hunter2", {}, "no query", id="query"),
        pytest.param("http://prometheus/#hunter2", {}, "no fragment", id="fragment"),
        pytest.param("http://user:hunter2/1@prometheus", {}, "percent-encode", id="slash-in-a-password"),
        pytest.param("http://prometheus", {"headers": {"X-Key": "hunter2\n"}}, "headers: 'X-Key'", id="line-break"),
        pytest.param("http://prometheus", {"headers": {"X-Key": "hunter2→"}}, "headers: 'X-Key'", id="no-latin-1"),
        pytest.param("http://prometheus", {"timeout": timedelta(0)}, "timeout at least 1 ms", id="no-time"),
        pytest.param("http://prometheus", {"workers": 0}, "workers", id="no-workers"),
        pytest.param("http://prometheus", {"max_bytes": 0}, "max_bytes", id="no-bytes"),
    ],
)
def test_settings_that_can_never_work_are_refused_without_their_secrets(
    url: str, settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        Prometheus(url, **settings)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("status", "body", "version"),
    [
        pytest.param(200, b'{"status":"success","data":{"version":"3.5.0","revision":"x"}}', "3.5.0", id="prometheus"),
        pytest.param(200, b'{"status":"success","data":{}}', None, id="no-version"),
        pytest.param(200, b"<html>", None, id="html"),
        pytest.param(404, b"404 page not found", None, id="not-there"),
    ],
)
def test_the_version_is_told_where_the_server_tells_it(status: int, body: bytes, version: str | None) -> None:
    with asked(answering(body, status)) as (prometheus, server):
        assert prometheus.build_info() == version
        assert (server.requests[0].method, server.requests[0].path) == ("GET", "/api/v1/status/buildinfo")


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (302, "redirected"), (503, "unavailable")])
def test_a_version_that_cannot_be_asked_for_is_an_error(status: int, kind: str) -> None:
    with asked(answering(b"", status)) as (prometheus, _), pytest.raises(QueryError) as caught:
        prometheus.build_info()
    assert caught.value.kind == kind


def test_a_check_passes_only_where_queries_are_answered() -> None:
    with asked(answering(vector())) as (prometheus, server):
        prometheus.check()
        assert server.requests[0].form == {"query": "vector(1)", "timeout": "10000ms"}
    with asked(answering(b"<html>200, but no Prometheus</html>")) as (prometheus, _), pytest.raises(QueryError):
        prometheus.check()


@pytest.mark.parametrize("workers", [4, 16])
def test_threads_share_one_client_and_each_gets_its_own_answer(workers: int, caplog: pytest.LogCaptureFixture) -> None:
    def echo(request: Request) -> Response:
        value = request.form["query"]
        return (
            Response(status=422, body=stated("execution", value))
            if int(value) % 3 == 0
            else Response(body=vector(value))
        )

    def ask(number: int) -> str:
        try:
            return f"{prometheus.query(str(number), NOW).samples[0].value:.0f}"
        except QueryError as error:
            return error.message

    with asked(echo, workers=workers) as (prometheus, server), ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(320))) == [str(number) for number in range(320)]
        if workers == 16:
            assert server.connections <= 16
            assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_https_is_verified_against_the_given_authority(tmp_path: Path) -> None:
    pem = self_signed(tmp_path)
    with ScriptedServer(answering(vector()), tls=server_context(pem)) as server:
        error = refused_by(server)
        assert error.kind is QueryErrorKind.UNAVAILABLE
        assert "certificate verify failed" in error.message
        with closing(Prometheus(server.url, tls=Tls(ca=pem.read_text()))) as prometheus:
            prometheus.check()
