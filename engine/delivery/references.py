"""References to secrets: `env:NAME` and `file:PATH` stand in the database in the secret's place, read at each send.

Whoever may declare a channel chooses what it refers to and where that is sent, so not everything may be referred to: never
Tocsin's own settings, and of the rest what the setting TOCSIN_REFERENCES allows. A link is followed before it is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from engine.delivery.sealing import Keys, is_sealed
from rules.errors import ChannelError

ALLOWED: Final = ("env:*", "file:/run/secrets/*", "file:/var/run/secrets/*", "file:/etc/tocsin/*")
"""What may be referred to unless TOCSIN_REFERENCES says otherwise."""
SETTING: Final = "TOCSIN_REFERENCES"
OWN: Final = "TOCSIN_"
"""How the names of Tocsin's own variables begin; API keys, the database's password and the secret keys are among them."""
OPEN: Final = frozenset({"TOCSIN_PROMETHEUS_URL"})
"""Those of them a reference may always read: the datasource of a fresh database refers to it."""

FILE_LIMIT: Final = 64 * 1024
"""Bytes a referenced file may hold; a secret is short, and a wrong path must not fill the memory."""

_PLACEHOLDERS: Final = re.compile(
    r"<[^<>@]*>"  # <password>
    r"|\$\{?[A-Za-z_]\w*\}?"  # ${SLACK_WEBHOOK_URL}, never substituted
    r"|(change[-_ ]?me|replace[-_ ]?me|placeholder|todo|tbd|xxx+)",
    re.IGNORECASE,
)
_PLACEHOLDER_PARTS: Final = re.compile(
    r"\byour[-_/ ](?:[a-z0-9]+[-_/ ]){0,3}(?:webhook|password|token|key|secret|url)\b"  # YOUR/SLACK/WEBHOOK
    r"|x{8,}"  # …/T00000000/B00000000/XXXXXXXXXXXX, as Slack's own pages show it
    r"|https?://\S*<[^<>]*>",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, eq=False)
class Sources(Mapping[str, str]):
    """What references are read from: the environment, the references that may be read, and the keys of sealed texts.

    To everybody else it is the environment; a plain mapping in its place has the usual rules and no keys.
    """

    environment: Mapping[str, str] = field(repr=False)
    allowed: tuple[str, ...] = ALLOWED
    secret_keys: Keys = field(default_factory=Keys, repr=False)

    def __getitem__(self, name: str) -> str:
        return self.environment[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.environment)

    def __len__(self) -> int:
        return len(self.environment)

    def variable(self, name: str) -> str:
        """The variable's text, empty when it is not set; ChannelError when no reference may read it."""
        if name in OPEN:
            return self.environment.get(name, "")
        if name.upper().startswith(OWN):
            raise ChannelError(
                f"env:{name} is a setting of Tocsin itself, which no reference may read: use another name"
            )
        self._demand(f"env:{name}", f"env:{name}", self.allowed)
        return self.environment.get(name, "")

    def content(self, path: str) -> str:
        """The file's text; ChannelError, naming the path and never the content, when it may not or cannot be read."""
        real = _real(path)
        linked = "" if str(real) == path else f" (which is {real})"
        self._demand(f"file:{real}", f"file:{path}{linked}", map(_real_pattern, self.allowed))
        return _content(real)

    def _demand(self, reference: str, shown: str, patterns: Iterable[str]) -> None:
        if not any(fnmatchcase(reference, pattern) for pattern in patterns):
            allowed = ",".join(self.allowed)
            raise ChannelError(f"{shown} may not be read: {SETTING} allows {allowed}; add it there, or move the secret")


def sources(environment: Mapping[str, str]) -> Sources:
    """What references are read from, when it may be a plain environment."""
    return environment if isinstance(environment, Sources) else Sources(environment)


def resolve(text: str, environment: Mapping[str, str]) -> str | None:
    """What the text stands for: the variable, the file's content, what is sealed in it, or the text itself.

    `None` when that is unset: an absent or empty variable, an empty text, and what people leave in from an example
    (`<password>`, `YOUR/SLACK/WEBHOOK`, `changeme`). ChannelError, naming reference and setting and never a content, when a
    reference may not be followed, a file cannot be read, or no key opens the text.
    """
    known = sources(environment)
    kind, _, rest = text.partition(":")
    match kind:
        case "env":
            found = known.variable(rest.strip())
        case "file":
            found = known.content(rest)
        case _:
            found = known.secret_keys.opened(text)
    found = found.strip()
    return None if not found or is_placeholder(found) else found


def is_placeholder(text: str) -> bool:
    """Whether the text is what an example had in the place of the real thing."""
    return bool(_PLACEHOLDERS.fullmatch(text) or _PLACEHOLDER_PARTS.search(text))


def describe(text: str) -> str:
    """The reference as it may be shown; a literal, which may be the secret itself, is not repeated."""
    return text if is_reference(text) else "its text"


def is_reference(text: str) -> bool:
    """Whether the text only says where the secret is."""
    return text.startswith(("env:", "file:"))


def is_literal(text: str) -> bool:
    """Whether the text is itself what is meant, in clear."""
    return bool(text) and not is_reference(text) and not is_sealed(text)


def _real(path: str) -> Path:
    """Where the path leads, links followed."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError):  # Links in a circle, a NUL.
        raise ChannelError(f"file:{path} is no path: correct it") from None


def _real_pattern(pattern: str) -> str:
    """The pattern with the folders before its first wildcard as they really are: /var/run is a link on most systems."""
    path = pattern.removeprefix("file:")
    fixed = re.split(r"[*?\[]", path)[0]
    folders = fixed[: fixed.rfind("/") + 1]
    return f"file:{str(_real(folders)).rstrip('/')}/{path[len(folders) :]}" if folders else pattern


def _content(path: Path) -> str:
    try:
        if not path.is_file():  # A device or a pipe would block or never end.
            raise ChannelError(f"file:{path} is no file: mount the secret there, or correct the path")
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ChannelError(f"file:{path} cannot be read: {why}") from error
    if len(data) > FILE_LIMIT:
        raise ChannelError(f"file:{path} holds more than {FILE_LIMIT} bytes, so it is no secret: correct the path")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ChannelError(f"file:{path} is not UTF-8 text: correct the path") from None
