"""From a datasource's rows to queries with its credentials, which are read at the moment of the query."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import connecting
from engine.delivery.references import Sources
from engine.delivery.sealing import Keys, fresh_key
from engine.destinations import PrivateAddresses
from engine.prometheus import QueryError, QueryErrorKind
from engine.resolver import Resolver
from rules.datasource import Datasource, DatasourceKind
from tests.servers import Request, Response, ScriptedServer

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
SECRET = "canary-0123456789"


def bounds(private: PrivateAddresses = PrivateAddresses.ALLOW) -> connecting.Bounds:
    return connecting.Bounds(
        workers=1, timeout=timedelta(seconds=10), max_bytes=1 << 20, resolver=Resolver(private=private)
    )


def answer(_: Request) -> Response:
    return Response(body=EMPTY, headers={"Content-Type": "application/json"})


def asked(server: ScriptedServer, environment: Mapping[str, str], **fields: Any) -> Request:
    """What arrives of one query of a datasource with these fields."""
    (client,) = connecting.clients(
        Datasource(**{"name": "d", "urls": (server.url,), **fields}), lambda: environment, bounds()
    )
    client.query("up", NOON)
    client.close()
    return server.requests[-1]


def failure(environment: Mapping[str, str], **fields: Any) -> QueryError:
    (client,) = connecting.clients(
        Datasource(**{"name": "d", "urls": ("http://127.0.0.1:1",), **fields}), lambda: environment, bounds()
    )
    with pytest.raises(QueryError) as caught:
        client.query("up", NOON)
    client.close()
    return caught.value


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"username": "tocsin", "password": SECRET}, basic("tocsin", SECRET), id="basic"),
        pytest.param({"user": "tocsin", "password": "env:PASSWORD"}, basic("tocsin", "ü:1"), id="basic by reference"),
        pytest.param({"type": "bearer", "token": SECRET}, f"Bearer {SECRET}", id="bearer"),
    ],
)
def test_who_asks_is_told_by_a_header(auth: dict[str, str], sent: str | None) -> None:
    with ScriptedServer(answer) as server:
        assert asked(server, {"PASSWORD": "ü:1"}, auth=auth).headers.get("authorization") == sent


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        (DatasourceKind.MIMIR, "x-scope-orgid"),
        (DatasourceKind.LOKI, "x-scope-orgid"),
        (DatasourceKind.THANOS, "thanos-tenant"),
        (DatasourceKind.PROMETHEUS, "x-scope-orgid"),
        (DatasourceKind.VICTORIAMETRICS, "accountid"),
    ],
)
def test_a_tenant_is_named_as_the_server_wants_it(kind: DatasourceKind, header: str) -> None:
    with ScriptedServer(answer) as server:
        headers = asked(server, {}, kind=kind, tenant="shop").headers
    assert {name for name, value in headers.items() if value == "shop"} == {header}


def test_a_tenant_of_two_parts_is_two_headers() -> None:
    with ScriptedServer(answer) as server:
        headers = asked(server, {}, kind=DatasourceKind.VICTORIALOGS, tenant="12:3").headers
    assert (headers["accountid"], headers["projectid"]) == ("12", "3")


def test_headers_of_the_row_are_sent_and_go_before_the_kinds_own() -> None:
    own = {"X-Gateway-Key": "env:KEY", "X-Scope-OrgID": "a|b"}
    with ScriptedServer(answer) as server:
        headers = asked(server, {"KEY": SECRET}, headers=own, tenant="shop", auth={"token": "t0ken"}).headers
    assert (headers["x-gateway-key"], headers["x-scope-orgid"]) == (SECRET, "a|b")
    assert headers["authorization"] == "Bearer t0ken"


def test_loki_is_asked_on_its_own_path() -> None:
    with ScriptedServer(answer) as server:
        request = asked(server, {}, kind=DatasourceKind.LOKI, urls=(f"{server.url}/logs/",))
    assert request.path == "/logs/loki/api/v1/query"


def client_of(server: ScriptedServer, kind: DatasourceKind) -> connecting.DatasourceClient:
    [client] = connecting.clients(Datasource(name="logs", kind=kind, urls=(f"{server.url}/vl",)), dict, bounds())
    return client


def test_victorialogs_is_asked_for_its_stats_and_for_a_count_when_it_is_checked() -> None:
    with ScriptedServer(answer) as server, closing(client_of(server, DatasourceKind.VICTORIALOGS)) as client:
        client.query("error | stats count() n | filter n:>1", NOON)
        client.check()
    assert {request.path for request in server.requests} == {"/vl/select/logsql/stats_query"}
    expected = ["error | stats count() n | filter n:>1", "_time:1s | stats count() lines"]
    assert [request.form["query"] for request in server.requests] == expected


@pytest.mark.parametrize("status", [401, 404, 422, 503])
def test_what_victorialogs_refuses_is_told_as_of_any_other(status: int) -> None:
    told = []
    with ScriptedServer(lambda _: Response(status=status, body=b"cannot parse query")) as server:
        for kind in (DatasourceKind.VICTORIALOGS, DatasourceKind.PROMETHEUS):
            with closing(client_of(server, kind)) as client, pytest.raises(QueryError) as caught:
                client.query("x | stats count()", NOON)
            told.append((caught.value.kind, caught.value.message))
    assert told[0] == told[1]


def test_an_encrypted_address_and_password_are_opened_for_the_query() -> None:
    keys = Keys([fresh_key()])
    with ScriptedServer(answer) as server:
        urls, auth = (keys.seal(server.url),), {"username": "tocsin", "password": keys.seal(SECRET)}
        request = asked(server, Sources({}, secret_keys=keys), urls=urls, auth=auth)
    assert request.headers["authorization"] == basic("tocsin", SECRET)


def test_a_secret_that_is_mounted_late_or_rotated_is_read_at_the_next_query(tmp_path: Path) -> None:
    token = tmp_path / "token"
    environment = Sources({}, allowed=(f"file:{tmp_path}/*",))
    with ScriptedServer(answer) as server:
        source = Datasource(name="d", urls=(server.url,), auth={"token": f"file:{token}"})
        (client,) = connecting.clients(source, lambda: environment, bounds())
        with pytest.raises(QueryError, match=r"auth\.token: file:.* is no file"):
            client.check()
        for text in ("first", "second"):
            token.write_text(text)
            client.check()
        client.check()
        client.close()
        assert [one.headers["authorization"] for one in server.requests] == ["Bearer first", *["Bearer second"] * 2]
        assert server.connections == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"urls": ("env:UNSET",)}, "urls.0: env:UNSET is unset", id="an unset variable"),
        pytest.param({"urls": ("env:TOCSIN_API_KEYS",)}, "is a setting of Tocsin itself", id="our own secret"),
        pytest.param({"urls": ("file:/etc/passwd",)}, "TOCSIN_REFERENCES allows", id="a file outside"),
        pytest.param(
            {"auth": {"token": "env:TOCSIN_API_KEYS"}}, "is a setting of Tocsin itself", id="the same in auth"
        ),
        pytest.param(
            {"auth": {"token": f"enc:{SECRET}"}}, "auth.token: is encrypted, and there is no key", id="no key"
        ),
        pytest.param({"auth": {"username": "u"}}, "auth.password: is not set", id="no password"),
        pytest.param({"auth": {"pass": SECRET}}, "auth.pass is not known", id="an entry nobody knows"),
        pytest.param({"tls": {"certificate": SECRET}}, "tls.certificate is not known", id="TLS nobody knows"),
        pytest.param({"headers": {"Host": SECRET}}, "headers.Host cannot be given", id="a header that is ours"),
        pytest.param({"headers": {"X-Key": "env:UNSET"}}, "headers.X-Key: env:UNSET is unset", id="an unset header"),
        pytest.param({"auth": {"token": f"{SECRET}\r\nX: y"}}, "holds characters no header may hold", id="two lines"),
        pytest.param({"urls": (f"http://u:{SECRET}@h/?q=1",)}, "no query and no fragment", id="no address"),
        pytest.param({"urls": (f"ftp://u:{SECRET}@h/",)}, "must be http", id="another protocol"),
        pytest.param(
            {"urls": ("http://169.254.169.254",)}, "metadata service: Tocsin does not connect", id="forbidden"
        ),
        pytest.param({"urls": ("http://[::ffff:169.254.169.254]",)}, "metadata service", id="forbidden and wrapped"),
    ],
)
def test_what_cannot_be_used_is_a_failed_query_without_a_secret(fields: dict[str, Any], told: str) -> None:
    error = failure({"TOCSIN_API_KEYS": SECRET}, **fields)
    assert told in str(error)
    assert error.kind is QueryErrorKind.UNAVAILABLE
    assert SECRET not in str(error) + repr(error.__cause__)


def test_private_addresses_are_not_asked_where_they_are_refused() -> None:
    source = Datasource(name="d", urls=("http://127.0.0.1:1",))
    (client,) = connecting.clients(source, dict[str, str], bounds(PrivateAddresses.REFUSE))
    with pytest.raises(QueryError, match=r"127\.0\.0\.1 is a private address, and TOCSIN_PRIVATE_ADDRESSES=refuse"):
        client.check()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"auth": {"token": SECRET}}, id="token"),
        pytest.param({"auth": {"username": "u", "password": SECRET}}, id="password"),
        pytest.param({"credentials": f"u:{SECRET}%21@"}, id="in the address"),
        pytest.param({"headers": {"X-Key": SECRET}, "auth": {"token": "t0ken"}}, id="in a header of its own"),
    ],
)
def test_a_server_that_repeats_what_it_was_sent_gives_nothing_away(fields: dict[str, Any]) -> None:
    def parrot(request: Request) -> Response:
        sent = request.headers["authorization"] + request.headers.get("x-key", "")
        clear = b64decode(sent.removeprefix("Basic ")).decode() if sent.startswith("Basic ") else sent
        return Response(status=500, body=f"{sent} {clear}".encode())

    with ScriptedServer(parrot) as server:
        given = dict(fields)
        url = server.url.replace("//", f"//{given.pop('credentials', '')}")
        error = failure({}, urls=(url,), **given)
        sent = server.requests[0].headers["authorization"]
    assert "500" in str(error)
    assert SECRET not in str(error)
    assert sent not in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_query_follows_no_redirect(status: int) -> None:
    with ScriptedServer(answer) as elsewhere:
        away = Response(status=status, headers={"Location": elsewhere.url})
        with ScriptedServer(lambda _: away) as server:
            error = failure({}, urls=(server.url,))
        assert error.kind is QueryErrorKind.REDIRECTED
        assert elsewhere.requests == []
