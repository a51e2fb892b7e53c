"""The labels of a route: templates over the group that is told of, each of which may use the others by `routeLabels "name"`.

Source: A:template/template.go of 0.34. A label that fails, or that needs itself, says so in its text: the message goes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rules import templates
from rules.errors import RouteError, TemplateError
from rules.templates import TemplateData


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupData:
    """What the templates see of the group, in Alertmanager's words: `status` is firing or resolved."""

    receiver: str
    status: str
    group_labels: Mapping[str, str]
    common_labels: Mapping[str, str]
    common_annotations: Mapping[str, str]
    external_url: str = ""


def render(labels: Mapping[str, str], group: GroupData) -> dict[str, str]:
    """The labels with their texts made; one whose text is empty stays, as an empty text."""
    return {name: _shown(name, labels, group) for name in labels}


def check(labels: Mapping[str, str]) -> None:
    """Refuse a label whose template does not parse. Raises RouteError naming it."""
    for name, text in labels.items():
        try:
            templates.check_route_label(text)
        except TemplateError as error:
            raise RouteError(f"label {name!r}: {error}", field=f"labels.{name}") from error


def _shown(name: str, labels: Mapping[str, str], group: GroupData) -> str:
    try:
        return _text(name, labels, group, ())
    except TemplateError as error:
        return f"<error expanding template: {error}>"


def _text(name: str, labels: Mapping[str, str], group: GroupData, path: tuple[str, ...]) -> str:
    if name in path:
        raise TemplateError(f"the route's labels need each other in a circle: {' → '.join((*path, name))}")
    data = TemplateData(
        labels=group.common_labels,
        value=0.0,
        external_url=group.external_url,
        group={
            "Receiver": group.receiver,
            "Status": group.status,
            "GroupLabels": group.group_labels,
            "CommonLabels": group.common_labels,
            "CommonAnnotations": group.common_annotations,
        },
        route_label=lambda other: _text(other, labels, group, (*path, name)),
    )
    return templates.render(labels.get(name, ""), data)
