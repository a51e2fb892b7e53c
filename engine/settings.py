"""The environment as one frozen value, read once at start; docs/settings.md has a row for every name here.

Nothing is guessed: a wrong value, and a TOCSIN_ name that does not exist, end the start with one line that names the
variable and the fix. No error and no repr shows a secret. A variable set to nothing counts as unset.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from engine import fallback
from engine.core.roles import EVERY, Role
from engine.delivery import references, sealing
from engine.delivery.references import Sources
from engine.destinations import PrivateAddresses
from engine.telemetry import LogFormat, LogLevel, without_credentials
from rules import durations
from rules.errors import ChannelError, DurationError
from rules.labels import ALERTNAME, METRIC_NAME, Labels

PREFIX: Final = "TOCSIN_"
KEY_LENGTH: Final = 16
"""Characters an API key has at least."""
LONGEST: Final = timedelta(days=1)
"""No span here may be longer; a day of silence between two looks is a mistake, not a setting."""

EVER: Final = timedelta(days=36_500)

_SECRET: Final = frozenset({"api_keys", "database_url", "fallback_channel", "heartbeat_url", "secret_keys"})
"""Fields whose values no message repeats."""
CLIENT: Final = ("TOCSIN_URL", "TOCSIN_API_KEY")
"""What the commands that ask a running Tocsin read; a server is not disturbed by them."""
_KUBERNETES: Final = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$")
"""What Kubernetes sets in every container beside a Service whose name begins with `tocsin`."""
_SIZES: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

E = TypeVar("E", bound=StrEnum)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where the API listens; prints as `host:port`, IPv6 in brackets. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every address of this machine, which is no address to send people to."""
        return self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def _wrong(problem: str) -> PydanticCustomError:
    # Braces would be read as placeholders; the text is a value of the template instead.
    return PydanticCustomError("setting", "{problem}", {"problem": problem})


def _listen(text: object) -> Listen:
    if isinstance(text, Listen):
        return text
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([\w.-]+)):(\d{1,5})", str(text), re.ASCII)
    if found is None or int(found[3]) > 65535 or (found[1] and ":" not in found[1]):
        raise _wrong("write host:port, such as 127.0.0.1:9099 or [::1]:9099")
    return Listen(host=found[1] or found[2], port=int(found[3]))


def _span(text: object) -> timedelta:
    if isinstance(text, timedelta):
        return text
    try:
        seconds = re.fullmatch(r"\d{1,9}(\.\d{1,6})?", str(text), re.ASCII)
        span = timedelta(seconds=float(seconds[0])) if seconds else durations.parse(str(text))
    except DurationError:
        raise _wrong("write a duration such as 60s or 1m, or seconds such as 60") from None
    if not timedelta(0) < span <= LONGEST:
        raise _wrong("must be longer than 0s and at most 1d")
    return span


def _offset(text: object) -> timedelta:
    return timedelta(0) if str(text) in ("0", "0s") else _span(text)


def _age(text: object) -> timedelta:
    if isinstance(text, timedelta):
        return text
    try:
        age = durations.parse(str(text))
    except DurationError:
        raise _wrong("write a duration such as 90d or 1y") from None
    if not timedelta(hours=1) <= age <= EVER:
        raise _wrong("must be at least 1h and at most 100y")
    return age


def _keys(text: object) -> tuple[SecretStr, ...]:
    keys = [key.strip() for key in str(text).split(",") if key.strip()]
    if any(len(key) < KEY_LENGTH for key in keys):
        raise _wrong(f"every key needs at least {KEY_LENGTH} characters; make one with: openssl rand -hex 32")
    if any(not re.fullmatch(r"[\x21-\x7e]+", key) for key in keys):
        raise _wrong("a key may hold printable ASCII without blanks only, with a comma between two keys")
    return tuple(SecretStr(key) for key in keys)


def _secret_keys(text: object) -> tuple[SecretStr, ...]:
    keys = _listed(text)
    if not all(sealing.is_key(key) for key in keys):
        raise _wrong("every key must be a Fernet key, with a comma between two; make one with: tocsin secrets generate")
    return tuple(SecretStr(key) for key in keys)


