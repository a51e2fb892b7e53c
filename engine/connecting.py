"""From a datasource to clients that ask it: its references followed, its credentials opened, at the moment of a query.

A client is made when it is first asked, and made anew when what its references stand for has changed: a secret that is
mounted late or rotated needs no restart. What cannot be used (a variable that is unset, a file that may not be read, an
`auth` nobody can read) is a failed query like any other, so that the next address of the datasource is tried.
"""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote, urlsplit

from engine import tls as tls_settings
from engine.delivery import references
from engine.prometheus import Answer, Prometheus, QueryError, QueryErrorKind
from engine.resolver import Resolver
from engine.tls import Tls
from rules.datasource import Datasource, DatasourceKind
from rules.errors import ChannelError

TENANT_HEADERS: Final[Mapping[DatasourceKind, tuple[str, ...]]] = {
    DatasourceKind.THANOS: ("THANOS-TENANT",),
    DatasourceKind.VICTORIAMETRICS: ("AccountID", "ProjectID"),
    DatasourceKind.VICTORIALOGS: ("AccountID", "ProjectID"),
}
"""How a server that keeps tenants apart is told the tenant, where it is not by `X-Scope-OrgID`; of two, parts of `1:2`."""
PATHS: Final[Mapping[DatasourceKind, str]] = {DatasourceKind.LOKI: "/loki"}
"""What stands before `/api/v1/query` in the addresses of a kind."""
ENDPOINTS: Final[Mapping[DatasourceKind, tuple[str, str]]] = {
    DatasourceKind.VICTORIALOGS: ("/select/logsql/stats_query", "_time:1s | stats count() lines"),
}
"""Where a kind is asked that has no `/api/v1/query`, and a cheap query that it always answers."""
PARAMS: Final[Mapping[DatasourceKind, Mapping[str, str]]] = {DatasourceKind.VICTORIAMETRICS: {"nocache": "1"}}
"""What a kind is asked besides. VictoriaMetrics would answer a query for now with what was known 30 s ago."""
OURS: Final = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that say how the query is sent, which nobody else can know."""
CONNECT: Final = timedelta(seconds=3)
"""How long an address may take to be connected to, where there is another one; one lost packet costs one second of it."""
_READ: Final = frozenset({"type", "kind", "user", "username", "password", "token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where a client asks and as whom, in clear; two that are equal need no new client."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    tls: Tls = field(default_factory=Tls)
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text a server might repeat that must not be shown, longest first."""
        known = self.headers.get("Authorization", "")
        parts = urlsplit(self.url)
        told = [known, known.partition(" ")[2], parts.password or "", unquote(parts.password or "")]
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        told += [b64encode(text.encode()).decode() for text in (pair,) if parts.password]
        told += [
            b64decode(word).decode().partition(":")[2] for word in (known.removeprefix("Basic "),) if word != known
        ]
        return tuple(sorted({text for text in (*told, *self.hidden) if len(text) > 3}, key=len, reverse=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far a client goes: connections kept, time and bytes of a query, and which addresses are refused."""

    workers: int
    timeout: timedelta
    max_bytes: int
    resolver: Resolver


def clients(
    datasource: Datasource, environment: Callable[[], Mapping[str, str]], bounds: Bounds
) -> tuple[DatasourceClient, ...]:
    """A client for each address of the datasource, in order; opens nothing."""
    places = range(len(datasource.urls))
    return tuple(DatasourceClient(datasource, place, environment, bounds) for place in places)


def unusable(datasource: Datasource, environment: Mapping[str, str]) -> Iterator[str]:
    """Why the datasource's own connection settings can never work; what is only not there yet is no reason."""

    def resolve(name: str, text: str) -> str:
        try:
            return references.resolve(text, environment) or ""
        except ChannelError as error:
            raise ValueError(f"{name}: {error.message}") from None

    try:
        found = tls_settings.read(datasource.tls, resolve)
        if "" not in {getattr(found, entry) for entry in tls_settings.TEXTS if _is_given(datasource.tls, entry)}:
            found.context()
    except ValueError as error:
        yield str(error)
    try:
        _checked(datasource.headers)
        _tenant(datasource)
    except ValueError as error:
        yield str(error)


class DatasourceClient:
    """One address of a datasource; threads share it."""

    def __init__(
        self, datasource: Datasource, place: int, environment: Callable[[], Mapping[str, str]], bounds: Bounds
    ) -> None:
        self._datasource = datasource
        self._place = place
        self._environment = environment
        self._bounds = bounds
        self._guard = threading.Lock()
        self._made: tuple[Way, Prometheus] | None = None

    def query(self, expr: str, at: datetime) -> Answer:
        """The expression's value at `at`. Raises QueryError."""
        return self._client().query(expr, at)

    def check(self) -> None:
        """Returns when queries are answered now. Raises QueryError."""
        self._client().check()

    def close(self) -> None:
        """Close the idle connections."""
        with self._guard:
            if self._made is not None:
                self._made[1].close()
                self._made = None

    def _client(self) -> Prometheus:
        try:
            way = self._way()
            with self._guard:
                if self._made is None or self._made[0] != way:
                    self._made = (way, self._connected(way))
                return self._made[1]
        except (ChannelError, ValueError) as error:  # Both name the field, and neither repeats a secret.
            raise QueryError(QueryErrorKind.UNAVAILABLE, f"datasource {self._datasource.name!r}: {error}") from None

    def _connected(self, way: Way) -> Prometheus:
        return Prometheus(
            way.url,
            headers=way.headers,
            hidden=way.secrets,
            workers=self._bounds.workers,
            timeout=self._bounds.timeout,
            max_bytes=self._bounds.max_bytes,
            resolver=self._bounds.resolver,
            connect=CONNECT if len(self._datasource.urls) > 1 else None,
            tls=way.tls,
            params=PARAMS.get(self._datasource.kind),
            endpoint=ENDPOINTS.get(self._datasource.kind),
        )

    def _way(self) -> Way:
        own = {name: self._needed(f"headers.{name}", text) for name, text in self._datasource.headers.items()}
        headers = {**_tenant(self._datasource), **_checked(own), **self._authorization()}
        url = self._needed(f"urls.{self._place}", self._datasource.urls[self._place])
        return Way(
            url=url.rstrip("/") + PATHS.get(self._datasource.kind, ""),
            headers=headers,
            tls=tls_settings.read(self._datasource.tls, self._needed),
            hidden=tuple(own.values()),
        )

    def _authorization(self) -> Mapping[str, str]:
        """The header that says who asks, from a `token`, or a `username` (or `user`) and a `password`."""
        auth = self._datasource.auth
        unknown = sorted(auth.keys() - _READ)
        if unknown:
            raise ChannelError(f"auth.{unknown[0]} is not known: give token, or username and password")
        if "token" in auth:
            return {"Authorization": f"Bearer {self._needed('auth.token', auth['token'])}"}
        user = auth.get("username") or auth.get("user")
        if not user:
            return {}
        pair = f"{self._needed('auth.username', user)}:{self._needed('auth.password', auth.get('password', ''))}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}

    def _needed(self, name: str, text: str) -> str:
        try:
            found = references.resolve(text, self._environment())
        except ChannelError as error:
            raise ChannelError(f"{name}: {error.message}", field=name) from None
        if found is None:
            what = f"{references.describe(text)} is unset or a placeholder" if text else "is not set"
            raise ChannelError(f"{name}: {what}", field=name)
        return found


def _tenant(datasource: Datasource) -> Mapping[str, str]:
    """The headers that name the tenant; a kind with two takes `account:project`, or the account alone."""
    if not datasource.tenant:
        return {}
    names = TENANT_HEADERS.get(datasource.kind, ("X-Scope-OrgID",))
    parts = datasource.tenant.split(":") if len(names) > 1 else [datasource.tenant]
    if len(parts) > len(names):
        raise ValueError("tenant: give account or account:project, such as 1:2")
    return dict(zip(names, parts, strict=False))


def _is_given(texts: Mapping[str, str], entry: str) -> bool:
    return bool(texts.get(entry) or texts.get(f"{entry}_file"))


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a row, when they are its to give."""
    for name in headers:
        if name.lower() in OURS:
            raise ValueError(f"headers.{name} cannot be given: it says how a query is sent, which is Tocsin's to say")
        if name.lower() == "authorization":
            raise ValueError(f"headers.{name} cannot be given: give token, or username and password, in auth")
    return headers
