"""The same rules in a running Prometheus and in Tocsin: what promtool's virtual time has not, edits and errors above all.

Every rule is compared as both APIs tell it, after every evaluation at which Prometheus could be asked in time: health and error,
and of each alert labels, state, value, annotations, and since when it is active.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from engine.core.external import outward
from rules.labels import Labels
from tests.peers.live_prometheus import INTERVAL, Evaluation, Live, Run, Seen, file_of, play, replayed
from tests.peers.prometheus_server import Exporter, PrometheusServer
from tests.peers.require import require_peer
from tests.peers.rule_engine import RuleEngine
from tests.peers.rule_scenarios import EXTERNAL_LABELS, rule
from tests.servers import Response, ScriptedServer

pytestmark = pytest.mark.peer("prometheus")

ATTEMPTS: Final = 4
"""A run in which the machine was too busy for an evaluation says nothing, and is made again."""
A, B, C = ('{host="a"}', '{host="b"}', '{host="c"}')
OUTSIDE: Final = {
    "links": "{{ pathPrefix }} {{ externalURL }} {{ $externalURL }}",
    "dc": "{{ $externalLabels.cluster }}",
}
PRODUCT: Final = 'METRIC{host="a"} * on() METRIC{host!="a"}'


def live(name: str, path: str, words: str, first: Any, then: Any = "the same", *, limit: int = 0, **more: str) -> Live:
    """A rule over series of some hosts; `then` is what it is edited to before the fourth act, `None` where it is taken out."""
    series = {A: words, **{f'{{host="{host}"}}': others for host, others in more.items()}}
    return Live(name=name, path=path, rules=(first, first if then == "the same" else then), series=series, limit=limit)


# Words stand for an act each; a change is seen two or three evaluations later, and the edit at the beginning of the fourth.
SAME: Final = (
    live("comes and goes", "-f-f-", "0 5 0 5 _ _", rule()),
    live("held", "-pf-", "0 5 5 5 0 0", rule(hold="1s")),
    live("gone while pending", "-p-p-", "0 5 _ 5 5 0", rule(hold="10m")),
    live("kept firing", "-f-", "0 5 0 0 0 0", rule(kept="2s")),
    live("back while kept firing", "-f-", "0 5 0 5 0 0", rule(kept="3s")),
    live("words of the whole system", "-f-", "0 5 6 7 7 0", rule(annotations=OUTSIDE, labels={"cluster": "own"})),
    live("values of a firing alert", "-f-", "0 5 NaN -Inf 1e-9 _", rule("METRIC != 0")),
    live("a metric nobody has", "-", "0 0 0 0 0 0", rule("nobody_has_this > 1")),
    live(
        "annotations edited", "-f-", "0 5 6 6 7 0", rule(), rule(annotations={"new": "{{ $value }} {{ $labels.host }}"})
    ),
    live("expr edited and still true", "-f-", "0 5 5 5 5 0", rule(), rule("METRIC > 2")),
    live("expr edited and not true", "-f-", "0 5 5 5 5 5", rule(), rule("METRIC > 10")),
    live("for lowered", "-pf-", "0 5 5 5 5 0", rule(hold="10m"), rule()),
    live("for raised while pending", "-p-", "0 5 5 5 5 0", rule(hold="5m"), rule(hold="10m")),
    live("keep_firing_for added", "-f", "0 5 5 5 0 0", rule(), rule(kept="10m")),
    live(
        "labels edited", "-pfpf-", "0 5 5 5 5 0", rule(hold="1s", labels={"x": "1"}), rule(hold="1s", labels={"x": "2"})
    ),
    live("renamed", "-pfpf-", "0 5 5 5 5 0", rule(hold="1s"), rule(hold="1s", alert="ALERT_2")),
    live("taken out", "-f", "0 5 5 5 5 5", rule(), None),
    live("put in", "f-", "5 5 5 5 5 0", None, rule()),
    live("duplicate label sets", "-fef-", "0 5 5 5 5 0", rule(labels={"host": ""}), b="0 0 5 0 0 0"),
    live("an error while firing", "-fef-", "5 5 5 5 5 0", rule(f"{PRODUCT} > 1"), b="0 5 5 5 5 0", c="_ _ 5 _ _ _"),
    live(
        "an error while pending",
        "-pepf-",
        "5 5 5 5 5 0",
        rule(f"{PRODUCT} > 1", hold="6s"),
        b="0 5 5 5 5 5",
        c="_ _ 5 _ _ _",
    ),
)
LIMITED: Final = live("over its limit", "-fef-", "0 5 5 5 5 0", rule(), limit=1, b="0 0 5 0 0 0")
RAISED: Final = live("for raised while firing", "-f-", "0 5 5 5 5 0", rule(), rule(hold="10m"))
ALL: Final = (*SAME, LIMITED, RAISED)


class Course(NamedTuple):
    """What Prometheus told, what Tocsin made of the same, and what Prometheus posted to its Alertmanager."""

    run: Run
    ours: Mapping[tuple[datetime, str], Mapping[str, Seen]]
    posted: Sequence[Mapping[str, Any]]

    def pairs(self, each: Live) -> list[tuple[Evaluation, str, Seen, Seen]]:
        """Each evaluation of the scenario's rules that Prometheus told of, what it told, and what Tocsin has."""
        group = each.name if each.limit else "all"
        return [
            (evaluation, name, theirs, self.ours[evaluation.at, group][name])
            for evaluation in self.run.evaluations
            if evaluation.group == group
            for name in sorted(each.alerts)
            if (theirs := self.run.seen(evaluation, name)) is not None
        ]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """All scenarios side by side."""
    require_peer("prometheus")
    for _ in range(ATTEMPTS):
        found = played(tmp_path_factory.mktemp("live"))
        if found is not None:
            return found
    pytest.fail(f"this machine was too busy for two evaluations a second, {ATTEMPTS} times")


