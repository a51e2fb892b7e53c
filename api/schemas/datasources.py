"""Datasources on the wire. Credentials go in and never come out: only references such as `env:NAME` are told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from api.schemas.channels import REDACTED, is_reference
from api.schemas.fields import Input, Output, Text, example
from api.schemas.rules import Key, ProblemOut
from engine import connecting
from engine.core.failover import Server, Standing
from engine.delivery import custody, references
from engine.delivery.sealing import is_sealed
from rules.datasource import Datasource, DatasourceKind
from rules.errors import ChannelError, RulesError
from rules.problems import Problem, Severity

_WEB: Final = re.compile(r"https?://[^\s/?#]\S*")


def _address(text: str) -> str:
    if not is_reference(text) and not _WEB.fullmatch(text):
        raise ValueError(
            "must be an address such as http://prometheus:9090, or a reference such as env:TOCSIN_PROMETHEUS_URL"
        )
    return text


AuthEntry = Literal["type", "kind", "username", "user", "password", "token"]
"""What the engine reads of `auth`: a token, or a user and a password."""
TlsEntry = Literal[
    "ca",
    "ca_file",
    "cert",
    "cert_file",
    "key",
    "key_file",
    "server_name",
    "insecure_skip_verify",
    "min_version",
    "max_version",
]
"""What the engine reads of `tls`, in the words of Prometheus' `tls_config`."""
HeaderName = Annotated[Text, Field(min_length=1, max_length=200, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]

Address = Annotated[Text, Field(min_length=1, max_length=8192), AfterValidator(_address)]

_EXAMPLE: Final[dict[str, Any]] = {
    "name": "mimir",
    "urls": ["https://mimir-a.example.org/prometheus", "https://mimir-b.example.org/prometheus"],
    "kind": "mimir",
    "tenant": "shop",
    "auth": {"username": "tocsin", "password": "env:MIMIR_PASSWORD"},
    "headers": {"X-Gateway-Key": "env:GATEWAY_KEY"},
    "tls": {"ca_file": "/etc/tocsin/ca.pem"},
    "team": "sre",
}


class DatasourceIn(Input):
    """A datasource as it is sent; `urls` are tried in order. Where one stands already, what is sent back as `[redacted]`
    keeps what is stored."""

    model_config = example(_EXAMPLE)
    read_only: ClassVar[frozenset[str]] = frozenset({"origin", "version", "status", "problems"})
    name: Key | None = None
    urls: list[Address] = Field(min_length=1, max_length=16)
    kind: DatasourceKind = DatasourceKind.PROMETHEUS
    tenant: Text = Field(default="", max_length=200)
    auth: dict[AuthEntry, Text] = Field(default_factory=dict)
    headers: dict[HeaderName, Text] = Field(default_factory=dict)
    tls: dict[TlsEntry, Text | bool] = Field(default_factory=dict)
    team: Text = ""

    def to_datasource(self, name: str, before: Datasource | None, environment: Mapping[str, str]) -> Datasource:
        """The datasource declared, under this name, its new secrets in clear.

        Raises RulesError when there is no stored secret to keep, and for a text that looks sealed.
        """
        tls = {entry: _word(value) for entry, value in self.tls.items()}
        self._refuse_sealed(tls)
        stands = before or Datasource(name=name, origin="api")
        stored = [_clear(url, environment) for url in stands.urls]
        urls = tuple(_kept_url(place, url, stored) for place, url in enumerate(self.urls))
        # A secret that nobody had to give again must not be sent to an address its owner never gave it for.
        same = set(urls) <= set(stored)
        return replace(
            stands,
            urls=urls,
            kind=self.kind,
            tenant=self.tenant,
            auth=_kept("auth", self.auth, stands.auth if same else {}),
            headers=_kept("headers", self.headers, stands.headers if same else {}),
            tls=_kept("tls", tls, stands.tls if same else {}),
            team=self.team,
        )

    def _refuse_sealed(self, tls: Mapping[TlsEntry, str]) -> None:
        given: Mapping[str, Iterable[tuple[Any, str]]] = {
            "urls": enumerate(self.urls),
            "auth": self.auth.items(),
            "headers": self.headers.items(),
            "tls": tls.items(),
        }
        for column, texts in given.items():
            for field, text in _entries(column, texts):
                custody.refuse_sealed(field, text)


class ServerOut(Output):
    """One of the `urls` as this process sees it.

    `state` is up, away, or returning: it answers again, and is preferred when it has done so for five minutes.
    """

    url: str
    state: Standing
    since: datetime | None = None
    last_error: str | None = None


class DatasourceStatusOut(Output):
    """How the datasource is doing: `state` is healthy, failing, or unknown while nobody has asked it anything.

    `servers` are its `urls` in their order; empty while nobody has asked it.
    """

    state: str
    last_error: str | None = None
    servers: list[ServerOut] = Field(default_factory=list)


class DatasourceOut(Output):
    """A datasource as it stands; credentials in `urls`, `auth`, `headers` and `tls` are shown as `[redacted]`, references
    as they are.

    `problems` names every secret that stands in the database in clear.
    """

    model_config = example(
        {
            **_EXAMPLE,
            "origin": "api",
            "version": 1,
            "status": {
                "state": "healthy",
                "last_error": None,
                "servers": [
                    {
                        "url": "https://mimir-a.example.org/prometheus",
                        "state": "away",
                        "since": "2026-11-28T12:00:00Z",
                        "last_error": "https://mimir-a.example.org/prometheus: [Errno 111] Connection refused",
                    },
                    {"url": "https://mimir-b.example.org/prometheus", "state": "up", "since": None, "last_error": None},
                ],
            },
            "problems": [],
        }
    )
    name: str
    urls: list[str]
    kind: DatasourceKind
    tenant: str
    auth: dict[str, str]
    headers: dict[str, str]
    tls: dict[str, str]
    team: str
    origin: str
    version: int
    status: DatasourceStatusOut
    problems: list[ProblemOut] = Field(default_factory=list)


def document(datasource: Datasource, environment: Mapping[str, str]) -> dict[str, object]:
    """The datasource's own fields as they may be shown, what changes are told in."""
    return {
        "name": datasource.name,
        "urls": [_shown_url(_clear(url, environment)) for url in datasource.urls],
        "kind": datasource.kind.value,
        "tenant": datasource.tenant,
        "auth": {entry: _shown(value, harmless=entry in custody.OPEN) for entry, value in datasource.auth.items()},
        "headers": {name: _shown(value, harmless=False) for name, value in datasource.headers.items()},
        "tls": {entry: _shown(value, harmless=entry in custody.OPEN_TLS) for entry, value in datasource.tls.items()},
        "team": datasource.team,
    }


def described(
    datasource: Datasource,
    errors: Mapping[str, str | None],
    servers: Sequence[Server],
    environment: Mapping[str, str],
) -> DatasourceOut:
    """The datasource as it stands, with how its servers do and its last queries went, by name: `None` is well, absent is
    not known."""
    error = errors.get(datasource.name)
    well = "healthy" if datasource.name in errors else "unknown"
    values: dict[str, Any] = {**document(datasource, environment), "kind": datasource.kind}
    return DatasourceOut.model_construct(
        **values,
        origin=datasource.origin,
        version=datasource.version,
        status=DatasourceStatusOut(
            state=well if error is None else "failing",
            last_error=error,
            servers=[
                ServerOut(url=url, state=server.standing, since=server.since, last_error=server.error or None)
                for url, server in zip(values["urls"], servers, strict=False)
            ],
        ),
        problems=ProblemOut.all_of(custody.datasource_warnings(datasource, environment)),
    )


def unreadable(datasource: Datasource, environment: Mapping[str, str]) -> Iterator[Problem]:
    """The references that may not or cannot be read; one whose variable is not set yet is fine."""
    for field, text in (
        *_entries("urls", enumerate(datasource.urls)),
        *_entries("auth", datasource.auth.items()),
        *_entries("headers", datasource.headers.items()),
    ):
        try:
            references.resolve(text, environment)
        except ChannelError as error:
            yield Problem(severity=Severity.ERROR, field=field, message=error.message)
    for message in connecting.unusable(datasource, environment):
        yield Problem(severity=Severity.ERROR, field=message.partition(" ")[0].rstrip(":"), message=message)


def _entries(field: str, items: Iterable[tuple[object, str]]) -> Iterator[tuple[str, str]]:
    return ((f"{field}.{name}", text) for name, text in items)


def _clear(url: str, environment: Mapping[str, str]) -> str:
    """The address without its seal; `[redacted]` when no key opens it."""
    return custody.in_clear(url, environment) or REDACTED


def _shown_url(url: str) -> str:
    """The address without user, password and query; what is neither an address nor a reference is not shown at all."""
    if is_reference(url):
        return url
    if not _WEB.fullmatch(url):
        return REDACTED
    return re.sub(r"\?.*", f"?{REDACTED}", re.sub(r"(?<=://)[^/?#]*@", f"{REDACTED}@", url))


def _kept_url(place: int, url: str, stored: Sequence[str]) -> str:
    if REDACTED not in url:
        return url
    kept = next((one for one in stored if _shown_url(one) == url), None)
    if kept is None:
        message = f"{REDACTED} keeps what is stored, and no such address is: give it in full"
        raise RulesError(message, field=f"urls.{place}")
    return kept


def _word(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _kept(column: str, given: Mapping[Any, str], stored: Mapping[str, str]) -> dict[str, str]:
    """What is given, and in place of `[redacted]` what is stored."""
    found: dict[str, str] = {}
    for entry, value in given.items():
        if value == REDACTED and entry not in stored:
            message = f"{REDACTED} keeps what is stored, and nothing is for these urls: give the value"
            raise RulesError(message, field=f"{column}.{entry}")
        found[entry] = stored[entry] if value == REDACTED else value
    return found


def _shown(value: str, *, harmless: bool) -> str:
    return value if is_reference(value) or (harmless and not is_sealed(value)) else REDACTED
