"""Rules and series whose course Prometheus and Tocsin must agree about, evaluation by evaluation.

`ALERT` and `METRIC` stand for names of the scenario's own. `path` is the most that any of its alerts is at each step (f, p or -),
written down by hand from Prometheus' documentation: it makes sure that what a scenario is named after does happen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.peers.virtual_prometheus import Script

EXTERNAL_LABELS: Final = {"cluster": "eu-1", "replica": "a"}
EXTERNAL_URL: Final = "http://example.org:9090/path/prefix"
VALUE: Final = {"value": "{{ $value }}", "from": "{{ $labels.host }}"}

Declared = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Some rules, and the words of their series by their labels."""

    name: str
    path: str
    rules: tuple[Declared, ...]
    series: Mapping[str, str]

    @property
    def script(self) -> Script:
        slug = self.name.replace(" ", "_")
        group = {"name": self.name, "rules": self.rules}
        text = (
            json.dumps({"groups": [group]}, ensure_ascii=False)
            .replace("METRIC", slug)
            .replace("ALERT", f"Alert_{slug}")
        )
        return Script(
            rules=text,
            series={f"{slug}{labels}": words for labels, words in self.series.items()},
            external_labels=EXTERNAL_LABELS,
            external_url=EXTERNAL_URL,
        )


def rule(expr: str = "METRIC > 1", hold: str = "0s", kept: str = "0s", **more: Any) -> Declared:
    """A rule whose annotations tell value and host, unless they are given."""
    times = {"for": hold, "keep_firing_for": kept}
    return {"alert": "ALERT", "expr": expr, "annotations": VALUE, **times, **more}


def scenario(name: str, path: str, *rules: Declared, **series: str) -> Scenario:
    """One whose series are told apart by the label `host`."""
    by_host = {f'{{host="{host}"}}': words for host, words in series.items()}
    return Scenario(name=name, path=path, rules=rules, series=by_host)


def with_labels(name: str, path: str, *rules: Declared, series: Mapping[str, str]) -> Scenario:
    """One whose series carry other labels."""
    return Scenario(name=name, path=path, rules=rules, series=series)