def _references(text: object) -> tuple[str, ...]:
    patterns = _listed(text)
    if not all(re.match(r"env:|file:[/*]", pattern) for pattern in patterns):
        raise _wrong("write env:NAME or file:/PATH with * for anything, separated by commas, such as env:SLACK_*")
    return tuple(patterns)


def _labels(text: object) -> Labels:
    if isinstance(text, Labels):
        return text
    pairs = _pairs(str(text))
    if not pairs or not all(_is_label(name, value) for name, value in pairs.items()):
        raise _wrong('write name=value with commas between, or JSON such as {"cluster": "eu-1"}; no value may be empty')
    return Labels({name: str(value) for name, value in pairs.items()})


def _pairs(text: str) -> dict[str, object] | None:
    try:
        if text.startswith("{"):
            pairs: dict[str, object] = json.loads(text)
            return pairs
        split = [part.split("=", 1) for part in _listed(text)]
        return {name.strip(): value.strip() for name, value in split}
    except ValueError:
        return None


def _is_label(name: str, value: object) -> bool:
    own = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name not in (ALERTNAME, METRIC_NAME)
    return bool(own) and isinstance(value, str) and bool(value.strip())


def _listed(text: object) -> list[str]:
    return [part.strip() for part in str(text).split(",") if part.strip()]


def _url(text: object) -> str:
    url = str(text).rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise _wrong("write a URL such as http://127.0.0.1:9090")
    return url


def _optional_url(text: object) -> str:
    return _url(text) if text else ""


def _bytes(text: object) -> int:
    found = re.fullmatch(r"(\d{1,12}) ?(|KiB|MiB|GiB)", str(text), re.ASCII)
    if found is None or int(found[1]) == 0:
        raise _wrong("write a size such as 64MiB, or bytes such as 67108864")
    return int(found[1]) * _SIZES[found[2]]


def _count(text: object) -> int:
    if not re.fullmatch(r"\d{1,4}", str(text), re.ASCII) or not 1 <= int(str(text)) <= 1000:
        raise _wrong("write a number from 1 to 1000")
    return int(str(text))


def _cap(text: object) -> int:
    if not re.fullmatch(r"\d{1,6}", str(text), re.ASCII):
        raise _wrong("write a number from 0 (none) to 999999")
    return int(str(text))


def _fallback(text: object) -> str:
    try:
        fallback.channel(str(text))
    except ChannelError as error:
        raise _wrong(error.message) from None
    return str(text)


def _node(text: object) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", str(text)):
        raise _wrong("write a name of up to 255 printable ASCII characters without blanks")
    return str(text)


def _roles(text: object) -> frozenset[Role]:
    if isinstance(text, frozenset):
        return text
    words = [word.lower() for word in _listed(text)]
    if not words or any(word not in list(Role) for word in words):
        raise _wrong(f"write one or more of {', '.join(Role)}, with a comma between two")
    return frozenset(map(Role, words))


def _one_of(kind: type[E]) -> Callable[[object], E]:
    def parse(text: object) -> E:
        word = str(text).lower()
        if word not in list(kind):
            raise _wrong(f"write one of {', '.join(kind)}")
        return kind(word)

    return parse


def _external_url(found: dict[str, Any]) -> str:
    """Where people reach us: the address we listen on, under this machine's name when that is every address."""
    listen: Listen = found["listen"]
    return f"http://{Listen(host=socket.gethostname(), port=listen.port) if listen.is_everywhere else listen}"


Span = Annotated[timedelta, BeforeValidator(_span)]
Age = Annotated[timedelta, BeforeValidator(_age)]
Url = Annotated[str, BeforeValidator(_url)]
Count = Annotated[int, BeforeValidator(_count)]


def _named(*names: str, default: object, shown: bool = True) -> Any:
    """A field read from the first of these variables that is set; one that may hold a secret is not shown by repr."""
    return Field(default=default, validation_alias=AliasChoices(*names), repr=shown)


