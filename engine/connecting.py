"""From a datasource to clients that ask it: its references followed, its credentials opened, at the moment of a query.

A client is made when it is first asked, and made anew when what its references stand for has changed: a secret that is
mounted late or rotated needs no restart. What cannot be used (a variable that is unset, a file that may not be read, an
`auth` nobody can read) is a failed query like any other, so that the next address of the datasource is tried.
"""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote, urlsplit

from engine.delivery import references
from engine.prometheus import Answer, Prometheus, QueryError, QueryErrorKind
from engine.resolver import Resolver
from rules.datasource import Datasource, DatasourceKind
from rules.errors import ChannelError

TENANT_HEADERS: Final[Mapping[DatasourceKind, str]] = {
    DatasourceKind.MIMIR: "X-Scope-OrgID",
    DatasourceKind.LOKI: "X-Scope-OrgID",
    DatasourceKind.THANOS: "THANOS-TENANT",
}
"""How the servers that keep tenants apart are told the tenant; the others take none, or have it in the address."""
_READ: Final = frozenset({"type", "kind", "user", "username", "password", "token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where a client asks and as whom, in clear; two that are equal need no new client."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

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
        return tuple(sorted({text for text in told if len(text) > 3}, key=len, reverse=True))


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
        )

    def _way(self) -> Way:
        headers = dict(self._authorization())
        tenant = TENANT_HEADERS.get(self._datasource.kind)
        if tenant is not None and self._datasource.tenant:
            headers[tenant] = self._datasource.tenant
        return Way(url=self._needed(f"urls.{self._place}", self._datasource.urls[self._place]), headers=headers)

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