FUNCTIONS: Final = {
    "first": '{{ query "METRIC" | sortByLabel "host" | first | value }}',
    "label": '{{ with query "METRIC" | sortByLabel "host" | first }}{{ label "host" . }}[{{ label "nothing" . }}]{{ end }}',
    "strvalue": '[{{ query "METRIC" | sortByLabel "host" | first | strvalue }}]',
    "field": '{{ with query "METRIC" | sortByLabel "host" }}{{ (first .).Value }} {{ (first .).Labels.host }}{{ end }}',
    "sorted": '{{ range query "METRIC * 2" | sortByLabel "host" }}{{ .Labels.host }}={{ .Value }};{{ end }}',
    "nobody": '{{ range query "nothing" }}x{{ end }}{{ len (query "nothing") }}',
    "args": '{{ define "x" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template "x" (args 1 "b") }}',
    "replaced": '{{ reReplaceAll "(.*)\\\\.example" "$1!" "web.example.org" }} {{ reReplaceAll "a*" "x" "baaac" }}',
    "html": '{{ "<b>" | safeHtml }} {{ html "<a>" }} {{ urlquery "a b" }}',
    "match": '{{ match "^w.*b$" "web" }} {{ match "x" "web" }}',
    "title": '{{ "aa bb-cc éa ßx" | title }} {{ toUpper "aé" }} {{ toLower "AÉ" }}',
    "links": '{{ graphLink "up{a=\\"b c\\"}" }} {{ tableLink "up" }} {{ $externalURL }}',
    "port": '{{ stripPort "h.example.org:80" }} {{ stripPort "[::1]:80" }} {{ stripPort "::1" }}',
    "domain": '{{ stripDomain "h.example.org:80" }} {{ stripDomain "h.example.org" }} {{ stripDomain "10.0.0.1:80" }}',
    "humanize": '{{ humanize 1234567.0 }} {{ humanize 0.00012 }} {{ humanize "12e3" }} {{ humanize -1 }} {{ humanize $value }}',
    "humanize1024": "{{ humanize1024 1048576.0 }} {{ humanize1024 0.5 }}",
    "duration": "{{ humanizeDuration 90061 }} {{ humanizeDuration 0.0123 }} {{ humanizeDuration 61.5 }}",
    "backwards": "{{ humanizeDuration -1 }}",
    "percent": "{{ humanizePercentage 0.1234567 }} {{ humanizePercentage $value }}",
    "timestamp": "{{ humanizeTimestamp 1435065584.128 }}",
    "time": '{{ (toTime 1435065584).Year }} {{ toTime 0 }} {{ (toTime 1435065584).Format "Mon, 02 Jan 2006 15:04" }}',
    "parsed": '{{ parseDuration "1h2m10ms" }}',
    "printf": '{{ printf "%.2f|%5s|%q|%v|%d|%t|%x" 1.005 "a" "b" true 7 false 255 }}',
    "logic": '{{ if and (gt $value 1.0) (ne $labels.host "x") }}yes{{ else }}no{{ end }}{{ not true }}{{ or "" "b" }}',
    "length": '{{ len $labels }} {{ index $labels "host" }} {{ slice "abcdef" 1 3 }}',
    "trimmed": 'a  {{- " b " -}}  c{{/* a comment */}}',
    "lines": "a\n{{ $value }}\n",
    "variable": "{{ $x := 1.5 }}{{ $x }}{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}",
    "print": '{{ print 1 2 "a" }}{{ println "b" }}',
    "missing": "[{{ $labels.nothing }}][{{ .Labels.nothing }}]",
    "name": "{{ $labels.__name__ }}",
    "dot": "{{ .Value }} {{ .Labels.host }} {{ .ExternalURL }} {{ .ExternalLabels.cluster }}",
}
"""Every function of a rule's templates that promtool 2.42 has, less pathPrefix and externalURL, for which it has no URL."""
FAILING: Final = {
    "number": "{{ humanize true }}",
    "none": 'text {{ query "nothing" | first | value }}',
    "second_line": "{{ $value }}\n  {{ humanizeDuration   $labels.host }}",
    "long": '{{ if match "a" "b" }}{{ else }}{{ print (humanizeDuration "not at all soon") }}{{ end }}',
    "word": '{{ "a" | toUpper | humanize }}',
}
"""Templates whose functions fail; a label or annotation of each tells how."""
OWN_NAME: Final = {"severity": "page", "alertname": "mine", "host": "of the rule", "of": "{{ $labels.host }}"}
CHANGING: Final = {"value": "{{ $value }}"}

