"""What templates make of alerts, and the webhook's JSON: beside a real Alertmanager that is fed the same alerts.

One Alertmanager has a receiver of each template, and sends to a server of ours; the texts must be the same letter for letter.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, Final

import pytest

from engine.core import messages
from engine.core.facts import AlertFacts, Facts
from rules.channels import Channel, ChannelKind
from rules.labels import Labels
from tests.delivery.mail_server import Inbox, mail_server
from tests.peers.alertmanager_server import AlertmanagerServer
from tests.peers.processes import wait_until
from tests.servers import Request, Response, ScriptedServer

pytestmark = [pytest.mark.peer("prometheus-alertmanager"), pytest.mark.timeout(120)]

START: Final = datetime(2026, 3, 1, 12, 0, 5, 250_000, tzinfo=UTC)
GROUP: Final = {"alertname": "DiskFull", "cluster": "eu west"}
SHARED: Final = {**GROUP, "severity": "critical", "team": "data-base"}
ALERTS: Final = (
    ({"instance": "db-2:9100", "job": "node"}, {"summary": "Disk of db-2 is full", "description": "97% full\nHelp"}, False),
    ({"instance": "db-1:9100", "job": "node"}, {"summary": "Disk of db-1 is full", "runbook_url": "http://w/?a=1&b=2"}, False),
    ({"instance": "db-3:9100", "job": "alpha"}, {"summary": "it's \"over\" for db-3", "shared": "all"}, True),
)  # fmt: skip
DEFINITIONS: Final = """\
{{ define "my.title" }}[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }}{{ end }}
{{ define "my.list" -}}
{{ range . -}}
* {{ .Labels.instance }}: {{ template "my.one" . }}
{{ end -}}
{{ end }}
{{ define "my.one" }}{{ .Annotations.summary }}{{ with .Annotations.runbook_url }} ({{ . }}){{ end }}{{ end }}
"""
SEVERITY: Final = "{{ .CommonLabels.severity }}"
COMPONENT: Final = '{{ toUpper "straße" }} {{ .CommonLabels.team | title }}'
TEMPLATES: Final = (
    '{{ template "my.title" . }}',
    '{{ template "my.list" .Alerts }}',
    '{{ template "my.list" .Alerts.Firing }}',
    '{{ template "slack.default.title" . }}',
    '{{ template "__subject" . }}',
    '{{ template "__alertmanagerURL" . }}',
    '{{ template "pagerduty.default.description" . }}',
    '{{ template "pagerduty.default.instances" .Alerts.Firing }}',
    '{{ template "telegram.default.message" . }}',
    '{{ template "discord.default.message" . }}',
    '{{ template "wechat.default.message" . }}',
    '{{ template "slack.default.fallback" . }}',
    '{{ template "opsgenie.default.description" . }}',
    '{{ template "pushover.default.message" . }}',
    '{{ template "victorops.default.state_message" . }}',
    '{{ template "sns.default.message" . }}',
    '{{ template "email.default.subject" . }}',
    '{{ template "pushover.default.title" . }}|{{ template "victorops.default.entity_display_name" . }}',
    "{{ .Status }} {{ .Receiver }} {{ len .Alerts }} {{ .Alerts.Firing | len }} {{ .Alerts.Resolved | len }}",
    "{{ range .Alerts }}{{ .Status }}={{ .Labels.instance }};{{ end }}",
    ('{{ range .Alerts.Resolved }}{{ .StartsAt.Format "2006-01-02 15:04:05.000 MST" }} {{ .EndsAt.Sub '
    '.StartsAt }}{{ end }}'),
    ('{{ range .Alerts.Firing }}{{ .StartsAt }} {{ .StartsAt.Unix }} {{ .StartsAt.Weekday }} {{ '
    '.StartsAt.Format "Mon Jan _2 3:04PM" }};{{ end }}'),
    "{{ range .Alerts.Firing }}{{ .EndsAt.IsZero }} {{ .Fingerprint }} {{ .GeneratorURL }};{{ end }}",
    "{{ .CommonLabels.SortedPairs }}",
    "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }}, {{ end }}",
    '{{ .GroupLabels.SortedPairs.Values | join " / " }} {{ .GroupLabels.SortedPairs.Names | join " / " }}',
    '{{ .GroupLabels.Names | join "+" }} {{ .GroupLabels.Values | join "+" }}',
    "{{ .CommonLabels }} {{ .GroupLabels }}",
    '{{ with .CommonLabels.Remove .GroupLabels.Names }}({{ .Values | join " " }}){{ end }}',
    '{{ .CommonLabels.Remove (stringSlice "team" "alertname") }}',
    "{{ .CommonAnnotations }}|{{ .CommonAnnotations.summary }}|{{ .CommonLabels.nobody }}|",
    '{{ if .CommonLabels.nobody }}yes{{ else if eq .Status "firing" }}fires{{ else }}no{{ end }}',
    '{{ if and (match "^crit" .CommonLabels.severity) (not (match "x" .CommonLabels.severity)) }}bad{{ end }}',
    '{{ reReplaceAll "(\\\\w+)-(\\\\w+)" "$2-${1}" .CommonLabels.team }}',
    ('{{ .CommonLabels.alertname | toLower }} {{ "it\'s a HTTP-api of foo_bar.com: über" | title }} {{ '
    'toUpper "straße ǆ" }}'),
    ('{{ $sev := .CommonLabels.severity }}{{ range $i, $a := .Alerts }}{{ if $i }}, {{ end }}{{ $i }}:{{ '
    '$a.Labels.job }}/{{ $sev }}{{ end }}'),
    ('{{ (index .Alerts 0).Labels.instance }} {{ index .CommonLabels "severity" }} {{ (index .Alerts '
    '1).Annotations.SortedPairs.Names }}'),
    '{{ printf "%-12s|%5d|%q|%v" .CommonLabels.severity (len .Alerts) .Status .GroupLabels }}',
    "a {{- /* nothing */ -}} b\n{{- range .Alerts }}\n- {{ .Labels.job -}}\n{{ end }}\nend",
    '{{ safeHtml "<b>" }}{{ .CommonLabels.severity | printf "%.4s" | html }} {{ urlquery "a b&c" }}',
    ('{{ range .Alerts }}{{ range .Labels.SortedPairs }}{{ if ne .Name "alertname" }}{{ .Name }}:{{ .Value }} '
    '{{ end }}{{ end }}\n{{ end }}'),
    '{{ slice .CommonLabels.alertname 0 4 }} {{ gt (len .CommonLabels) 2 }} {{ or .CommonLabels.nobody "default" }}',
    ('{{ with index .Alerts 0 }}{{ .Labels.job }} of {{ $.Receiver }}{{ end }}{{ define "inline" }}<{{ . '
    '}}>{{ end }}{{ template "inline" "x" }}'),
)  # fmt: skip
HTML: Final = (
    ('<a href="{{ .ExternalURL }}/x?q={{ .CommonLabels.cluster }}" title="{{ (index .Alerts '
    '0).Annotations.summary }}">{{ .Status }}</a>'),
    "{{ range .Alerts }}<p>{{ .Annotations.summary }} &amp; {{ .Annotations.runbook_url }}</p>{{ end }}",
    ('<script>var x = {{ .CommonLabels.cluster }};</script><b style="color: {{ .CommonLabels.severity }}">{{ '
    'safeHtml "<i>x</i>" }}</b>'),
)  # fmt: skip


def facts(external_url: str) -> Facts:
    """The notification that both are about."""
    made = [_alert(*one) for one in ALERTS]
    return Facts(
        group_key="g", dedup_key="k", receiver="team-x", reason="first notification", flush_at=START + timedelta(minutes=1),
        group_labels=Labels(GROUP), alerts=tuple(made), external_url=external_url,
    )  # fmt: skip


def _alert(own: Mapping[str, str], annotations: Mapping[str, str], over: bool) -> AlertFacts:
    labels = Labels({**SHARED, **own})
    return AlertFacts(
        status="resolved" if over else "firing", fingerprint=labels.fingerprint(), source="external", labels=labels,
        annotations=annotations, starts_at=START, ends_at=START + timedelta(minutes=90) if over else None,
        generator_url="http://prometheus/graph?g0.expr=up",
    )  # fmt: skip


def posted() -> list[dict[str, Any]]:
    """The same, as Prometheus posts them."""
    late = datetime.now(UTC) + timedelta(hours=1)
    return [
        {
            "labels": {**SHARED, **own}, "annotations": annotations, "startsAt": START.isoformat(),
            "endsAt": (START + timedelta(minutes=90) if over else late).isoformat(), "generatorURL": "http://prometheus/graph?g0.expr=up",
        }
        for own, annotations, over in ALERTS
    ]  # fmt: skip


@dataclass
class Said:
    """What Alertmanager sent, by the number of the template or the name of the service."""

    bodies: dict[str, Any] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    url: str = ""

    def take(self, request: Request) -> Response:
        self.bodies[request.path.strip("/")] = request.json
        return Response(body=b"ok", status=202 if "pagerduty" in request.path else 200)


def configuration(hook: str, mail_port: int, folder: str) -> dict[str, Any]:
    """One receiver with a Slack of every template, a PagerDuty, a webhook and mails."""
    slack = [
        {"api_url": f"{hook}/{at}", "channel": "#x", "send_resolved": True, "title": "T", "text": text}
        for at, text in enumerate(TEMPLATES)
    ]
    mails = [
        {
            "to": f"m{at}@example.org", "from": "a@example.org", "smarthost": f"127.0.0.1:{mail_port}", "require_tls": False,
            "send_resolved": True, "html": text, "text": TEMPLATES[0], "headers": {"Subject": TEMPLATES[at]},
        }
        for at, text in enumerate(HTML)
    ]  # fmt: skip
    pagerduty = [{"url": f"{hook}/pagerduty", "routing_key": "k" * 32, "description": TEMPLATES[1], "severity": SEVERITY,
                  "component": COMPONENT, "details": {"team": "{{ .CommonLabels.team }}"}}]  # fmt: skip
    receiver = {"name": "team-x", "slack_configs": slack, "email_configs": mails, "pagerduty_configs": pagerduty,
                "webhook_configs": [{"url": f"{hook}/webhook"}]}  # fmt: skip
    route = {"receiver": "team-x", "group_by": list(GROUP), "group_wait": "1s"}
    return {"route": route, "receivers": [receiver], "templates": [f"{folder}/*.tmpl"]}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """All a real Alertmanager sends of the alerts."""
    folder = tmp_path_factory.mktemp("templates")
    (folder / "my.tmpl").write_text(DEFINITIONS)
    found, inbox = Said(), Inbox()
    with ScriptedServer(found.take) as server, mail_server(inbox):
        with AlertmanagerServer(configuration(server.url, inbox.port, str(folder))) as alertmanager:
            found.url = alertmanager.url.replace("127.0.0.1", socket.gethostname())
            alertmanager.post(posted())
            every = len(TEMPLATES) + 2
            wait_until(
                lambda: len(found.bodies) == every and len(inbox.mails) == len(HTML),
                what=f"all of {every} posts and {len(HTML)} mails", within=timedelta(seconds=60),
            )  # fmt: skip
        found.mails = sorted(inbox.mails, key=lambda mail: str(mail["To"]))
        yield found


def ours(said: Said, kind: ChannelKind, **templates: str) -> Any:
    """What a channel of ours is sent, which must not have failed."""
    channel = Channel(name="x", kind=kind, templates={**templates, "definitions": DEFINITIONS})
    made = messages.message(channel, facts(said.url))
    assert made.problems == ()
    return json.loads(made.body)


@pytest.mark.parametrize("at", range(len(TEMPLATES)), ids=lambda at: TEMPLATES[at][:60])
def test_a_template_makes_the_text_that_alertmanager_makes(said: Said, at: int) -> None:
    theirs = said.bodies[str(at)]["attachments"][0]["text"]
    assert ours(said, ChannelKind.SLACK, text=TEMPLATES[at])["attachments"][0]["text"] == theirs


@pytest.mark.parametrize("at", range(len(HTML)))
def test_html_is_escaped_as_alertmanager_escapes_it(said: Said, at: int) -> None:
    theirs = said.mails[at]
    made = ours(said, ChannelKind.EMAIL, html=HTML[at], text=TEMPLATES[0], subject=TEMPLATES[at])
    parts = {part.get_content_type(): part.get_content() for part in theirs.walk() if not part.is_multipart()}
    assert made["html"] == parts["text/html"].replace("\r\n", "\n").rstrip("\n")
    assert made["text"] == parts["text/plain"].rstrip("\r\n")
    assert made["subject"] == " ".join(str(theirs["Subject"]).split())


def test_an_event_says_what_alertmanagers_says(said: Said) -> None:
    theirs = said.bodies["pagerduty"]
    templates = {
        "description": TEMPLATES[1],
        "severity": SEVERITY,
        "component": COMPONENT,
        "details.team": "{{ .CommonLabels.team }}",
    }
    made = ours(said, ChannelKind.PAGERDUTY, **templates)
    assert made["event_action"] == theirs["event_action"] == "trigger"
    assert made["payload"]["component"] == theirs["payload"]["component"]
    assert made["payload"]["summary"] == " ".join(theirs["payload"]["summary"].split())
    assert made["payload"]["custom_details"]["team"] == theirs["payload"]["custom_details"]["team"]
    assert {name: made["payload"]["custom_details"][name] for name in ("num_firing", "num_resolved")} == {
        name: theirs["payload"]["custom_details"][name] for name in ("num_firing", "num_resolved")
    }


def test_the_webhooks_json_is_alertmanagers_field_by_field(said: Said) -> None:
    theirs, made = said.bodies["webhook"], ours(said, ChannelKind.WEBHOOK)
    newer = {"routeLabels", "notification_reason"}
    assert set(made) - newer == set(theirs)
    alerts = {one["fingerprint"]: one for one in made.pop("alerts")}
    real = {one["fingerprint"]: one for one in theirs.pop("alerts")}
    assert alerts == real
    assert {name: list(one) for name, one in alerts.items()} == {name: list(one) for name, one in real.items()}
    told = theirs.keys() - {"groupKey"}
    assert {name: made[name] for name in told} == {name: theirs[name] for name in told}
