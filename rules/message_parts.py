"""Which parts of a channel's messages templates may say, by the names Alertmanager's receivers have for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rules import message_templates
from rules.channels import Channel, ChannelKind
from rules.errors import ChannelError, TemplateError

DEFINITIONS: Final = "definitions"
"""What `{{ define }}` blocks stand under, for the other templates of the channel to use."""
DETAILS: Final = "details."
"""What the names of PagerDuty's custom details begin with."""
HTML: Final = frozenset({"html"})
"""The parts that are HTML, in which what is filled in is escaped."""
PARTS: Final[Mapping[ChannelKind, tuple[str, ...]]] = {
    ChannelKind.SLACK: (
        "title", "title_link", "text", "pretext", "fallback", "color", "footer", "message_text", "username", "icon_emoji",
        "icon_url", "image_url", "thumb_url",
    ),
    ChannelKind.PAGERDUTY: ("description", "severity", "class", "component", "group", "source", "client", "client_url"),
    ChannelKind.EMAIL: ("subject", "text", "html"),
    ChannelKind.WEBHOOK: ("payload",),
    ChannelKind.APPRISE: ("title", "subject", "summary", "text", "message", "description", "state_message"),
    ChannelKind.LOG: ("text",),
}  # fmt: skip


def wrong(kind: ChannelKind, templates: Mapping[str, str]) -> Iterator[ChannelError]:
    """What is wrong with a channel's templates, each with its field, its line and the fix."""
    definitions = templates.get(DEFINITIONS, "")
    for name, text in templates.items():
        if not known(kind, name):
            named = ", ".join((*PARTS[kind], DEFINITIONS))
            message = f"a channel of kind {kind.value} has no part {name!r}; it has {named}"
            yield ChannelError(message, field=f"templates.{name}")
            continue
        try:
            message_templates.check(text, "" if name == DEFINITIONS else definitions, html=name in HTML)
        except TemplateError as error:
            yield ChannelError(f"template {name!r}: {error.message}", field=f"templates.{name}")


def known(kind: ChannelKind, name: str) -> bool:
    """Whether templates of the kind may have this name."""
    detail = kind is ChannelKind.PAGERDUTY and name.startswith(DETAILS) and len(name) > len(DETAILS)
    return detail or name == DEFINITIONS or name in PARTS[kind]


def check(channel: Channel) -> None:
    """Refuse a channel whose templates cannot be used. Raises ChannelError naming the first."""
    for error in wrong(channel.kind, channel.templates):
        raise error