def played(folder: Path) -> Course | None:
    """One run; `None` when the machine was too busy for it to say anything."""
    file = folder / "rules.yml"
    file.write_text(file_of(ALL, 0), encoding="utf-8")
    with Exporter() as exporter, ScriptedServer(lambda _request: Response()) as alertmanager:
        with PrometheusServer(
            targets=[exporter.target],
            interval=INTERVAL,
            rule_files=[file],
            alertmanagers=[f"127.0.0.1:{alertmanager.port}"],
            external_labels=EXTERNAL_LABELS,
            flags=("--web.external-url=http://example.org:9090/path", "--web.route-prefix=/"),
        ) as prometheus:
            run = play(ALL, exporter, prometheus, file)
            if not run.is_whole:
                return None
            phases = {each.group: timedelta(microseconds=each.at.microsecond % 500_000) for each in run.evaluations}
            with RuleEngine(
                url=prometheus.url,
                database_url=f"sqlite:///{folder}/tocsin.db",
                interval=INTERVAL,
                phases=phases,
                external_url="http://example.org:9090/path",
                external_labels=EXTERNAL_LABELS,
            ) as engine:
                ours = replayed(ALL, run, engine)
        posts = [request for request in alertmanager.requests if request.path.endswith("/alerts")]
    return Course(run, ours, [alert for post in posts for alert in json.loads(post.body)])


@pytest.mark.parametrize("each", SAME, ids=lambda each: each.name)
def test_prometheus_and_tocsin_tell_the_same(each: Live, course: Course) -> None:
    pairs = course.pairs(each)
    for evaluation, name, theirs, ours in pairs:
        assert comparable(ours) == comparable(theirs), f"{name} at {evaluation.at}"
    assert path(theirs for *_, theirs, _ in pairs) == each.path


def test_a_rule_over_its_limit_fails_in_prometheus_and_keeps_its_alert_in_tocsin(course: Course) -> None:
    pairs = course.pairs(LIMITED)
    assert path(theirs for *_, theirs, _ in pairs) == "-fef-"
    assert path(ours for *_, ours in pairs) == "-f-"
    assert {theirs.error for *_, theirs, _ in pairs} == {"", "exceeded limit of 1 with 2 alerts"}
    assert {len(theirs.alerts) for *_, theirs, _ in pairs if theirs.letter == "e"} == {0}
    assert {len(ours.alerts) for *_, ours in pairs} == {0, 1}


def test_raising_for_under_a_firing_alert_makes_it_pending_as_in_prometheus_since_3_11(course: Course) -> None:
    pairs = course.pairs(RAISED)
    assert path(ours for *_, ours in pairs) == "-fp-"
    assert path(theirs for *_, theirs, _ in pairs) in ("-f-", "-fp-")
    since = {alert["activeAt"] for *_, ours in pairs for alert in ours.alerts.values()}
    assert since == {alert["activeAt"] for *_, theirs, _ in pairs for alert in theirs.alerts.values()}


def test_external_labels_are_added_as_prometheus_adds_them_on_the_way_to_alertmanager(course: Course) -> None:
    posted = {Labels(alert["labels"]) for alert in course.posted}
    ours = {
        outward(Labels(alert["labels"]), "rule", Labels(EXTERNAL_LABELS))
        for rules in course.ours.values()
        for one in rules.values()
        for alert in one.alerts.values()
        if alert["state"] == "firing"
    }
    assert {labels["alertname"] for labels in posted} > {"Alert_words_of_the_whole_system", "Alert_comes_and_goes"}
    # Prometheus tells those of each second evaluation; what it told, Tocsin tells.
    assert posted <= ours
    assert {labels["cluster"] for labels in posted} == {"eu-1", "own"}


def comparable(one: Seen) -> tuple[object, ...]:
    """Of an error only its beginning, for series stand in its text in any order."""
    return one.health, one.error[:30], one.alerts


def path(found: Iterator[Seen]) -> str:
    """What became of it, evaluations that are like the one before left out."""
    return "".join(letter for letter, _ in groupby(one.letter for one in found))
