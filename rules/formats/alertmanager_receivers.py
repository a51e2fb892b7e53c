"""Receivers of Alertmanager's file as channels: one channel for each integration, its texts kept as templates.

What a channel cannot take over is told at its line, as a warning; nothing a receiver says is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from rules.channels import Channel, ChannelKind
from rules.formats import alertmanager_apprise, alertmanager_services
from rules.formats.alertmanager_apprise import Builder
from rules.formats.alertmanager_fields import INTEGRATIONS
from rules.formats.alertmanager_form import Form
from rules.formats.reading import Reader
from rules.formats.yaml_text import Node
from rules.problems import Severity

LONGEST_NAME: Final = 200
"""Characters of a channel's name."""
_BUILDERS: Final[Mapping[str, Builder]] = {
    "slack_configs": alertmanager_services.slack,
    "pagerduty_configs": alertmanager_services.pagerduty,
    "email_configs": alertmanager_services.email,
    "webhook_configs": alertmanager_services.webhook,
    **alertmanager_apprise.BUILDERS,
}

_ORDER: Final = {kind: place for place, kind in enumerate(ChannelKind)}
"""Channels of a receiver stand in the order of their kinds, which may be others than the file's."""


class Receivers:
    """Reads receivers; `taken` are channel names that are somebody's already."""

    def __init__(self, reader: Reader, common: Mapping[str, Node], taken: Collection[str]) -> None:
        self.reader = reader
        self.common = common
        self.taken = frozenset(taken)
        self.used = set(taken)

    def receiver(self, node: Node, at: int) -> tuple[str, list[Channel]]:
        """The receiver's name and its channels, in the file's order."""
        place = f"receiver {at + 1}"
        fields = self.reader.mapping(node, place, ("name", "labels", *INTEGRATIONS))
        name = self.reader.text(fields.get("name"), "name", f"{place}: ")
        label = f"receiver {name!r}: " if name else f"{place}: "
        if not name:
            self.reader.tell(
                fields.get("name", node), "name", f"{label}the name is missing; routes refer to it by that"
            )
        if "labels" in fields:
            message = f"{label}labels of a receiver are not carried over; a channel has a team instead"
            self.reader.tell(fields["labels"], "labels", message, Severity.WARNING)
        forms = list(self.forms(fields, label))
        channels = [channel for form in forms if (channel := self.channel(form, name, alone=len(forms) == 1))]
        channels.sort(key=lambda channel: _ORDER[channel.kind])
        if not forms:
            message = (
                f"{label}it tells nobody; what reaches it goes to the channel log, since no alert goes into the void"
            )
            self.reader.tell(node, "name", message, Severity.WARNING)
        return name, channels

    def forms(self, fields: Mapping[str, Node], label: str) -> Iterator[Form]:
        for name, integration in INTEGRATIONS.items():
            for at, item in enumerate(self.reader.list(fields.get(name), f"{label}{name}")):
                place = f"{label}{name}[{at}]"
                yield Form(
                    reader=self.reader,
                    node=item,
                    label=f"{place}: ",
                    fields=self.reader.mapping(item, place, integration.known),
                    common=self.common,
                    integration=integration,
                )

    def channel(self, form: Form, receiver: str, *, alone: bool) -> Channel | None:
        """The channel of one integration; `None` where Tocsin has no door to the service, which is told."""
        build = _BUILDERS.get(form.integration.name)
        if build is None:
            message = f"{form.integration.name} is not carried over: no channel speaks to it; use a webhook instead"
            form.tell("", message)
            return None
        address = build(form)
        templates = self.templates(form)
        resolved = form.flag("send_resolved", default=form.integration.send_resolved)
        form.left_over()
        if address is None:
            return None
        return Channel(
            name=self.name(receiver, form, address.kind, alone=alone),
            kind=address.kind,
            url=address.url,
            settings={name: text for name, text in address.settings.items() if text},
            send_resolved=resolved,
            templates=templates,
        )

    def templates(self, form: Form) -> dict[str, str]:
        """The texts the integration gives its messages, by their fields; one that says Alertmanager's default is none."""
        found = {name: form.text(name) for name in form.integration.templates if name in form.fields}
        if form.integration.name == "email_configs":
            found |= alertmanager_services.headers(form)
        if form.integration.name == "pagerduty_configs":
            found |= alertmanager_services.details(form)
        return {name: text for name, text in found.items() if text and not is_default(text, form.integration.service)}

    def name(self, receiver: str, form: Form, kind: ChannelKind, *, alone: bool) -> str:
        """The receiver's own name where it has one integration, else with the service's; numbered where that is taken."""
        service = form.integration.service.removesuffix("v2") if kind is ChannelKind.APPRISE else kind.value
        tail = "" if alone else f"-{service}"
        wanted = receiver[: LONGEST_NAME - 20] + tail
        name, times = wanted, 1
        while name in self.used:
            times += 1
            name = f"{wanted}-{times}"
        self.used.add(name)
        if wanted in self.taken:
            form.tell(
                "", f"a channel {wanted!r} is there already, and is not the import's: this one is called {name!r}"
            )
        return name


def is_default(text: str, service: str) -> bool:
    """Whether the text is but a call of the template Alertmanager has by default, for which Tocsin has its own message."""
    bare = "".join(text.replace("{{-", "{{").replace("-}}", "}}").split())
    return bare.startswith(f'{{{{template"{service}.default.') and bare.endswith('".}}') and bare.count("{{") == 1
