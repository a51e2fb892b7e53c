"""Why was nobody told? Each reason at once in one real engine on a real Prometheus, asked for in all three ways."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from rules.labels import Labels
from tests.api.commands.asking import tocsin
from tests.peers.engine_process import EngineProcess
from tests.peers.postgres_server import PostgresServer
from tests.peers.processes import free_port, wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer
from tests.peers.surroundings import SOON, Outside, Watched
from tests.servers import Request, Response, ScriptedServer

pytestmark = pytest.mark.peer("prometheus")

MOMENT: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
PAUSE: Final = 600
"""For how many seconds the busy service asks to be left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """An alert on host a that nobody is told of now: the verdict, its sentence behind the alert's name, and what is next.

    Sentences are patterns. What is next is at least `ahead` from now (the clocks' grain apart), or at no known time.
    """

    alert: str
    verdict: str
    summary: str
    action: str
    ahead: timedelta | None = -SOON

    @property
    def is_stored(self) -> bool:
        """Whether there is an alert at all, which has a fingerprint to ask for."""
        return self.verdict not in ("no_data", "quarantined")


WHYS: Final = (
    Why(
        alert="Pending",
        verdict="pending",
        summary=rf"is pending since {MOMENT}: it has to hold for its `for` until {MOMENT} at least",
        action="it fires, if the condition still holds then, and takes route 'pages', which tells hook",
        ahead=timedelta(minutes=55),
    ),
    Why(
        alert="NoData",
        verdict="no_data",
        summary=(
            r"was never seen: rule 'NoData' version 1, `absent_metric > 10`, has never got any data"
            r" \(health never_had_data\); check the metric's name, and that it is scraped"
        ),
        action="rule 'NoData' is evaluated",
    ),
    Why(
        alert="Unrouted",
        verdict="unrouted",
        summary=(
            rf"fires since {MOMENT}, but route 'root' names no channel, so only the log was told;"
            " name a channel on a route that takes it, or in its rule's notification_channels"
        ),
        action=r"group \d+ is flushed, and tells whatever channel its route names by then",
    ),
    Why(
        alert="Silenced",
        verdict="silenced",
        summary=(
            rf"fires since {MOMENT}, but is kept quiet by silence 'swap' \(ann: disk swap\) until {MOMENT};"
            " nobody was told"
        ),
        action="silence 'swap' ends, and its group's next flush tells hook, if it still fires",
        ahead=timedelta(minutes=115),
    ),
    Why(
        alert="Inhibited",
        verdict="inhibited",
        summary=(
            rf"fires since {MOMENT}, but is kept quiet by inhibition 'down-over-slow', because Down{{host=\"a\"}} fires;"
            " nobody was told"
        ),
        action=r'group \d+ is flushed, and tells hook if Down{host="a"} no longer fires and nobody was told before',
    ),
    Why(
        alert="Interval",
        verdict="interval",
        summary=(
            rf"fires since {MOMENT}, but is kept quiet by mute_time_interval 'freeze' until \d{{4}}-01-01 00:00:00Z;"
            " nobody was told"
        ),
        action="mute_time_interval 'freeze' ends, and its group's next flush tells hook, if it still fires",
    ),
    Why(
        alert="Told",
        verdict="already_told",
        summary=rf"fires since {MOMENT}; last told: hook at {MOMENT}; nothing is new since then",
        action=r"group \d+ repeats it to hook, if it still fires",
        ahead=timedelta(minutes=235),
    ),
    Why(
        alert="Busy",
        verdict="rate_limited",
        summary=(
            rf"fires since {MOMENT}, but busy did not take the message at attempt 1 \(rate_limited: .*429.*\),"
            " to be tried again; nobody was told"
        ),
        action="the message to busy is tried",
        ahead=timedelta(minutes=8),
    ),
    Why(
        alert="Narrow",
        verdict="rate_limited",
        summary=(
            rf"fires since {MOMENT}, but narrow is rate limited until {MOMENT}: the message waits,"
            " and newer news takes its place; nobody was told"
        ),
        action="the message to narrow is tried",
        ahead=timedelta(minutes=50),
    ),
    Why(
        alert="ChannelDown",
        verdict="channel_down",
        summary=(
            rf"fires since {MOMENT}, but gone did not take the message at attempt \d+"
            r" \(unreachable: connection refused\), to be tried again; nobody was told"
        ),
        action="the message to gone is tried",
    ),
    Why(
        alert="Quarantined",
        verdict="quarantined",
        summary=(
            r"was never seen: rule 'Quarantined' is set aside \(expr: 'sum\(' is not PromQL: unclosed left parenthesis\);"
            " nothing is evaluated in its place"
        ),
        action="nothing, until the rule's row is corrected",
        ahead=None,
    ),
)
PAGED: Final = "Down|First|Inhibited|NoData|Pending|Quarantined|Silenced|Told"
CHANNEL: Final = "INSERT INTO channels (name, kind, url, rate_limit) VALUES ('{}', 'webhook', '{}', '{}')"
ROUTE: Final = (
    "INSERT INTO routes (id, parent_id, position, matchers, channels, mute_time_intervals)"
    " VALUES ('{}', 'root', {}, '[\"alertname=~{}\"]', '[\"{}\"]', '{}')"
)
AT_ONCE: Final = ("First", "Down", "Unrouted", "Silenced", "Inhibited", "Interval", "Told", "Busy", "ChannelDown")
MENDED: Final = {"Unrouted", "Silenced", "Inhibited", "Interval", "Quarantined", "NoData", "Pending"}
SILENCE: Final[Mapping[str, Any]] = {
    "id": "swap",
    "matchers": '{alertname="Silenced"}',
    "duration": "2h",
    "created_by": "ann",
    "comment": "disk swap",
}
BROKEN: Final = "INSERT INTO alert_rules (id, name, expr) VALUES ('Quarantined', 'Quarantined', 'sum(')"
RULE: Final = (
    "INSERT INTO alert_rules (id, name, metric_name, condition, threshold, for_seconds)"
    " VALUES ('{0}', '{0}', '{1}', '>', 10, {2})"
)


