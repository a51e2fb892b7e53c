"""What the text of one variable means, and the fix when it means nothing: each function reads one kind of value.

They raise PydanticCustomError, whose text is the fix alone; `engine.settings` names the variable.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from engine import fallback
from engine.core.roles import Role
from engine.delivery import sealing
from rules import durations
from rules.errors import ChannelError, DurationError
from rules.labels import ALERTNAME, METRIC_NAME, Labels

KEY_LENGTH: Final = 16
"""Characters an API key has at least."""
LONGEST: Final = timedelta(days=1)
"""No span here may be longer; a day of silence between two looks is a mistake, not a setting."""
EVER: Final = timedelta(days=36_500)
_SIZES: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

E = TypeVar("E", bound=StrEnum)


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


def listen(text: object) -> Listen:
    """`host:port`, IPv6 in brackets."""
    if isinstance(text, Listen):
        return text
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([\w.-]+)):(\d{1,5})", str(text), re.ASCII)
    if found is None or int(found[3]) > 65535 or (found[1] and ":" not in found[1]):
        raise _wrong("write host:port, such as 127.0.0.1:9099 or [::1]:9099")
    return Listen(host=found[1] or found[2], port=int(found[3]))


def span(text: object) -> timedelta:
    """A duration as Prometheus writes one, or seconds; longer than nothing, at most a day."""
    if isinstance(text, timedelta):
        return text
    try:
        seconds = re.fullmatch(r"\d{1,9}(\.\d{1,6})?", str(text), re.ASCII)
        found = timedelta(seconds=float(seconds[0])) if seconds else durations.parse(str(text))
    except DurationError:
        raise _wrong("write a duration such as 60s or 1m, or seconds such as 60") from None
    if not timedelta(0) < found <= LONGEST:
        raise _wrong("must be longer than 0s and at most 1d")
    return found


def offset(text: object) -> timedelta:
    """As `span`, and 0."""
    return timedelta(0) if str(text) in ("0", "0s") else span(text)


def age(text: object) -> timedelta:
    """A duration from an hour to a hundred years."""
    if isinstance(text, timedelta):
        return text
    try:
        found = durations.parse(str(text))
    except DurationError:
        raise _wrong("write a duration such as 90d or 1y") from None
    if not timedelta(hours=1) <= found <= EVER:
        raise _wrong("must be at least 1h and at most 100y")
    return found


def api_keys(text: object) -> tuple[SecretStr, ...]:
    """Keys with commas between, each long enough to be one."""
    keys = [key.strip() for key in str(text).split(",") if key.strip()]
    if any(len(key) < KEY_LENGTH for key in keys):
        raise _wrong(f"every key needs at least {KEY_LENGTH} characters; make one with: openssl rand -hex 32")
    if any(not re.fullmatch(r"[\x21-\x7e]+", key) for key in keys):
        raise _wrong("a key may hold printable ASCII without blanks only, with a comma between two keys")
    return tuple(SecretStr(key) for key in keys)


def secret_keys(text: object) -> tuple[SecretStr, ...]:
    """Fernet keys with commas between."""
    keys = listed(text)
    if not all(sealing.is_key(key) for key in keys):
        raise _wrong("every key must be a Fernet key, with a comma between two; make one with: tocsin secrets generate")
    return tuple(SecretStr(key) for key in keys)


def reference_patterns(text: object) -> tuple[str, ...]:
    """Patterns of references that may be followed, with commas between."""
    patterns = listed(text)
    if not all(re.match(r"env:|file:[/*]", pattern) for pattern in patterns):
        raise _wrong("write env:NAME or file:/PATH with * for anything, separated by commas, such as env:SLACK_*")
    return tuple(patterns)


def labels(text: object) -> Labels:
    """`name=value` with commas between, or an object of JSON."""
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
        split = [part.split("=", 1) for part in listed(text)]
        return {name.strip(): value.strip() for name, value in split}
    except ValueError:
        return None


def _is_label(name: str, value: object) -> bool:
    own = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name not in (ALERTNAME, METRIC_NAME)
    return bool(own) and isinstance(value, str) and bool(value.strip())


def listed(text: object) -> list[str]:
    """The parts between commas."""
    return [part.strip() for part in str(text).split(",") if part.strip()]


def url(text: object) -> str:
    """An HTTP address, less its final slash."""
    address = str(text).rstrip("/")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not address.isprintable() or " " in address:
        raise _wrong("write a URL such as http://127.0.0.1:9090")
    return address


def optional_url(text: object) -> str:
    """As `url`, or nothing."""
    return url(text) if text else ""


def size(text: object) -> int:
    """Bytes, plain or in KiB, MiB or GiB."""
    found = re.fullmatch(r"(\d{1,12}) ?(|KiB|MiB|GiB)", str(text), re.ASCII)
    if found is None or int(found[1]) == 0:
        raise _wrong("write a size such as 64MiB, or bytes such as 67108864")
    return int(found[1]) * _SIZES[found[2]]


def count(text: object) -> int:
    """A number from 1 to 1000."""
    if not re.fullmatch(r"\d{1,4}", str(text), re.ASCII) or not 1 <= int(str(text)) <= 1000:
        raise _wrong("write a number from 1 to 1000")
    return int(str(text))


def cap(text: object) -> int:
    """A number from 0, which is none, to 999999."""
    if not re.fullmatch(r"\d{1,6}", str(text), re.ASCII):
        raise _wrong("write a number from 0 (none) to 999999")
    return int(str(text))


def fallback_channel(text: object) -> str:
    """What names a fallback channel, as it was written."""
    try:
        fallback.channel(str(text))
    except ChannelError as error:
        raise _wrong(error.message) from None
    return str(text)


def node(text: object) -> str:
    """The name of a process."""
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", str(text)):
        raise _wrong("write a name of up to 255 printable ASCII characters without blanks")
    return str(text)


def roles(text: object) -> frozenset[Role]:
    """Roles with commas between."""
    if isinstance(text, frozenset):
        return text
    words = [word.lower() for word in listed(text)]
    if not words or any(word not in list(Role) for word in words):
        raise _wrong(f"write one or more of {', '.join(Role)}, with a comma between two")
    return frozenset(map(Role, words))


def one_of(kind: type[E]) -> Callable[[object], E]:
    """What reads one word of a closed set, in any case."""

    def parse(text: object) -> E:
        word = str(text).lower()
        if word not in list(kind):
            raise _wrong(f"write one of {', '.join(kind)}")
        return kind(word)

    return parse


def external_url(found: dict[str, Any]) -> str:
    """Where people reach us: the address we listen on, under this machine's name when that is every address."""
    at: Listen = found["listen"]
    return f"http://{Listen(host=socket.gethostname(), port=at.port) if at.is_everywhere else at}"
