"""The environment as one frozen value, read once at start; docs/settings.md has a row for every name here.

Nothing is guessed: a wrong value, and a TOCSIN_ name that does not exist, end the start with one line that names the
variable and the fix. No error and no repr shows a secret. A variable set to nothing counts as unset.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from engine import setting_texts
from engine.core.roles import EVERY, Role
from engine.delivery import references, sealing
from engine.delivery.references import Sources
from engine.destinations import PrivateAddresses
from engine.setting_texts import Listen
from engine.telemetry import LogFormat, LogLevel, without_credentials
from rules.labels import Labels

PREFIX: Final = "TOCSIN_"
_SECRET: Final = frozenset({"api_keys", "database_url", "fallback_channel", "heartbeat_url", "secret_keys"})
"""Fields whose values no message repeats."""
CLIENT: Final = ("TOCSIN_URL", "TOCSIN_API_KEY")
"""What the commands that ask a running Tocsin read; a server is not disturbed by them."""
_KUBERNETES: Final = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")
"""What Kubernetes sets in every container beside a Service whose name begins with `tocsin`."""


class SettingsError(ValueError):
    """The environment cannot be used; the text is one line that names each wrong variable and the fix, and no secret."""


class Delivery(StrEnum):
    """What becomes of a notification: sent, or only decided and recorded (to run beside an existing Alertmanager)."""

    SEND = "send"
    RECORD = "record"


class Planning(StrEnum):
    """Whether rules are asked together where that is proven to be the same, or each by its own query."""

    ON = "on"
    OFF = "off"


Span = Annotated[timedelta, BeforeValidator(setting_texts.span)]
Age = Annotated[timedelta, BeforeValidator(setting_texts.age)]
Url = Annotated[str, BeforeValidator(setting_texts.url)]
Count = Annotated[int, BeforeValidator(setting_texts.count)]


def _named(*names: str, default: object, shown: bool = True) -> Any:
    """A field read from the first of these variables that is set; one that may hold a secret is not shown by repr."""
    return Field(default=default, validation_alias=AliasChoices(*names), repr=shown)


class Settings(BaseSettings):
    """Everything that can be set from outside; what a field means and accepts is in docs/settings.md."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True)

    prometheus_url: Url = _named("TOCSIN_PROMETHEUS_URL", default="http://127.0.0.1:9090", shown=False)
    database_url: str = _named("TOCSIN_DATABASE_URL", default="sqlite:///tocsin.db", shown=False)
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(setting_texts.api_keys)] = _named(
        "TOCSIN_API_KEYS", default=()
    )
    listen: Annotated[Listen, NoDecode, BeforeValidator(setting_texts.listen)] = _named(
        "TOCSIN_LISTEN", default=Listen(host="127.0.0.1", port=9099)
    )
    external_url: Url = Field(
        default_factory=setting_texts.external_url, validation_alias=AliasChoices("TOCSIN_EXTERNAL_URL")
    )
    external_labels: Annotated[Labels, NoDecode, BeforeValidator(setting_texts.labels)] = _named(
        "TOCSIN_EXTERNAL_LABELS", default=Labels()
    )
    evaluation_interval: Span = _named(
        "TOCSIN_EVALUATION_INTERVAL", "ALERT_EVALUATION_INTERVAL", default=timedelta(seconds=60)
    )
    query_offset: Annotated[timedelta, BeforeValidator(setting_texts.offset)] = _named(
        "TOCSIN_QUERY_OFFSET", default=timedelta(0)
    )
    query_timeout: Span = _named("TOCSIN_QUERY_TIMEOUT", default=timedelta(seconds=10))
    query_concurrency: Count = _named("TOCSIN_QUERY_CONCURRENCY", default=8)
    planning: Annotated[Planning, BeforeValidator(setting_texts.one_of(Planning))] = _named(
        "TOCSIN_PLANNING", default=Planning.ON
    )
    batched_datasources: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(lambda text: tuple(setting_texts.listed(text)))
    ] = _named("TOCSIN_BATCHED_DATASOURCES", default=("*",))
    query_max_bytes: Annotated[int, BeforeValidator(setting_texts.size)] = _named(
        "TOCSIN_QUERY_MAX_BYTES", default=64 << 20
    )
    metrics_alerts: Annotated[int, BeforeValidator(setting_texts.cap)] = _named("TOCSIN_METRICS_ALERTS", default=0)
    delivery: Annotated[Delivery, BeforeValidator(setting_texts.one_of(Delivery))] = _named(
        "TOCSIN_DELIVERY", default=Delivery.SEND
    )
    delivery_timeout: Span = _named("TOCSIN_DELIVERY_TIMEOUT", default=timedelta(seconds=10))
    delivery_concurrency: Count = _named("TOCSIN_DELIVERY_CONCURRENCY", default=16)
    fallback_channel: Annotated[str, BeforeValidator(setting_texts.fallback_channel)] = _named(
        "TOCSIN_FALLBACK_CHANNEL", default="log", shown=False
    )
    retention: Age = _named("TOCSIN_RETENTION", default=timedelta(days=90))
    message_retention: Age = _named("TOCSIN_MESSAGE_RETENTION", default=timedelta(days=14))
    heartbeat_url: Annotated[str, BeforeValidator(setting_texts.optional_url)] = _named(
        "TOCSIN_HEARTBEAT_URL", default="", shown=False
    )
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(setting_texts.secret_keys)] = _named(
        "TOCSIN_SECRET_KEY", default=(), shown=False
    )
    references: Annotated[tuple[str, ...], NoDecode, BeforeValidator(setting_texts.reference_patterns)] = _named(
        "TOCSIN_REFERENCES", default=references.ALLOWED
    )
    rule_files: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(lambda text: tuple(setting_texts.listed(text)))
    ] = _named("TOCSIN_RULE_FILES", default=())
    alertmanager_file: Path | None = _named("TOCSIN_ALERTMANAGER_FILE", default=None)
    private_addresses: Annotated[PrivateAddresses, BeforeValidator(setting_texts.one_of(PrivateAddresses))] = _named(
        "TOCSIN_PRIVATE_ADDRESSES", default=PrivateAddresses.ALLOW
    )
    health_check_timeout: Span = _named(
        "HEALTH_CHECK_TIMEOUT", "TOCSIN_HEALTH_CHECK_TIMEOUT", default=timedelta(seconds=3)
    )
    resolve_timeout: Span = _named("TOCSIN_RESOLVE_TIMEOUT", default=timedelta(minutes=5))
    lease: Span = _named("TOCSIN_LEASE", default=timedelta(seconds=15))
    node: Annotated[str, BeforeValidator(setting_texts.node)] = Field(
        default_factory=socket.gethostname, validation_alias=AliasChoices("TOCSIN_NODE")
    )
    roles: Annotated[frozenset[Role], NoDecode, BeforeValidator(setting_texts.roles)] = _named(
        "TOCSIN_ROLES", default=EVERY
    )
    log_level: Annotated[LogLevel, BeforeValidator(setting_texts.one_of(LogLevel))] = _named(
        "TOCSIN_LOG_LEVEL", "LOG_LEVEL", default=LogLevel.INFO
    )
    log_format: Annotated[LogFormat, BeforeValidator(setting_texts.one_of(LogFormat))] = _named(
        "TOCSIN_LOG_FORMAT", default=LogFormat.AUTO
    )

    _environment: Sources = PrivateAttr(default_factory=lambda: Sources({}))

    @property
    def listen_host(self) -> str:
        return self.listen.host

    @property
    def listen_port(self) -> int:
        return self.listen.port

    @property
    def environment(self) -> Sources:
        """The whole environment as it was read, for references, with what they may read and the keys of sealed secrets.

        It holds secrets, and no repr shows them.
        """
        return self._environment

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # All arguments come by keyword; one of them matters.
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        **_: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands over counts; the process environment is never looked at."""
        return (init_settings,)


def names() -> dict[str, tuple[str, ...]]:
    """The variables of every field, the one that wins first."""
    return {field: _choices(info.validation_alias) for field, info in Settings.model_fields.items()}


def _choices(alias: object) -> tuple[str, ...]:
    assert isinstance(alias, AliasChoices)
    return tuple(str(choice) for choice in alias.choices)


def load(environment: Mapping[str, str]) -> Settings:
    """The settings these variables make; SettingsError naming everything that is wrong at once, in one line."""
    given = {name: text.strip() for name, text in environment.items() if text.strip()}
    problems = list(_unknown(given))
    source = EnvSettingsSource(Settings, case_sensitive=True)
    source.env_vars = given
    try:
        settings = Settings(**source())
    except ValidationError as error:
        problems += _problems(error, given)
    if problems:
        raise SettingsError("; ".join(problems))
    settings._environment = Sources(
        MappingProxyType(dict(environment)),
        allowed=settings.references,
        secret_keys=sealing.Keys([key.get_secret_value() for key in settings.secret_keys]),
    )
    return settings


def _unknown(given: Mapping[str, str]) -> Iterator[str]:
    """A complaint about every variable that looks like ours and is not."""
    known = [*CLIENT, *(name for choices in names().values() for name in choices)]
    for name in sorted(given):
        if name.upper().startswith(PREFIX) and name not in known and not _from_kubernetes(name, given[name]):
            close = get_close_matches(name.upper(), known, n=1)
            yield f"{name}: no such setting; " + (f"did you mean {close[0]}?" if close else "see docs/settings.md")


def _from_kubernetes(name: str, value: str) -> bool:
    """Whether the variable is one of those Kubernetes sets for a Service, here one named `tocsin` or `tocsin-…`."""
    return bool(_KUBERNETES.search(name) or (name.endswith("_PORT") and re.match(r"(tcp|udp|sctp)://", value)))


def _problems(error: ValidationError, given: Mapping[str, str]) -> Iterator[str]:
    """What was wrong, one text per variable; defaults that could not be made because of it are no news."""
    fields = {choices[0]: field for field, choices in names().items()}
    for detail in error.errors(include_url=False):
        if detail["type"] != "default_factory_not_called":
            yield _problem(fields[str(detail["loc"][0])], detail["msg"], given)


def _problem(field: str, fix: str, given: Mapping[str, str]) -> str:
    name = next(name for name in names()[field] if name in given)
    if field in _SECRET:
        return f"{name}: {fix}"
    return f"{name}: {without_credentials(given[name])[:80]!r} cannot be used: {fix}"
