"""The nouns of the API as the command line knows them: where each is found, what names it, and what people want to see of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from api.commands import words

Fields = Mapping[str, Any]
Reader = Callable[[Fields, datetime], str]
"""What a cell says about an object at a moment."""


class Fit(StrEnum):
    """What becomes of a column when the terminal is narrow: it stays whole, or is wrapped to more lines."""

    WHOLE = "whole"
    WRAP = "wrap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a list in a terminal.

    One that wraps is read with ease from `least` on; so that it gets as much, columns with a `spare` are left out, the lowest
    first.
    """

    title: str
    read: Reader
    fit: Fit = Fit.WHOLE
    least: int = 12
    spare: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """A kind of object: its words, its path below /api/v1, the field that names it, its columns, what says what it is in a
    completion."""

    word: str
    plural: str
    path: str
    key: str
    columns: tuple[Column, ...]
    hint: str = ""

    @property
    def command(self) -> str:
        """Its group of commands: `time-intervals`."""
        return self.plural.replace(" ", "-")


def found(item: Fields, path: str) -> Any:
    """The value at a dotted path, `None` where there is none."""
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def column(title: str, field: str, fit: Fit = Fit.WRAP) -> Column:
    """A column that says a field as it is."""
    return Column(title=title, read=lambda item, _now: words.plain(item[field]), fit=fit)


def _field(title: str, path: str, fit: Fit = Fit.WHOLE, *, spare: int = 0) -> Column:
    return Column(title=title, read=lambda item, _: words.plain(found(item, path)), fit=fit, spare=spare)


def _when(title: str, path: str, *, spare: int = 0) -> Column:
    return Column(title=title, read=lambda item, now: words.relative(found(item, path), now), spare=spare)


def _matchers(title: str, path: str) -> Column:
    return Column(title=title, read=lambda item, _: words.matchers(found(item, path)), fit=Fit.WRAP)


def _state(item: Fields, _now: datetime) -> str:
    return "disabled" if item.get("enabled") is False else words.plain(found(item, "status.state"))


def _ending(item: Fields, now: datetime) -> str:
    """When a silence ends, and within which of its time intervals alone it holds until then."""
    end, intervals = words.relative(item.get("ends_at"), now), item.get("time_intervals")
    if item.get("state") == "expired":
        return end
    if item.get("until_resolved"):
        end = f"when resolved, {end} at the latest"
    return f"{end}, within {words.plain(intervals)} only" if intervals else end


def _validity(item: Fields, now: datetime) -> str:
    bounds = [(word, item.get(f"valid_{word}")) for word in ("from", "to")]
    return ", ".join(f"{word} {words.relative(at, now)}" for word, at in bounds if at) or "always"


def _other_labels(item: Fields, _now: datetime) -> str:
    return words.labels(item.get("labels"), without=frozenset({"alertname"}))


def _muted_by(item: Fields, now: datetime) -> str:
    mutes = item.get("muted_by") or []
    texts = [f"{words.plain(one.get('kind'))} {_short(words.plain(one.get('id')))}{_until(one, now)}" for one in mutes]
    return ", ".join(texts) or words.NONE


def _short(key: str) -> str:
    """Enough of an id to know it by; of those we make, eight digits."""
    return key if len(key) < 32 else f"{key[:8]}…"


def _until(mute: Fields, now: datetime) -> str:
    return f" (ends {words.relative(mute['until'], now)})" if mute.get("until") else ""


def _receiver(item: Fields, _now: datetime) -> str:
    """Who is told by a route: its channels, else its receiver; inherited when it names neither."""
    return words.plain(item.get("channels") or item.get("receiver") or "(inherited)")


def _last_error(item: Fields, _now: datetime) -> str:
    attempts = item.get("attempts") or [{}]
    return words.plain(attempts[-1].get("error"))


def _addressee(item: Fields, _now: datetime) -> str:
    """The channel, and who of several is meant by it."""
    return " ".join(words.plain(part) for part in (item.get("channel"), item.get("recipient")) if part) or words.NONE


def _periods(item: Fields, _now: datetime) -> str:
    return "; ".join(_period(one) for one in item.get("time_intervals") or ()) or words.NONE


def _period(period: Fields) -> str:
    """One period of an interval in a line: `monday:friday 09:00-17:00 Europe/Berlin`."""
    times = [f"{one.get('start_time')}-{one.get('end_time')}" for one in period.get("times") or ()]
    days = [period.get(name) for name in ("weekdays", "days_of_month", "months", "years")]
    parts = [*(words.plain(one) for one in days if one), ", ".join(times), str(period.get("location") or "")]
    return words.printable(" ".join(part for part in parts if part)) or "always"


