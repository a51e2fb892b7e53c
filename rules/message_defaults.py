"""Alertmanager's default templates by their names, for templates that build on them: `{{ template "slack.default.title" . }}`.

They say what Alertmanager's say (A:template/default.tmpl), letter for letter where that is a line of text. What Tocsin sends
without a template is not made of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_LIST: Final = (
    '{{ define "__text_alert_list" }}{{ range . }}Labels:\n'
    "{{ range .Labels.SortedPairs }} - {{ .Name }} = {{ .Value }}\n{{ end }}Annotations:\n"
    "{{ range .Annotations.SortedPairs }} - {{ .Name }} = {{ .Value }}\n{{ end }}Source: {{ .GeneratorURL }}\n"
    "{{ end }}{{ end }}"
)
_MARKDOWN: Final = (
    '{{ define "__text_alert_list_markdown" }}{{ range . }}\nLabels:\n'
    "{{ range .Labels.SortedPairs }}  - {{ .Name }} = {{ .Value }}\n{{ end }}\nAnnotations:\n"
    "{{ range .Annotations.SortedPairs }}  - {{ .Name }} = {{ .Value }}\n{{ end }}\nSource: {{ .GeneratorURL }}\n"
    "{{ end }}{{ end }}"
)
_BOTH: Final = (
    '\n{{ if gt (len .Alerts.Firing) 0 }}\nAlerts Firing:\n{{ template "%(list)s" .Alerts.Firing }}\n{{ end }}'
    '\n{{ if gt (len .Alerts.Resolved) 0 }}\nAlerts Resolved:\n{{ template "%(list)s" .Alerts.Resolved }}\n{{ end }}\n'
)
_ANNOTATED: Final = '{{ .CommonAnnotations.SortedPairs.Values | join " " }}'
_TIGHT: Final = (
    f"{_ANNOTATED}\n"
    '{{ if gt (len .Alerts.Firing) 0 -}}\nAlerts Firing:\n{{ template "__text_alert_list" .Alerts.Firing }}\n{{- end }}\n'
    '{{ if gt (len .Alerts.Resolved) 0 -}}\nAlerts Resolved:\n{{ template "__text_alert_list" .Alerts.Resolved }}\n{{- end }}'
)
_WECHAT: Final = (
    f'{{{{ template "__subject" . }}}}\n{_TIGHT}\nAlertmanagerUrl:\n{{{{ template "__alertmanagerURL" . }}}}'
)
_HTML: Final = (
    '{{ define "email.default.html" }}<h2>{{ template "__subject" . }}</h2>'
    "{{ range .Alerts }}<p><strong>{{ .Status }}: {{ .Labels.alertname }}</strong><br>"
    "{{ range .Labels.SortedPairs }}{{ .Name }} = {{ .Value }}<br>{{ end }}"
    "{{ range .Annotations.SortedPairs }}{{ .Name }}: {{ .Value }}<br>{{ end }}"
    '<a href="{{ .GeneratorURL }}">Source</a></p>{{ end }}{{ end }}'
)
_BASIC: Final = """\
{{ define "__alertmanager" }}Alertmanager{{ end }}\
{{ define "__alertmanagerURL" }}{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}{{ end }}\
{{ define "__subject" }}[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] \
{{ .GroupLabels.SortedPairs.Values | join " " }} \
{{ if gt (len .CommonLabels) (len .GroupLabels) }}(\
{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join " " }}{{ end }})\
{{ end }}{{ end }}\
{{ define "__description" }}{{ end }}\
"""
_SUBJECTS: Final = (
    "slack.default.title", "pagerduty.default.description", "pushover.default.title",
    "email.default.subject", "opsgenie.default.message", "victorops.default.entity_display_name", "discord.default.title",
    "sns.default.subject", "msteams.default.title", "msteamsv2.default.title", "rocketchat.default.title", "jira.default.summary",
)  # fmt: skip
_ADDRESSES: Final = (
    "slack.default.titlelink", "pagerduty.default.clientURL", "pushover.default.url", "opsgenie.default.source",
    "rocketchat.default.titlelink",
)  # fmt: skip
_EMPTY: Final = (
    "slack.default.pretext", "slack.default.text", "slack.default.iconemoji", "slack.default.iconurl", "slack.default.callbackid",
    "slack.default.footer", "rocketchat.default.text", "rocketchat.default.alias", "rocketchat.default.iconurl",
    "rocketchat.default.emoji",
)  # fmt: skip
_LISTS: Final = ("telegram.default.message", "discord.default.message")
_MARKED: Final = (
    "msteams.default.text",
    "msteamsv2.default.text",
    "mattermost.default.text",
    "jira.default.description",
)
_TIGHTS: Final = ("opsgenie.default.description", "victorops.default.state_message")
_LOOSE: Final = ("pushover.default.message", "sns.default.message", "webex.default.message", "email.default.text")
_INSTANCES: Final = (
    '{{ define "pagerduty.default.instances" }}{{ template "__text_alert_list" . }}{{ end }}'
    '{{ define "slack.default.fallback" }}{{ template "slack.default.title" . }} | '
    '{{ template "slack.default.titlelink" . }}{{ end }}'
    '{{ define "slack.default.username" }}{{ template "__alertmanager" . }}{{ end }}'
    '{{ define "pagerduty.default.client" }}{{ template "__alertmanager" . }}{{ end }}'
)


def _defined(name: str, text: str) -> str:
    return f'{{{{ define "{name}" }}}}{text}{{{{ end }}}}'


_WHOLE: Final = "".join(
    (
        _BASIC,
        _LIST,
        _MARKDOWN,
        _INSTANCES,
        *(_defined(name, '{{ template "__subject" . }}') for name in _SUBJECTS),
        *(_defined(name, '{{ template "__alertmanagerURL" . }}') for name in _ADDRESSES),
        *(_defined(name, "") for name in _EMPTY),
        *(_defined(name, _BOTH % {"list": "__text_alert_list"}) for name in _LISTS),
        *(_defined(name, _BOTH % {"list": "__text_alert_list_markdown"}) for name in _MARKED),
        *(_defined(name, _TIGHT) for name in _TIGHTS),
        *(_defined(name, _ANNOTATED + _BOTH % {"list": "__text_alert_list"}) for name in _LOOSE),
        _defined("wechat.default.message", _WECHAT),
        _HTML,
    )
)
_START: Final = '{{ define "'
DEFAULTS: Final[Mapping[str, str]] = {block.split('"', 1)[0]: f"{_START}{block}" for block in _WHOLE.split(_START)[1:]}
"""Each definition by its name."""
