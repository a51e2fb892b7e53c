"""References to secrets: `env:NAME` and `file:PATH` stand in the database in the secret's place, read at each send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rules.errors import ChannelError

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


def resolve(text: str, environment: Mapping[str, str]) -> str | None:
    """What the text stands for: the variable, the file's content, or the text itself; `None` when that is unset.

    Unset is an absent or empty variable, an empty text, and what people leave in from an example (`<password>`,
    `YOUR/SLACK/WEBHOOK`, `changeme`). ChannelError, naming the path and never the content, when a file cannot be read.
    """
    kind, _, rest = text.partition(":")
    match kind:
        case "env":
            found = environment.get(rest.strip(), "")
        case "file":
            found = _content(Path(rest))
        case _:
            found = text
    found = found.strip()
    return None if not found or is_placeholder(found) else found


def is_placeholder(text: str) -> bool:
    """Whether the text is what an example had in the place of the real thing."""
    return bool(_PLACEHOLDERS.fullmatch(text) or _PLACEHOLDER_PARTS.search(text))


def describe(text: str) -> str:
    """The reference as it may be shown; a literal, which may be the secret itself, is not repeated."""
    return text if text.startswith(("env:", "file:")) else "its text"


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