RULE: Final = Noun(
    word="rule",
    plural="rules",
    path="/rules",
    key="id",
    hint="name",
    columns=(
        _field("ID", "id"),
        _field("NAME", "name", Fit.WRAP),
        _field("SEVERITY", "severity"),
        Column(title="STATE", read=_state),
        _field("HEALTH", "status.health"),
        _when("EVALUATED", "status.last_evaluation_at", spare=1),
        _field("CHANNELS", "notification_channels", Fit.WRAP),
    ),
)
THRESHOLD: Final = Noun(
    word="threshold",
    plural="thresholds",
    path="/rules/{rule}/thresholds",
    key="id",
    columns=(
        _field("ID", "id"),
        _matchers("MATCHERS", "matchers"),
        _field("THRESHOLD", "threshold"),
        _field("RECOVERY", "recovery_threshold"),
        _field("SEVERITY", "severity"),
        _field("FOR", "for"),
        _field("PRIORITY", "priority", spare=1),
        Column(title="VALID", read=_validity, fit=Fit.WRAP),
        _field("REASON", "reason", Fit.WRAP),
    ),
)
CHANNEL: Final = Noun(
    word="channel",
    plural="channels",
    path="/channels",
    key="name",
    hint="kind",
    columns=(
        _field("NAME", "name"),
        _field("KIND", "kind"),
        _field("STATE", "status.state"),
        _when("LAST SUCCESS", "status.last_success_at", spare=2),
        _when("LAST ERROR", "status.last_error_at", spare=1),
        Column(
            title="PROBLEM",
            read=lambda item, _: words.plain(found(item, "status.problem") or found(item, "status.last_error")),
            fit=Fit.WRAP,
            least=30,
        ),
    ),
)
ROUTE: Final = Noun(
    word="route",
    plural="routes",
    path="/routes",
    key="id",
    hint="receiver",
    columns=(
        _field("ID", "id"),
        _field("PARENT", "parent_id"),
        _field("POSITION", "position"),
        _matchers("MATCHERS", "matchers"),
        Column(title="TELLS", read=_receiver, fit=Fit.WRAP),
        _field("CONTINUE", "continue"),
    ),
)
INHIBIT_RULE: Final = Noun(
    word="inhibit rule",
    plural="inhibit rules",
    path="/inhibit_rules",
    key="id",
    hint="name",
    columns=(
        _field("ID", "id"),
        _field("NAME", "name", Fit.WRAP),
        _matchers("SOURCE", "source_matchers"),
        _matchers("TARGET", "target_matchers"),
        _field("EQUAL", "equal", Fit.WRAP),
    ),
)
TIME_INTERVAL: Final = Noun(
    word="time interval",
    plural="time intervals",
    path="/time_intervals",
    key="name",
    columns=(
        _field("NAME", "name"),
        Column(title="WHEN", read=_periods, fit=Fit.WRAP),
    ),
)
DATASOURCE: Final = Noun(
    word="datasource",
    plural="datasources",
    path="/datasources",
    key="name",
    hint="kind",
    columns=(
        _field("NAME", "name"),
        _field("KIND", "kind"),
        _field("STATE", "status.state"),
        _field("URLS", "urls", Fit.WRAP),
        _field("TENANT", "tenant", spare=1),
        _field("LAST ERROR", "status.last_error", Fit.WRAP),
    ),
)
SILENCE: Final = Noun(
    word="silence",
    plural="silences",
    path="/silences",
    key="id",
    hint="comment",
    columns=(
        _field("ID", "id"),
        _field("STATE", "state"),
        _matchers("MATCHERS", "matchers"),
        _field("ALERTS", "matched_alerts", spare=3),
        _when("STARTS", "starts_at", spare=1),
        Column(title="ENDS", read=_ending, fit=Fit.WRAP),
        _field("CREATED BY", "created_by", spare=2),
        _field("COMMENT", "comment", Fit.WRAP),
    ),
)
ALERT: Final = Noun(
    word="alert",
    plural="alerts",
    path="/alerts",
    key="fingerprint",
    hint="labels.alertname",
    columns=(
        _field("FINGERPRINT", "fingerprint"),
        _field("STATE", "state"),
        _field("NAME", "labels.alertname", Fit.WRAP),
        Column(title="LABELS", read=_other_labels, fit=Fit.WRAP, least=24),
        _field("VALUE", "value", spare=1),
        Column(
            title="SINCE", read=lambda item, now: words.relative(item.get("fired_at") or item.get("active_at"), now)
        ),
        Column(title="MUTED BY", read=_muted_by, fit=Fit.WRAP),
    ),
)
NOTIFICATION: Final = Noun(
    word="notification",
    plural="notifications",
    path="/notifications",
    key="id",
    columns=(
        _field("ID", "id"),
        _when("MADE", "created_at"),
        Column(title="CHANNEL", read=_addressee, fit=Fit.WRAP),
        _field("REASON", "reason"),
        _field("OUTCOME", "outcome"),
        Column(title="ATTEMPTS", read=lambda item, _: str(len(item.get("attempts") or ()))),
        _when("NEXT", "next_attempt_at"),
        Column(title="ERROR", read=_last_error, fit=Fit.WRAP),
    ),
)

NOUNS: Final[Mapping[str, Noun]] = {
    noun.command: noun
    for noun in (
        RULE,
        THRESHOLD,
        CHANNEL,
        ROUTE,
        INHIBIT_RULE,
        TIME_INTERVAL,
        DATASOURCE,
        SILENCE,
        ALERT,
        NOTIFICATION,
    )
}
"""Every noun by its group of commands."""
