"""Datasources on the wire. Credentials go in and never come out: only references such as `env:NAME` are told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from api.schemas.channels import REDACTED, is_reference
from api.schemas.fields import Input, Output, Text, example
from api.schemas.rules import Key, ProblemOut
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

Address = Annotated[Text, Field(min_length=1, max_length=8192), AfterValidator(_address)]

_EXAMPLE: Final[dict[str, Any]] = {
    "name": "mimir",
    "urls": ["https://mimir-a.example.org/prometheus", "https://mimir-b.example.org/prometheus"],
    "kind": "mimir",
    "tenant": "shop",
    "auth": {"username": "tocsin", "password": "env:MIMIR_PASSWORD"},
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
    team: Text = ""

    def to_datasource(self, name: str, before: Datasource | None, environment: Mapping[str, str]) -> Datasource:
        """The datasource declared, under this name, its new secrets in clear.

        Raises RulesError when there is no stored secret to keep, and for a text that looks sealed.
        """
        for field, text in (*_entries("urls", enumerate(self.urls)), *_entries("auth", self.auth.items())):
            custody.refuse_sealed(field, text)
        stands = before or Datasource(name=name, origin="api")
        stored = [_clear(url, environment) for url in stands.urls]
        urls = tuple(_kept_url(place, url, stored) for place, url in enumerate(self.urls))
        # A secret that nobody had to give again must not be sent to an address its owner never gave it for.
        kept = stands.auth if set(urls) <= set(stored) else {}
        auth: dict[str, str] = {entry: _kept_auth(entry, value, kept) for entry, value in self.auth.items()}
        return replace(stands, urls=urls, kind=self.kind, tenant=self.tenant, auth=auth, team=self.team)


class DatasourceStatusOut(Output):
    """How the datasource is doing: `state` is healthy, failing, or unknown while nobody has asked it anything."""

    state: str
    last_error: str | None = None


class DatasourceOut(Output):
    """A datasource as it stands; credentials in `urls` and `auth` are shown as `[redacted]`, references as they are.

    `problems` names every secret that stands in the database in clear.
    """

    model_config = example(
        {
            **_EXAMPLE,
            "origin": "api",
            "version": 1,
            "status": {"state": "healthy", "last_error": None},
            "problems": [],
        }
    )
    name: str
    urls: list[str]
    kind: DatasourceKind
    tenant: str
    auth: dict[str, str]
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
        "auth": {entry: _shown_auth(entry, value) for entry, value in datasource.auth.items()},
        "team": datasource.team,
    }


def described(
    datasource: Datasource, errors: Mapping[str, str | None], environment: Mapping[str, str]
) -> DatasourceOut:
    """The datasource as it stands, with how its last queries went, by name: `None` is well, absent is not known."""
    error = errors.get(datasource.name)
    well = "healthy" if datasource.name in errors else "unknown"
    values: dict[str, Any] = {**document(datasource, environment), "kind": datasource.kind}
    return DatasourceOut.model_construct(
        **values,
        origin=datasource.origin,
        version=datasource.version,
        status=DatasourceStatusOut(state=well if error is None else "failing", last_error=error),
        problems=ProblemOut.all_of(custody.datasource_warnings(datasource, environment)),
    )


def unreadable(datasource: Datasource, environment: Mapping[str, str]) -> Iterator[Problem]:
    """The references that may not or cannot be read; one whose variable is not set yet is fine."""
    for field, text in (
        *_entries("urls", enumerate(datasource.urls)),
        *_entries("auth", datasource.auth.items()),
    ):
        try:
            references.resolve(text, environment)
        except ChannelError as error:
            yield Problem(severity=Severity.ERROR, field=field, message=error.message)


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


def _kept_auth(entry: str, value: str, stored: Mapping[str, str]) -> str:
    if value != REDACTED:
        return value
    if entry not in stored:
        message = f"{REDACTED} keeps what is stored, and nothing is for these urls: give the value"
        raise RulesError(message, field=f"auth.{entry}")
    return stored[entry]


def _shown_auth(entry: str, value: str) -> str:
    shown = is_reference(value) or (entry in custody.OPEN and not is_sealed(value))
    return value if shown else REDACTED