def answered(request: Request) -> Response:
    """A service that is well, but for one path where it wants to be left alone."""
    return Response(status=429, headers={"Retry-After": str(PAUSE)}) if request.path == "/busy" else Response()


def rows(service: str) -> Iterator[str]:
    """What somebody types to bring about every reason; a group for each alert, flushed every two seconds."""
    yield (
        "UPDATE routes SET channels = '[]', group_wait_seconds = 1, group_interval_seconds = 2,"
        " group_by = '[\"alertname\", \"host\"]' WHERE id = 'root'"
    )
    yield CHANNEL.format("hook", f"{service}/hook", "{}")
    yield CHANNEL.format("busy", f"{service}/busy", "{}")
    yield CHANNEL.format("narrow", f"{service}/narrow", '{"messages": 1, "per_seconds": 3600}')
    yield CHANNEL.format("gone", f"http://127.0.0.1:{free_port()}/", "{}")
    year = json.dumps([{"years": [str(datetime.now(UTC).year)]}])
    yield f"INSERT INTO time_intervals (name, time_intervals) VALUES ('freeze', '{year}')"
    yield (
        "INSERT INTO inhibit_rules (id, source_matchers, target_matchers, equal) VALUES"
        " ('down-over-slow', '[\"alertname=Down\"]', '[\"alertname=Inhibited\"]', '[\"host\"]')"
    )
    yield ROUTE.format("nights", 1, "Interval", "hook", '["freeze"]')
    yield ROUTE.format("busy", 2, "Busy", "busy", "[]")
    yield ROUTE.format("narrow", 3, "Narrow|First", "narrow", "[]")
    yield ROUTE.format("gone", 4, "ChannelDown", "gone", "[]")
    yield ROUTE.format("pages", 5, PAGED, "hook", "[]")


