"""A channel's own templates at work in each kind of message, and what is left when one of them fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from engine.core import messages
from engine.core.facts import Facts
from rules import message_parts
from rules.channels import Channel, ChannelKind
from rules.errors import ChannelError
from tests.core.telling import alert, facts

TITLE = "{{ .Status | toUpper }}: {{ .CommonLabels.alertname }}"


def told(kind: ChannelKind, facts: Facts | None = None, /, **templates: str) -> Any:
    """The payload of a channel with these templates, none of which may fail."""
    made = messages.message(Channel(name="x", kind=kind, templates=templates), facts or one())
    assert made.problems == ()
    return json.loads(made.body)


def one() -> Facts:
    return facts(alert({"team": "db"}))


def test_slack_says_the_parts_and_keeps_its_own_for_the_others() -> None:
    body = told(
        ChannelKind.SLACK, title=TITLE, footer="{{ .Receiver }}", color="#123456", username="bot", icon_emoji=":x:"
    )
    (attachment,) = body["attachments"]
    assert (body["text"], body["username"], body["icon_emoji"]) == ("FIRING: HighErrorRate", "bot", ":x:")
    assert (attachment["title"], attachment["footer"], attachment["color"]) == (
        "FIRING: HighErrorRate",
        "ops",
        "#123456",
    )
    assert attachment["text"].startswith("🔴 *Too many errors*")
    assert attachment["fields"]


def test_a_text_of_ones_own_is_all_the_message_says_below_its_title() -> None:
    (attachment,) = told(ChannelKind.SLACK, text="just this", message_text="push", fallback="fall")["attachments"]
    assert (attachment["text"], attachment["fallback"]) == ("just this", "fall")
    assert "fields" not in attachment


def test_a_template_may_call_the_channel_and_a_label_may_not() -> None:
    hostile = facts(alert({"zone": "<!channel> & <@U1> >x"}, annotations={"summary": "<!here> <https://w|wiki>"}))
    text = "<!here> {{ .CommonLabels.zone | toUpper }} {{ .CommonAnnotations.summary }}"
    (attachment,) = told(ChannelKind.SLACK, hostile, text=text)["attachments"]
    assert attachment["text"] == "<!here> &lt;!CHANNEL&gt; &amp; &lt;@U1&gt; &gt;X &lt;!here> <https://w|wiki>"


def test_a_label_in_an_address_is_not_escaped_twice() -> None:
    (attachment,) = told(
        ChannelKind.SLACK, facts(alert({"q": "a&b"})), title_link="https://x/?q={{ .CommonLabels.q }}"
    )["attachments"]
    assert attachment["title_link"] == "https://x/?q=a&b"


def test_a_long_text_is_cut_where_no_escape_breaks() -> None:
    (attachment,) = told(ChannelKind.SLACK, facts(alert({"q": "&" * 9000})), text="{{ .CommonLabels.q }}")[
        "attachments"
    ]
    assert 7000 < len(attachment["text"]) <= 7501
    assert attachment["text"].endswith("&amp;…")


def test_pagerduty_says_the_parts_and_details() -> None:
    body = told(
        ChannelKind.PAGERDUTY, description=TITLE, severity="{{ .CommonLabels.severity }}", component="{{ .CommonLabels.team }}",
        client="us", client_url="https://us", **{"class": "disk", "details.team": "{{ .CommonLabels.team }}"},
    )  # fmt: skip
    payload = body["payload"]
    assert (payload["summary"], payload["severity"], payload["component"]) == (
        "FIRING: HighErrorRate",
        "critical",
        "db",
    )
    assert (payload["class"], body["client"], body["client_url"]) == ("disk", "us", "https://us")
    assert payload["custom_details"]["team"] == "db"
    assert payload["custom_details"]["num_firing"] == "1"


def test_a_severity_pagerduty_does_not_know_becomes_one_it_knows() -> None:
    assert told(ChannelKind.PAGERDUTY, severity="sev-1")["payload"]["severity"] == "error"


def test_mail_says_subject_and_text_and_then_has_no_other_html() -> None:
    body = told(ChannelKind.EMAIL, subject="{{ .Status }}\n\nBcc: x", text="{{ .CommonLabels.team }}")
    assert (body["subject"], body["text"], body["html"]) == ("firing Bcc: x", "db", "")
    assert "References" in body["headers"]


def test_mail_in_html_of_ones_own_keeps_a_text_for_those_who_read_text() -> None:
    body = told(ChannelKind.EMAIL, facts(alert({"zone": "<script>"})), html="<p>{{ .CommonLabels.zone }}</p>")
    assert body["html"] == "<p>&lt;script&gt;</p>"
    assert "HighErrorRate" in body["text"]


def test_a_webhooks_payload_is_all_there_is() -> None:
    assert told(ChannelKind.WEBHOOK, payload='{"name": {{ toJson .CommonLabels.alertname }}}') == {
        "name": "HighErrorRate"
    }


@pytest.mark.parametrize(
    ("templates", "title", "body"),
    [
        pytest.param({"title": "T", "text": "B"}, "T", "B", id="msteams"),
        pytest.param({"message": "M"}, "[FIRING:1] HighErrorRate (critical)", "M", id="telegram"),
        pytest.param({"subject": "S", "message": "M"}, "S", "M", id="sns"),
        pytest.param({"summary": "S", "description": "D"}, "S", "D", id="jira"),
    ],
)
def test_any_other_service_takes_title_and_text_by_its_own_names(
    templates: dict[str, str], title: str, body: str
) -> None:
    made = told(ChannelKind.APPRISE, **templates)
    assert (made["title"], made["body"]) == (title, body)


def test_the_log_says_the_text_in_a_line() -> None:
    made = messages.message(Channel(name="x", kind=ChannelKind.LOG, templates={"text": "a\n{{ .Receiver }}"}), one())
    assert made.body == b"[FIRING:1] | a ops"


def test_no_channel_is_the_log() -> None:
    assert messages.message(None, one()).body.startswith(b"[FIRING:1] HighErrorRate")


def test_without_templates_it_is_the_default() -> None:
    made = messages.message(Channel(name="x", kind=ChannelKind.SLACK), one())
    assert (made.body, made.problems) == (messages.render(ChannelKind.SLACK, one(), {}), ())


def test_definitions_are_there_for_every_part() -> None:
    body = told(
        ChannelKind.SLACK, title='{{ template "t" . }}!', definitions='{{ define "t" }}{{ .Receiver }}{{ end }}'
    )
    assert body["attachments"][0]["title"] == "ops!"


WHERE: Mapping[ChannelKind, tuple[str, Callable[[Any], str]]] = {
    ChannelKind.SLACK: ("title", lambda body: body["attachments"][0]["text"]),
    ChannelKind.PAGERDUTY: ("description", lambda body: body["payload"]["custom_details"]["notes"][0]),
    ChannelKind.EMAIL: ("subject", lambda body: body["text"] + body["html"]),
    ChannelKind.WEBHOOK: ("payload", lambda body: body["note"]),
    ChannelKind.APPRISE: ("text", lambda body: body["body"]),
}


@pytest.mark.parametrize("kind", WHERE)
def test_a_template_that_fails_loses_nothing_and_is_told_of(kind: ChannelKind) -> None:
    part, note = WHERE[kind]
    made = messages.message(Channel(name="x", kind=kind, templates={part: "a\n{{ .Nope }}"}), one())
    assert made.problems[0].startswith(
        f"template '{part}' of this channel failed, its default stands here: line 2, column 4: can't"
    )
    body = json.loads(made.body)
    assert "line 2, column 4" in note(body)
    plain = json.loads(messages.render(kind, one(), {}))
    assert body.keys() - {"note"} == plain.keys()


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (ChannelKind.SLACK, "text"),
        (ChannelKind.EMAIL, "text"),
        (ChannelKind.EMAIL, "html"),
        (ChannelKind.APPRISE, "text"),
    ],
)
def test_a_text_of_ones_own_tells_of_another_that_failed(kind: ChannelKind, part: str) -> None:
    broken = {ChannelKind.SLACK: "title", ChannelKind.EMAIL: "subject", ChannelKind.APPRISE: "title"}[kind]
    made = messages.message(Channel(name="x", kind=kind, templates={part: "mine", broken: "{{ .Nope }}"}), one())
    assert b"mine" in made.body
    assert b"of this channel failed" in made.body


def test_a_payload_that_is_no_json_is_not_sent() -> None:
    made = messages.message(
        Channel(name="x", kind=ChannelKind.WEBHOOK, templates={"payload": "{ {{ .Status }} }"}), one()
    )
    assert "it made no JSON" in made.problems[0]
    assert json.loads(made.body)["version"] == "4"


def test_a_part_the_kind_does_not_have_is_told_of() -> None:
    made = messages.message(Channel(name="x", kind=ChannelKind.SLACK, templates={"subject": "x"}), one())
    assert "a channel of kind slack has no such part" in made.problems[0]


def test_a_message_that_cannot_be_made_at_all_is_plain_and_told_of() -> None:
    channel = Channel(name="x", kind=ChannelKind.WEBHOOK, settings={"max_alerts": "many"}, templates={"payload": "x"})
    made = messages.message(channel, one())
    assert len(made.problems) == 2
    assert "max_alerts" in json.loads(made.body)["commonAnnotations"]["note"]


@pytest.mark.parametrize(
    ("kind", "templates", "field", "message"),
    [
        pytest.param(ChannelKind.SLACK, {"titel": "x"}, "templates.titel", "has no part 'titel'; it has title, ", id="a-part"),
        pytest.param(ChannelKind.PAGERDUTY, {"details.": "x"}, "templates.details.", "has no part", id="a-nameless-detail"),
        pytest.param(ChannelKind.SLACK, {"title": "{{ if }}"}, "templates.title", "line 1, column 7", id="a-template"),
        pytest.param(ChannelKind.SLACK, {"definitions": "{{ end }}"}, "templates.definitions", "line 1, column 1: unexpected end", id="definitions"),
    ],
)  # fmt: skip
def test_a_channel_whose_templates_cannot_be_used_is_refused(
    kind: ChannelKind, templates: dict[str, str], field: str, message: str
) -> None:
    with pytest.raises(ChannelError) as raised:
        message_parts.check(Channel(name="x", kind=kind, templates=templates))
    assert raised.value.field == field
    assert message in raised.value.message


def test_every_mistake_is_found_at_once() -> None:
    found = message_parts.wrong(ChannelKind.SLACK, {"x": "", "title": "{{", "text": "{{ nope }}"})
    assert [one.field for one in found] == ["templates.x", "templates.title", "templates.text"]


def test_a_channel_whose_templates_can_be_used_is_not() -> None:
    templates = {
        "details.x": "{{ .Status }}",
        "description": '{{ template "a" . }}',
        "definitions": '{{ define "a" }}b{{ end }}',
    }
    message_parts.check(Channel(name="x", kind=ChannelKind.PAGERDUTY, templates=templates))
