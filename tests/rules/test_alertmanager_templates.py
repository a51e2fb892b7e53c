"""Definitions of template files, put into the texts that call them."""

from __future__ import annotations

import pytest

from rules.channels import Channel, ChannelKind
from rules.formats.alertmanager_templates import completed, definitions

FILE = """
{{/* What the team reads: a {{ brace }} in a comment. */}}
{{ define "title" }}[{{ .Status }}] {{ template "name" . }}{{ end }}
{{- define "name" -}}
  {{ if eq .Status "firing" }}{{ with .CommonLabels.alertname }}{{ . }}{{ end }}{{ else }}}}{{ end }}
{{- end }}
{{ define `raw` }}{{ "{{ end }}" }}{{ end }}
{{ define "open" }}never ends
"""


def text_of(text: str, *files: str) -> str:
    channel = Channel(name="c", kind=ChannelKind.SLACK, templates={"title": text})
    (found,), flaws = completed([channel], {f"{place}.tmpl": file for place, file in enumerate(files)}, "am.yml")
    assert not flaws
    return found.templates["title"]


def test_definitions_are_cut_out_whole() -> None:
    found = dict(definitions(FILE))
    assert list(found) == ["title", "name", "raw"]
    assert found["title"] == '{{ define "title" }}[{{ .Status }}] {{ template "name" . }}{{ end }}'
    assert found["name"].endswith("{{- end }}")
    assert found["raw"] == '{{ define `raw` }}{{ "{{ end }}" }}{{ end }}'


def test_a_text_gets_what_it_calls_and_what_that_calls_once() -> None:
    found = dict(definitions(FILE))
    assert text_of('{{ template "title" . }}{{ template "name" . }}', FILE) == (
        found["title"] + found["name"] + '{{ template "title" . }}{{ template "name" . }}'
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ .Status }}", id="nothing is called"),
        pytest.param('{{ define "own" }}x{{ end }}{{ template "own" . }}', id="it brings its own"),
        pytest.param('{{ template "slack.default.text" . }} {{ template "__subject" . }}', id="Alertmanager's own"),
        pytest.param('{{ "template \\"title\\"" }}', id="a text that only says so"),
    ],
)
def test_a_text_that_calls_nothing_of_the_files_stays_as_it_is(text: str) -> None:
    assert text_of(text, FILE).endswith(text)
    assert text_of(text, FILE).count("define") == text.count("define")


def test_of_two_definitions_the_later_counts() -> None:
    first, second = '{{ define "a" }}1{{ end }}', '{{ define "a" }}2{{ end }}'
    assert text_of('{{ template "a" }}', first, second) == second + '{{ template "a" }}'


def test_a_text_that_cannot_be_part_of_a_message_is_told() -> None:
    channel = Channel(name="c", kind=ChannelKind.SLACK, templates={"title": "{{ .Status", "payload": "x"})
    _, flaws = completed([channel], {}, "am.yml")
    first, second = map(str, flaws)
    assert first.startswith("am.yml:1:1: warning: channel 'c': template 'title': ")
    assert "a channel of kind slack has no part 'payload'" in second


def test_what_nobody_defines_is_told() -> None:
    channel = Channel(name="c", kind=ChannelKind.SLACK, templates={"title": '{{ template "gone" . }}'})
    (same,), (flaw,) = completed([channel], {}, "am.yml")
    assert same == channel
    assert "channel 'c': title calls the template 'gone', which none of the files" in str(flaw)