@dataclass(frozen=True, slots=True)
class Night:
    """An engine in which each reason has come about, and the three ways to ask it."""

    engine: EngineProcess
    outside: Outside
    service: ScriptedServer

    def by_labels(self, alert: str) -> Any:
        status, told = self.engine.post("/api/v1/explain", {"labels": {"alertname": alert, "host": "a"}})
        assert status == 200, told
        return told

    def by_fingerprint(self, alert: str) -> tuple[int, Any]:
        return self.engine.get(f"/api/v1/alerts/{fingerprint(alert)}/explain")

    def by_command(self, *arguments: str) -> list[str]:
        told = tocsin("explain", *arguments, url=self.engine.url)
        assert (told.status, told.err) == (0, "")
        return told.out.splitlines()

    def wait_for(self, alert: str, verdict: str) -> None:
        """Returns once this is the answer."""
        wait_until(
            lambda: bool(self.by_labels(alert)["verdict"] == verdict), what=f"{alert} to be {verdict}", within=SOON
        )

    @property
    def hears(self) -> set[str]:
        """The names of all alerts that somebody was told of."""
        told = [request.json for request in self.service.requests if request.path == "/hook"]
        return {one["labels"]["alertname"] for message in told for one in message["alerts"]}


def fingerprint(alert: str) -> str:
    return Labels({"alertname": alert, "host": "a"}).fingerprint()