SCENARIOS: Final = (
    scenario("vanish while pending", "pp--pppf-", rule(hold="30m"), a="5 5 _ _ 5 5 5 5 _"),
    scenario("recover while pending", "pp-pppf-", rule(hold="30m"), a="5 5 0 5 5 5 5 0"),
    scenario("vanish while firing", "pff-pf", rule(hold="10m"), a="5 5 5 _ 5 5"),
    scenario("vanish with a stale marker", "pff-pf", rule(hold="10m"), a="5 5 5 stale 5 5"),
    scenario("flapping inside for", "p-p-p-pf", rule(hold="10m"), a="5 0 5 0 5 _ 5 5"),
    scenario("fires at once without for", "f-f-", rule(), a="5 0 5 _"),
    scenario("annotations follow every value", "pffff-", rule(hold="10m"), a="5 6 7.5 8e10 2.001 0"),
    scenario("for between two evaluations", "ppf-", rule(hold="15m"), a="5 5 5 0"),
    scenario("keep firing after recovery", "fff--", rule(kept="20m"), a="5 0 0 0 0"),
    scenario("keep firing after vanishing", "fff--", rule(kept="20m"), a="5 _ _ _ _"),
    scenario("return while kept firing", "fffffff-", rule(kept="20m"), a="5 0 0 7 7 0 0 0"),
    scenario("keep firing between two evaluations", "fff-", rule(kept="15m"), a="5 0 0 0"),
    scenario("pending is not kept firing", "p-pff-", rule(hold="10m", kept="10m"), a="5 0 5 5 0 0"),
    scenario("zero NaN and infinities are active", "ffffff-", rule("METRIC"), a="0 NaN Inf -Inf -0 5 _"),
    scenario("a comparison drops NaN", "f-f--", rule(), a="5 NaN Inf -Inf NaN"),
    scenario("bool is always active", "pfff-", rule("METRIC > bool 1", hold="10m"), a="5 0 5 0 _"),
    scenario("absent", "--pf-p-", rule('absent(METRIC{host="a",zone!="z"})', hold="10m"), a="5 5 _ _ 5 _ 5"),
    scenario("absent over time", "---f-", rule('absent_over_time(METRIC{host="a"}[15m])'), a="5 5 _ _ 5"),
    scenario("a scalar is active whatever it is", "pfff", rule("scalar(METRIC)", hold="10m"), a="5 0 _ 7"),
    scenario("a scalar comparison", "ff", rule("1 > bool 2"), a="5 0"),
    scenario(
        "an aggregate of nothing is nothing", "f-f-", rule("sum by (zone) (METRIC) > 1"), a="5 _ 5 _", b="0 _ 1 1"
    ),
    scenario("a range looks back", "--fff", rule("avg_over_time(METRIC[25m]) > 2"), a="0 1 7 _ 0"),
    scenario("an offset asks the past", "-f-", rule("METRIC offset 10m > 1"), a="5 0 0"),
    scenario("a union has series of both sides", "fff-", rule("METRIC > 5 or METRIC < 1"), a="6 0 3 3", b="3 7 0 3"),
    scenario("two series come and go alone", "pffff-", rule(hold="10m"), a="5 5 5 0 0 0", b="0 0 5 5 5 0"),
    scenario("two rules of one name", "ff-", rule(labels={"x": "1"}), rule("METRIC > 6", labels={"x": "2"}), a="5 7 0"),
    scenario("every function", "ff-", rule(annotations=FUNCTIONS), a="5 5 0", b="3 3 1"),
    scenario("a template fails in annotations", "ff-", rule(annotations=FAILING), a="5 6 0"),
    scenario(
        "a template fails in labels",
        "ff-",
        rule(labels={f"l{at}": each for at, each in enumerate(FAILING.values())}),
        a="5 5 0",
    ),
    scenario(
        "external labels in templates",
        "pf-",
        rule(
            hold="10m",
            labels={"dc": "{{ $externalLabels.cluster }}", "none": "{{ .ExternalLabels.nothing }}"},
            annotations={
                "where": "{{ $externalLabels.replica }} {{ .ExternalLabels.cluster }} {{ $externalLabels.nothing }}"
            },
        ),
        a="5 5 0",
    ),
    scenario(
        "query in labels",
        "fff-",
        rule(
            labels={"most": '{{ query "max(METRIC)" | first | value }}'},
            annotations={"all": '{{ query "count(METRIC)" | first | value }}'},
        ),
        a="5 5 7 0",
        b="6 6 1 1",
    ),
    scenario("a label with the value makes new alerts", "ppp-", rule(hold="10m", labels=CHANGING), a="5 6 7 0"),
    scenario("a label of the rule overwrites the series", "ff-", rule(labels=OWN_NAME), a="5 6 0"),
    scenario(
        "a label that renders empty is removed",
        "ff-",
        rule(labels={"host": "{{ $labels.nothing }}", "gone": "{{ if false }}x{{ end }}", "kept": "x"}),
        a="5 6 0",
    ),
    with_labels(
        "alertname of the series is overwritten",
        "pf-",
        rule(hold="10m"),
        series={'{alertname="mine",host="a"}': "5 5 0"},
    ),
    with_labels(
        "labels of any letters",
        "pf-",
        rule(hold="10m", labels={"u": "é {{ $labels.host }}"}),
        series={'{host="a b\\"c\\\\ é 🔥"}': "5 5 0"},
    ),
    with_labels(
        "many series",
        "pf-",
        rule(hold="10m"),
        series={f'{{host="{at:03d}"}}': f"{at % 7} {at % 5} 0" for at in range(300)},
    ),
    scenario(
        "an arithmetic result has no name",
        "ff-",
        rule("METRIC * 2 > 1", annotations={"n": "[{{ $labels.__name__ }}]"}),
        a="5 6 0",
    ),
)
