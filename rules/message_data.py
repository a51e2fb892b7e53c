"""What a message's template sees: Alertmanager's Data, with its alerts, its maps of labels and their methods.

Source: A:template/template.go. Only what stands here can be reached from a template; an unknown field is an error that names
those there are, except in a map of labels, where a label nobody has is an empty text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from gotpl import TemplateExecutionError

from rules.go_time import GoTime
from rules.labels import ALERTNAME
from rules.template_functions import Surroundings

FIRING: Final = "firing"


@runtime_checkable
class AsJson(Protocol):
    """What has a shape of its own in JSON."""

    def as_json(self) -> Mapping[str, object]: ...


class Texts(list[str]):
    """A Go `[]string`."""

    __slots__ = ()


class Pair:
    """One label with its value, as `.Name` and `.Value`."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    def __gotemplate_lookup__(self, field: str) -> object:
        return found_in({"Name": self.name, "Value": self.value}, field)

    def as_json(self) -> Mapping[str, object]:
        return {"Name": self.name, "Value": self.value}

    def __str__(self) -> str:
        return f"{{{self.name} {self.value}}}"


class Pairs(list[Pair]):
    """Labels in order."""

    __slots__ = ()

    def __gotemplate_lookup__(self, field: str) -> object:
        return found_in({"Names": self.names, "Values": self.values}, field)

    def names(self) -> Texts:
        return Texts(pair.name for pair in self)

    def values(self) -> Texts:
        return Texts(pair.value for pair in self)


class Labelled(dict[str, str]):
    """A KV: labels or annotations by name. Its methods come before labels of the same name, as in Go."""

    __slots__ = ()

    def __gotemplate_lookup__(self, field: str) -> object:
        methods: dict[str, Callable[..., object]] = {
            "SortedPairs": self.sorted_pairs,
            "Remove": self.remove,
            "Names": self.names,
            "Values": self.texts,
        }
        return methods.get(field) or self.get(field, "")

    def sorted_pairs(self) -> Pairs:
        """By name, `alertname` first."""
        return Pairs(Pair(name, self[name]) for name in sorted(self, key=lambda name: (name != ALERTNAME, name)))

    def remove(self, names: object) -> Labelled:
        """The others."""
        if not isinstance(names, list | tuple):
            raise TypeError(f'Remove wants a list of names, such as (stringSlice "alertname"), got {names!r:.40}')
        return Labelled({name: text for name, text in self.items() if name not in names})

    def names(self) -> Texts:
        return self.sorted_pairs().names()

    def texts(self) -> Texts:
        return self.sorted_pairs().values()

    def __go_map_type__(self) -> tuple[str, str]:
        return "string", "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertData:
    """One alert. `ends_at` is `None` while it fires, which a template sees as the year 1."""

    status: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: str = ""
    fingerprint: str = ""
    value: float | None = None

    def __gotemplate_lookup__(self, field: str) -> object:
        return found_in({**self._fields(), "Value": self.value}, field)

    def as_json(self) -> Mapping[str, object]:
        return {name if name.isupper() else name[0].lower() + name[1:]: one for name, one in self._fields().items()}

    def _fields(self) -> dict[str, object]:
        ended = datetime.min.replace(tzinfo=self.starts_at.tzinfo) if self.ends_at is None else self.ends_at
        return {
            "Status": self.status,
            "Labels": Labelled(self.labels),
            "Annotations": Labelled(self.annotations),
            "StartsAt": GoTime(self.starts_at),
            "EndsAt": GoTime(ended),
            "GeneratorURL": self.generator_url,
            "Fingerprint": self.fingerprint,
        }


class Alerts(list[AlertData]):
    """Alerts, which of them fire, and which are over."""

    __slots__ = ()

    def __gotemplate_lookup__(self, field: str) -> object:
        return found_in({"Firing": self.firing, "Resolved": self.resolved}, field)

    def firing(self) -> Alerts:
        return Alerts(alert for alert in self if alert.status == FIRING)

    def resolved(self) -> Alerts:
        return Alerts(alert for alert in self if alert.status != FIRING)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageData:
    """The dot of a message's template, in Alertmanager's words: `status` is firing or resolved.

    `now` is the time of the flush.
    """

    receiver: str
    status: str
    reason: str
    alerts: tuple[AlertData, ...]
    group_labels: Mapping[str, str]
    common_labels: Mapping[str, str]
    common_annotations: Mapping[str, str]
    route_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    now: datetime


class Root:
    """The data with what functions may see besides."""

    def __init__(self, data: MessageData, surroundings: Surroundings) -> None:
        self.data = data
        self.surroundings = surroundings

    def __gotemplate_lookup__(self, field: str) -> object:
        return found_in(self._fields(), field)

    def as_json(self) -> Mapping[str, object]:
        return {name[0].lower() + name[1:]: one for name, one in self._fields().items()}

    def _fields(self) -> dict[str, object]:
        data = self.data
        return {
            "Receiver": data.receiver,
            "Status": data.status,
            "Alerts": Alerts(data.alerts),
            "GroupLabels": Labelled(data.group_labels),
            "CommonLabels": Labelled(data.common_labels),
            "CommonAnnotations": Labelled(data.common_annotations),
            "RouteLabels": Labelled(data.route_labels),
            "ExternalURL": data.external_url,
            "NotificationReason": data.reason,
        }


def found_in(fields: Mapping[str, object], name: str) -> object:
    """The field; an error that names all of them when there is none of that name."""
    if name not in fields:
        raise TemplateExecutionError(f"can't evaluate field {name}; there are {_listed(fields)}")
    return fields[name]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