@pytest.fixture(scope="module", params=("sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))))
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    url = f"sqlite:///{folder}/tocsin.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    with (
        Exporter() as exporter,
        PrometheusServer(targets=[exporter.target], scrape={"honor_labels": True}) as prometheus,
        ScriptedServer(answered) as service,
        Outside(Watched(exporter, prometheus), url, folder) as outside,
        outside.engine_knowing_nobody() as engine,
    ):
        exporter.set('load{host="a", instance="", job=""} 12')
        prometheus.wait_for("load")
        night = Night(engine, outside, service)
        begin(night)
        yield night


def begin(night: Night) -> None:
    """Bring every reason about, and wait until each is the answer."""
    night.outside.sql(*rows(night.service.url))
    status, silence = night.engine.post("/api/v1/silences", SILENCE)
    assert status == 201, silence
    night.outside.sql(*(RULE.format(name, "load", 0) for name in AT_ONCE))
    night.outside.sql(RULE.format("Pending", "load", 3600), RULE.format("NoData", "absent_metric", 0), BROKEN)
    night.wait_for("First", "already_told")  # It takes all that its channel lets through in an hour.
    night.outside.sql(RULE.format("Narrow", "load", 0))
    for why in WHYS:
        night.wait_for(why.alert, why.verdict)


@pytest.mark.parametrize("why", WHYS, ids=lambda why: why.alert)
def test_by_labels_the_answer_names_the_reason_who_and_until_when_and_what_is_next(night: Night, why: Why) -> None:
    told = night.by_labels(why.alert)
    assert told["verdict"] == why.verdict
    assert re.fullmatch(rf'{why.alert}\{{host="a"\}} {why.summary}\.', told["summary"]), told["summary"]
    assert re.fullmatch(why.action, told["next"]["action"]), told["next"]
    at = told["next"]["at"]
    assert (at is None) == (why.ahead is None)
    assert at is None or datetime.fromisoformat(at) - datetime.now(UTC) >= (why.ahead or timedelta())


@pytest.mark.parametrize("why", WHYS, ids=lambda why: why.alert)
def test_by_fingerprint_the_answer_is_the_same_where_there_is_an_alert(night: Night, why: Why) -> None:
    status, told = night.by_fingerprint(why.alert)
    if not why.is_stored:
        assert (status, "explained by its labels, with POST /api/v1/explain" in told["detail"]) == (404, True)
        return
    assert (status, told["verdict"]) == (200, why.verdict)
    assert re.fullmatch(rf'{why.alert}\{{host="a"\}} {why.summary}\.', told["summary"]), told["summary"]
    assert re.fullmatch(why.action, told["next"]["action"]), told["next"]


@pytest.mark.parametrize("why", WHYS, ids=lambda why: why.alert)
def test_the_command_begins_with_the_reason_and_ends_with_what_is_next(night: Night, why: Why) -> None:
    named = [(why.alert, "host=a"), (why.alert,), *([(fingerprint(why.alert),)] if why.is_stored else [])]
    for arguments in named:
        first, *_, last = night.by_command(*arguments)
        assert re.fullmatch(rf"{why.verdict.upper().replace('_', ' ')}: {why.alert}.* {why.summary}\.", first), first
        moment = "" if why.ahead is None else f"{MOMENT}  "
        assert re.fullmatch(f"next: {moment}{why.action}", last), last


@pytest.mark.parametrize(
    ("alert", "muter"),
    [
        ("Silenced", {"type": "silence", "id": "swap", "version": 1}),
        ("Inhibited", {"type": "inhibition", "id": "down-over-slow", "version": 1}),
        ("Interval", {"type": "mute_time_interval", "id": "freeze", "version": 1}),
    ],
)
def test_who_keeps_it_quiet_stands_in_the_story_with_the_version(
    night: Night, alert: str, muter: dict[str, object]
) -> None:
    (mute,) = [step for step in night.by_labels(alert)["steps"] if step["kind"] == "mute"]
    assert mute["subject"] == muter


def test_the_story_goes_from_the_value_to_the_decision(night: Night) -> None:
    told = [line.partition("Z  ")[2] for line in night.by_command("Told", "host=a")[2:-2]]
    pages = f'it matches alertname=~"{PAGED}"'
    untaken = {"nights": "Interval", "busy": "Busy", "narrow": "Narrow|First", "gone": "ChannelDown"}
    begun = "transition  firing (at once, the rule has no `for`): rule 'Told' version 1 saw the value 12.0"
    labels = '{alertname="Told", host="a"}'
    timers = "waits 1s at first, 2s between messages and repeats after 4h"
    assert [re.sub(r"group \d+", "group N", re.sub(MOMENT, "AT", line)) for line in told] == [
        f"{begun} against the threshold 10.0",
        f"placement   route 'pages' took it ({pages}) into group N, which tells hook",
        "decision    hook is told of it: first notification",
        "attempt     hook took the message at attempt 1",
        "decision    hook is not told again: nothing is new since the message of AT",
        "rule        rule 'Told' version 1, `load > 10`, is evaluated (health ok since AT)",
        "route       route 'root' passed on: it matches, and routes below it take the alert",
        *(
            f"route       route '{name}' not matched: alertname=~\"{names}\" does not match: the alert has alertname='Told'"
            for name, names in untaken.items()
        ),
        f"route       route 'pages' taken: {pages}; it tells hook",
        f"group       group N {labels} of route 'pages' {timers}, decided on its last message at AT, is due at AT",
    ]


def test_what_was_next_comes_about_when_the_reason_goes(night: Night) -> None:
    """It stands last in this file, for it takes the reasons away."""
    assert night.hears.isdisjoint(MENDED)
    assert tocsin("silences", "expire", "swap", url=night.engine.url).status == 0
    night.outside.sql(
        "DELETE FROM inhibit_rules",
        "UPDATE routes SET mute_time_intervals = '[]' WHERE id = 'nights'",
        "UPDATE routes SET channels = '[\"hook\"]' WHERE id = 'root'",
        "UPDATE alert_rules SET expr = 'load > 10' WHERE id = 'Quarantined'",
        "UPDATE alert_rules SET metric_name = 'load' WHERE id = 'NoData'",
        "UPDATE alert_rules SET for_seconds = 0 WHERE id = 'Pending'",
    )
    wait_until(lambda: night.hears >= MENDED, what="everything to be told", within=SOON)
    for name in MENDED:
        night.wait_for(name, "already_told")
