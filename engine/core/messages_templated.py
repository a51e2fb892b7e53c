"""The parts of a message that a channel's own templates say; what fails is left to the default, and told of.

What a template is shown of labels and annotations is made harmless for the service first: a template's own `<!channel>` is
Slack's command, a label's is text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from engine.core.facts import AlertFacts, Facts
from engine.core.messages_text import clean, common, common_labels
from rules import message_templates, route_labels
from rules.channels import ChannelKind
from rules.errors import TemplateError
from rules.message_data import AlertData, MessageData
from rules.message_parts import DEFINITIONS, HTML, known
from rules.route_labels import GroupData

_HELD: Final = str.maketrans({"<": "\ue0b0", ">": "\ue0b1", "&": "\ue0b2"})
_LET_GO: Final = str.maketrans({"\ue0b0": "&lt;", "\ue0b1": "&gt;", "\ue0b2": "&amp;"})
_RAW: Final = str.maketrans({"\ue0b0": "<", "\ue0b1": ">", "\ue0b2": "&"})
_STOOD_FOR: Final = re.compile("[\ue0b0\ue0b1\ue0b2]")
_MENTION: Final = re.compile("<(?=[!@#])")
"""What begins a mention in Slack; an annotation may hold a link on purpose, but calls nobody."""
_ADDRESSES: Final = frozenset({"title_link", "icon_url", "image_url", "thumb_url"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The texts templates made, by part, and what kept others from being made, each in a line."""

    texts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def parts(kind: ChannelKind, facts: Facts, templates: Mapping[str, str]) -> Parts:
    """What the templates of a channel of this kind say of the facts."""
    if not templates:
        return Parts()
    data = _data(facts, kind)
    definitions = templates.get(DEFINITIONS, "")
    texts: dict[str, str] = {}
    problems: list[str] = []
    for name, template in templates.items():
        if name == DEFINITIONS:
            continue
        try:
            texts[name] = _made(kind, name, template, definitions, data)
        except TemplateError as error:
            problems.append(f"template {name!r} of this channel failed, its default stands here: {error.message}")
    return Parts(texts=texts, problems=tuple(problems))


def _made(kind: ChannelKind, name: str, template: str, definitions: str, data: MessageData) -> str:
    if not known(kind, name):
        raise TemplateError(f"a channel of kind {kind.value} has no such part")
    text = clean(message_templates.render(template, data, definitions, html=name in HTML))
    if name == "payload":
        return _checked_json(text)
    return text.translate(_RAW) if name in _ADDRESSES else text


def _checked_json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        raise TemplateError(f"it made no JSON: {error}; `toJson` quotes a text") from error
    return text


def let_go(text: str, limit: int) -> str:
    """A text for Slack with `<`, `>` and `&` of labels as they are shown, at most `limit` characters of it."""
    made = text[: limit + 1].translate(_LET_GO)
    if len(made) <= limit:
        return made
    sizes = accumulate(len(letter.translate(_LET_GO)) for letter in text[:limit])
    kept = sum(size < limit for size in sizes)
    return text[:kept].translate(_LET_GO) + "…"


def _data(facts: Facts, kind: ChannelKind) -> MessageData:
    label, annotation = (_held, _unmentioning) if kind is ChannelKind.SLACK else (_same, _same)
    alerts = tuple(_alert(one, label, annotation) for one in sorted(facts.alerts, key=_place))
    return MessageData(
        receiver=facts.receiver,
        status=facts.status,
        reason=facts.reason,
        alerts=alerts,
        group_labels=_each(facts.group_labels, label),
        common_labels=_each(common_labels(facts), label),
        common_annotations=common(one.annotations for one in alerts),
        route_labels=_each(rendered_route_labels(facts), label),
        external_url=facts.external_url,
        now=facts.flush_at,
    )


def _place(alert: AlertFacts) -> tuple[object, ...]:
    """Where Alertmanager has the alert among others: by job, by instance, then by labels (A:types AlertSlice)."""
    labels = alert.labels
    named = [(name not in labels, labels.get(name, "")) for name in ("job", "instance")]
    return (*named, len(labels), sorted(labels.items()))


def _alert(alert: AlertFacts, label: Callable[[str], str], annotation: Callable[[str], str]) -> AlertData:
    return AlertData(
        status=alert.status,
        labels=_each(alert.labels, label),
        annotations=_each(alert.annotations, annotation),
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
        generator_url=alert.generator_url,
        fingerprint=alert.fingerprint,
        value=alert.value,
    )


def _each(pairs: Mapping[str, str], change: Callable[[str], str]) -> dict[str, str]:
    return {change(name): change(pairs[name]) for name in pairs}


def _same(text: str) -> str:
    return text


def _held(text: str) -> str:
    return _STOOD_FOR.sub("\N{REPLACEMENT CHARACTER}", text).translate(_HELD)


def _unmentioning(text: str) -> str:
    return _MENTION.sub("\ue0b0", _STOOD_FOR.sub("\N{REPLACEMENT CHARACTER}", text))


def rendered_route_labels(facts: Facts) -> dict[str, str]:
    """The labels of the group's route, their texts made."""
    group = GroupData(
        receiver=facts.receiver,
        status=facts.status,
        group_labels=facts.group_labels,
        common_labels=common(alert.labels for alert in facts.alerts),
        common_annotations=common(alert.annotations for alert in facts.alerts),
        external_url=facts.external_url,
    )
    return route_labels.render(facts.route_labels, group)