class Settings(BaseSettings):
    """Everything that can be set from outside; what a field means and accepts is in docs/settings.md."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True)

    prometheus_url: Url = _named("TOCSIN_PROMETHEUS_URL", default="http://127.0.0.1:9090", shown=False)
    database_url: str = _named("TOCSIN_DATABASE_URL", default="sqlite:///tocsin.db", shown=False)
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_keys)] = _named("TOCSIN_API_KEYS", default=())
    listen: Annotated[Listen, NoDecode, BeforeValidator(_listen)] = _named(
        "TOCSIN_LISTEN", default=Listen(host="127.0.0.1", port=9099)
    )
    external_url: Url = Field(default_factory=_external_url, validation_alias=AliasChoices("TOCSIN_EXTERNAL_URL"))
    external_labels: Annotated[Labels, NoDecode, BeforeValidator(_labels)] = _named(
        "TOCSIN_EXTERNAL_LABELS", default=Labels()
    )
    evaluation_interval: Span = _named(
        "TOCSIN_EVALUATION_INTERVAL", "ALERT_EVALUATION_INTERVAL", default=timedelta(seconds=60)
    )
    query_offset: Annotated[timedelta, BeforeValidator(_offset)] = _named("TOCSIN_QUERY_OFFSET", default=timedelta(0))
    query_timeout: Span = _named("TOCSIN_QUERY_TIMEOUT", default=timedelta(seconds=10))
    query_concurrency: Count = _named("TOCSIN_QUERY_CONCURRENCY", default=8)
    planning: Annotated[Planning, BeforeValidator(_one_of(Planning))] = _named("TOCSIN_PLANNING", default=Planning.ON)
    query_max_bytes: Annotated[int, BeforeValidator(_bytes)] = _named("TOCSIN_QUERY_MAX_BYTES", default=64 << 20)
    metrics_alerts: Annotated[int, BeforeValidator(_cap)] = _named("TOCSIN_METRICS_ALERTS", default=0)
    delivery: Annotated[Delivery, BeforeValidator(_one_of(Delivery))] = _named("TOCSIN_DELIVERY", default=Delivery.SEND)
    delivery_timeout: Span = _named("TOCSIN_DELIVERY_TIMEOUT", default=timedelta(seconds=10))
    delivery_concurrency: Count = _named("TOCSIN_DELIVERY_CONCURRENCY", default=16)
    fallback_channel: Annotated[str, BeforeValidator(_fallback)] = _named(
        "TOCSIN_FALLBACK_CHANNEL", default="log", shown=False
    )
    retention: Age = _named("TOCSIN_RETENTION", default=timedelta(days=90))
    message_retention: Age = _named("TOCSIN_MESSAGE_RETENTION", default=timedelta(days=14))
    heartbeat_url: Annotated[str, BeforeValidator(_optional_url)] = _named(
        "TOCSIN_HEARTBEAT_URL", default="", shown=False
    )
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_secret_keys)] = _named(
        "TOCSIN_SECRET_KEY", default=(), shown=False
    )
    references: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_references)] = _named(
        "TOCSIN_REFERENCES", default=references.ALLOWED
    )
    rule_files: Annotated[tuple[str, ...], NoDecode, BeforeValidator(lambda text: tuple(_listed(text)))] = _named(
        "TOCSIN_RULE_FILES", default=()
    )
    alertmanager_file: Path | None = _named("TOCSIN_ALERTMANAGER_FILE", default=None)
    private_addresses: Annotated[PrivateAddresses, BeforeValidator(_one_of(PrivateAddresses))] = _named(
        "TOCSIN_PRIVATE_ADDRESSES", default=PrivateAddresses.ALLOW
    )
    health_check_timeout: Span = _named(
        "HEALTH_CHECK_TIMEOUT", "TOCSIN_HEALTH_CHECK_TIMEOUT", default=timedelta(seconds=3)
    )
    resolve_timeout: Span = _named("TOCSIN_RESOLVE_TIMEOUT", default=timedelta(minutes=5))
    lease: Span = _named("TOCSIN_LEASE", default=timedelta(seconds=15))
    node: Annotated[str, BeforeValidator(_node)] = Field(
        default_factory=socket.gethostname, validation_alias=AliasChoices("TOCSIN_NODE")
    )
    roles: Annotated[frozenset[Role], NoDecode, BeforeValidator(_roles)] = _named("TOCSIN_ROLES", default=EVERY)
    log_level: Annotated[LogLevel, BeforeValidator(_one_of(LogLevel))] = _named(
        "TOCSIN_LOG_LEVEL", "LOG_LEVEL", default=LogLevel.INFO
    )
    log_format: Annotated[LogFormat, BeforeValidator(_one_of(LogFormat))] = _named(
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
