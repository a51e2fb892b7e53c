"""Templates of messages: the data they see, the functions they have, and what happens when they are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import message_templates
from rules.errors import TemplateError
from rules.message_data import AlertData, MessageData
from rules.message_templates import MAX_TEXT, check

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE = AlertData(
    status="firing",
    labels={"alertname": "Down", "instance": "a<b"},
    annotations={"summary": "S & T"},
    starts_at=NOON,
    generator_url="http://p/graph",
    fingerprint="f1",
    value=1.5,
)
OVER = AlertData(
    status="resolved", labels={"alertname": "Down"}, annotations={}, starts_at=NOON, ends_at=NOON + timedelta(hours=1)
)
DATA = MessageData(
    receiver="ops",
    status="firing",
    reason="new alerts added",
    alerts=(ONE, OVER),
    group_labels={"alertname": "Down"},
    common_labels={"alertname": "Down", "team": "db"},
    common_annotations={},
    route_labels={"runbook": "http://wiki"},
    external_url="http://tocsin",
    now=NOON + timedelta(minutes=90),
)


def made(template: str, definitions: str = "", *, html: bool = False) -> str:
    return message_templates.render(template, DATA, definitions, html=html)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param("plain } text", "plain } text", id="text-is-its-own"),
        pytest.param("{{ .Receiver }} {{ .Status }} {{ .ExternalURL }} {{ .NotificationReason }}", "ops firing http://tocsin new alerts added", id="fields"),
        pytest.param("{{ len .Alerts }} {{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }}", "2 1 1", id="alerts"),
        pytest.param("{{ range .Alerts.Firing }}{{ .Labels.instance }} {{ .Annotations.summary }} {{ .Value }} {{ .Fingerprint }}{{ end }}", "a<b S & T 1.5 f1", id="an-alert"),
        pytest.param('{{ .RouteLabels.runbook }} {{ routeLabels "runbook" }}{{ routeLabels "none" }}', "http://wiki http://wiki", id="route-labels"),
        pytest.param("{{ .CommonLabels.SortedPairs }} {{ .CommonLabels.nobody }}", "[{alertname Down} {team db}] ", id="pairs"),
        pytest.param('{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}{{ .GroupLabels.SortedPairs.Values | join "," }}{{ .GroupLabels.SortedPairs.Names | join "," }}', "alertname=Down;team=db;Downalertname", id="each-pair"),
        pytest.param('{{ .CommonLabels.Remove (stringSlice "team") }}', "map[alertname:Down]", id="remove"),
        pytest.param('{{ .CommonLabels.Names | join "," }} {{ .CommonLabels.Values | join "," }}', "alertname,team Down,db", id="names-and-values"),
        pytest.param('{{ printf "%T" .CommonLabels }}', "map[string]string", id="a-map-of-text"),
    ],
)  # fmt: skip
def test_a_template_sees_alertmanagers_data(template: str, text: str) -> None:
    assert made(template) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param('{{ "a bC-dé it\'s" | title }} {{ trimSpace "  x\\n" }} {{ toUpper "x" }}{{ toLower "Y" }}', "A Bc-Dé It's x Xy", id="case"),
        pytest.param('{{ match "^D" "Down" }} {{ reReplaceAll "(o)w" "<$1>" "Down" }}', "true D<o>n", id="regexes"),
        pytest.param('{{ range .Alerts.Firing }}{{ date "15:04 MST" .StartsAt }} {{ (tz "Asia/Kolkata" .StartsAt).Format "15:04 -0700 Z07:00" }}{{ end }}', "12:00 UTC 17:30 +0530 +05:30", id="zones"),
        pytest.param("{{ range .Alerts.Firing }}{{ since .StartsAt }} {{ (since .StartsAt).Seconds | humanizeDuration }} {{ (now).Unix }}{{ end }}", "1h30m0s 1h 30m 0s 1772371800", id="since"),
        pytest.param('{{ (toDate "2006-01-02 15:04" "2026-03-01 09:30").Unix }} {{ mustToDate "2006-01-02T15:04:05Z07:00" "2026-03-01T09:30:00+02:00" }}', "1772357400 2026-03-01 09:30:00 +0200 +0200", id="to-date"),
        pytest.param("{{ range .Alerts.Resolved }}{{ .EndsAt.Sub .StartsAt }} {{ .EndsAt.IsZero }} {{ .EndsAt.After .StartsAt }} {{ .StartsAt.Before .EndsAt }} {{ .EndsAt.Equal .EndsAt }}{{ end }}", "1h0m0s false true true true", id="times"),
        pytest.param("{{ range .Alerts.Resolved }}{{ (.StartsAt.Add (.EndsAt.Sub .StartsAt)).Format \"15:04\" }} {{ .StartsAt.UnixMilli }} {{ .StartsAt.UnixNano }} {{ .StartsAt.YearDay }} {{ .StartsAt.UTC.Local.Hour }}{{ end }}", "13:00 1772366400000 1772366400000000000 60 12", id="more-times"),
        pytest.param("{{ range .Alerts.Resolved }}{{ $d := .EndsAt.Sub .StartsAt }}{{ $d.Round 7000000000 }} {{ $d.Truncate 7000000000 }} {{ $d.Truncate 0 }} {{ (.StartsAt.Sub .EndsAt).Abs }} {{ (.StartsAt.Sub .EndsAt).Round 7000000000 }}{{ end }}", "59m58s 59m58s 1h0m0s 1h0m0s -59m58s", id="durations"),
        pytest.param('{{ toJson .CommonLabels }} {{ toJson (list 1 "a<b" nil true 1.5) }}', '{"alertname":"Down","team":"db"} [1,"a\\u003cb",null,true,1.5]', id="json"),
        pytest.param("{{ toJson (index .Alerts 1) }}", '{"status":"resolved","labels":{"alertname":"Down"},"annotations":{},"startsAt":"2026-03-01T12:00:00Z","endsAt":"2026-03-01T13:00:00Z","generatorURL":"","fingerprint":""}', id="json-of-an-alert"),
        pytest.param("{{ range .Alerts.Resolved }}{{ toJson (.EndsAt.Sub .StartsAt) }}{{ end }} {{ toJson .GroupLabels.SortedPairs }}", '3600000000000 [{"Name":"alertname","Value":"Down"}]', id="json-of-the-rest"),
        pytest.param('{{ base64encode "hé" }} {{ base64decode "aMOp" }}', "aMOp hé", id="base64"),
        pytest.param('{{ (dict "a" 1 "b" .Status).b }} {{ append (list "x") "y" }} {{ urlUnescape "a%20b+c" }}', "firing [x y] a b c", id="lists"),
        pytest.param('{{ safeHtml "<b>" }}{{ safeUrl "x:y" }}{{ html "<" }}{{ urlquery "a b" }}', "<b>x:y&lt;a+b", id="safe"),
    ],
)  # fmt: skip
def test_a_template_has_alertmanagers_functions(template: str, text: str) -> None:
    assert made(template) == text


def test_the_whole_message_can_be_made_json() -> None:
    assert made("{{ toJson . }}").startswith('{"receiver":"ops","status":"firing","alerts":[{"status":"firing",')


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param("a\n{{ .Nope }}", "line 2, column 4: can't evaluate field Nope; there are Receiver, Status,", id="a-field"),
        pytest.param("{{ range .Alerts }}{{ .Name }}{{ end }}", "can't evaluate field Name; there are Status, Labels,", id="an-alerts-field"),
        pytest.param('{{ .CommonLabels.Remove "x" }}', "Remove wants a list of names", id="remove"),
        pytest.param('{{ join "," .Status }}', "expected a list of strings", id="join"),
        pytest.param('{{ date "15" .Status }}', "expected a time such as .StartsAt", id="date"),
        pytest.param('{{ tz "Mars/Base" (index .Alerts 0).StartsAt }}', "unknown time zone Mars/Base", id="tz"),
        pytest.param('{{ toDate "2006" "soon" }}', "cannot read 'soon' as a time", id="to-date"),
        pytest.param('{{ toUpper 1 }}', "expected a string, got 1", id="to-upper"),
        pytest.param("{{ trimSpace 1 }}", "expected a string, got 1", id="trim-space"),
        pytest.param('{{ append 1 2 }}', "append wants a list first", id="append"),
        pytest.param('{{ dict "a" }}', "dict wants pairs", id="dict"),
        pytest.param("{{ toJson .Alerts.Firing.Nope }}", "can't evaluate field Nope", id="no-such-method"),
        pytest.param("{{ toJson (dict \"a\" 1i) }}", "cannot write complex as JSON", id="json"),
        pytest.param("{{ (index .Alerts 0).StartsAt.Sub 1 }}", "expected a time", id="sub"),
        pytest.param('{{ (index .Alerts 0).StartsAt.Add "x" }}', "expected a duration", id="add"),
        pytest.param('{{ define "a" }}{{ template "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', "budget exceeded", id="it-calls-itself-twice"),
        pytest.param('{{ template "d" . }}', "line 2, column 4: in what it calls (definitions): can't evaluate field Foo", id="in-a-definition"),
    ],
)  # fmt: skip
def test_a_template_that_fails_says_where_and_what_there_is(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as raised:
        made(template, '{{ define "d" }}\n{{ .Foo }}{{ end }}')
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("template", "definitions", "message"),
    [
        pytest.param("ok\n{{ if }}", "", "line 2, column 7: missing value", id="syntax"),
        pytest.param("{{ toUper .Status }}", "", "function 'toUper' not defined; did you mean 'toUpper'?", id="a-function"),
        pytest.param("{{ zzzzzz .Status }}", "", "function 'zzzzzz' not defined", id="no-such-function"),
        pytest.param('x\n{{ template "my.titel" . }}', '{{ define "my.title" }}{{ end }}', "line 2, column 1: no template 'my.titel' is defined; did you mean 'my.title'?", id="a-template"),
        pytest.param("x", '{{ define "a" }}\n\n{{ template `q` }}{{ end }}', "line 3, column 1: in the definitions: no template 'q' is defined", id="a-definitions-template"),
        pytest.param("{{ .Status }}", "\n{{ define }}", "line 2, column 11: in what it calls (definitions): ", id="a-definition"),
        pytest.param("{{ 01234567012345670 }}", "", "begins with 0", id="octal"),
        pytest.param("{{ .Status }}" + "x" * MAX_TEXT, "", "longer than", id="too-long"),
    ],
)  # fmt: skip
def test_a_template_that_cannot_work_is_refused_with_line_and_fix(
    template: str, definitions: str, message: str
) -> None:
    with pytest.raises(TemplateError) as raised:
        check(template, definitions)
    assert message in raised.value.message


def test_what_can_work_is_not_refused() -> None:
    check("no template")
    check(
        '{{ template "slack.default.title" . }}{{ block "own" . }}x{{ end }}{{ template "d" . }}',
        "{{ define `d` }}{{ end }}",
    )


def test_definitions_take_the_place_of_the_default_of_their_name() -> None:
    assert made('{{ template "slack.default.title" . }}', '{{ define "slack.default.title" }}mine{{ end }}') == "mine"


def test_a_definition_in_the_template_itself_counts_before_the_default_of_its_name() -> None:
    own = '{{ define "__subject" }}mine{{ end }}{{ template "slack.default.title" . }}'
    assert (made(own), made(own, html=True)) == ("mine", "mine")


def test_in_html_a_label_is_text_wherever_it_stands() -> None:
    text = made(
        '<a href="{{ .ExternalURL }}" title="{{ (index .Alerts 0).Labels.instance }}">{{ (index .Alerts 0).Annotations.summary }}</a>',
        html=True,
    )
    assert text == '<a href="http://tocsin" title="a&lt;b">S &amp; T</a>'


@given(st.text(max_size=40))
def test_no_label_ever_opens_a_tag(text: str) -> None:
    data = MessageData(
        receiver="r",
        status="firing",
        reason="",
        alerts=(),
        group_labels={},
        common_labels={"a": text},
        common_annotations={},
        now=NOON,
    )
    made_of_it = message_templates.render("<p>{{ .CommonLabels.a }}</p>", data, html=True)
    assert made_of_it.count("<") == 2
