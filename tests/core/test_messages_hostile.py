"""Hostile labels stay text in every kind of message, whatever they hold and however long they are: looked for in the bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core import messages
from engine.core.facts import Facts
from engine.delivery.addresses import SmtpServer, Tls
from engine.delivery.anywhere import fitted
from engine.delivery.email import message as mail
from rules.channels import Channel, ChannelKind
from tests.core.telling import alert, facts

SEEDS = (
    "<!channel>", "<!here|x>", "<@U123>", "<#C1>", "<https://evil.example|click>", "&lt;!channel&gt;", "```", "*_~`",
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "</title></style>", "&#60;b&#62;",
    "a\r\nBcc: everyone@example.org\r\n\r\nx", "\n\nFAKE: all is well", "\x00\x07\x1b[31mred", "\u2028\u2029", "\u202etxt.exe",
    "שלום עולם", "مرحبا", "🔥👩‍🚒", "@everyone", "@here <@1> <@&2>", "{{ .Labels }}", "%0a%0d", "\ue0b0\ue0b1\ue0b2", "=?utf-8?q?x?=", "{" * 3000,
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(SEEDS) | st.text(max_size=30), min_size=1, max_size=4).map("".join)
LONG = ("x", "<", "&", "<!channel>", "א", "🔥", "a\n")
ALL = "{{ .Status }} {{ range .Alerts }}{{ .Labels.alertname }} {{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}{{ end }}"
TEMPLATES: Mapping[ChannelKind, Mapping[str, str]] = {
    ChannelKind.SLACK: {"title": ALL, "text": ALL, "footer": "{{ .CommonLabels.zone }}", "pretext": "{{ .CommonLabels.zone }}"},
    ChannelKind.PAGERDUTY: {"description": ALL, "class": "{{ .CommonLabels.zone }}", "details.zone": "{{ .CommonLabels.zone }}"},
    ChannelKind.EMAIL: {"subject": ALL, "html": f"<p>{ALL}</p>"},
    ChannelKind.WEBHOOK: {"payload": '{"name": {{ toJson .CommonLabels.alertname }}, "zone": {{ toJson .CommonLabels.zone }}}'},
    ChannelKind.APPRISE: {"title": ALL, "text": ALL},
    ChannelKind.LOG: {"text": ALL},
}  # fmt: skip
NAMED = "Qx7"
"""What every alert's name begins with, so that it can be looked for."""
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def told(text: str) -> Facts:
    """A group in which the text is wherever a text may come from outside."""
    one = alert(
        {"alertname": f"{NAMED} {text}", "zone": text, text[:40].strip() or "n": text},
        annotations={"summary": f"{NAMED} {text}", "description": text, "runbook_url": text},
        generator_url=text, threshold=text, number=1,
    )  # fmt: skip
    return facts(one, group_labels={"alertname": f"{NAMED} {text}", "zone": text}, notes=(text,), receiver=text[:200])


def texts(value: Any) -> Iterator[str]:
    """Every text in what JSON holds, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def slack(body: Any) -> None:
    for text in texts(body):
        assert not re.search("<(?!https?://)", text), "only our own links begin with <"
        assert not re.search(r"<https?://evil", text)
    (attachment,) = body["attachments"]
    assert len(body["text"]) <= 3000
    assert len(attachment["text"]) <= 8000
    assert len(attachment["title"]) <= 1025
    assert len(attachment.get("fields", ())) <= 10
    assert len(body["reply"]["text"]) <= 12_000
    assert len(json.dumps(body, ensure_ascii=False)) <= 100_000
    assert NAMED in body["text"]


def pagerduty(body: Any) -> None:
    assert len(json.dumps(body, ensure_ascii=False).encode()) <= 512_000
    assert len(body["payload"]["summary"]) <= 1024
    assert len(body["dedup_key"]) <= 255
    assert NAMED in body["payload"]["summary"]
    assert all(link["href"].startswith(("http://", "https://")) for link in body.get("links", ()))


class _Tags(HTMLParser):
    """What a reader's program makes of HTML: the tags with where they lead, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def email(body: Any) -> None:
    found = _Tags()
    found.feed(body["html"])
    allowed = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "div",
        "p",
        "a",
        "strong",
        "span",
        "br",
        "table",
        "tr",
        "td",
        "th",
        "h1",
    }
    assert {tag for tag, _ in found.tags} <= allowed
    for _, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "http://").startswith(("http://", "https://"))
    assert NAMED in found.text
    assert len(body["html"]) <= 600_000
    server = SmtpServer(
        host="h", port=1, user="", password="", sender="a@example.org", recipients=("b@example.org",), tls=Tls.NONE
    )
    raw = mail(server, json.dumps(body).encode(), "b@example.org").as_bytes()
    assert max(map(len, raw.split(b"\r\n"))) <= 998, "RFC 5322"
    again = message_from_bytes(raw, policy=default)
    assert set(again.keys()) <= {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "References", "In-Reply-To", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding",
    }  # fmt: skip
    assert NAMED in str(again["Subject"])


def webhook(body: Any) -> None:
    assert NAMED in json.dumps(body)


def apprise(body: Any) -> None:
    assert len(body["title"]) <= 250
    assert not re.search(
        r"@(everyone|here|channel|all)\b|<[@!#]", f"{body['title']} {body['body']} {body['short']}", re.IGNORECASE
    )
    assert len(fitted(body, 160, 0)[1]) <= 160
    assert NAMED in fitted(body, 160, 0)[1]
    assert NAMED in body["title"] + body["body"]


CHECKS = {
    ChannelKind.SLACK: slack,
    ChannelKind.PAGERDUTY: pagerduty,
    ChannelKind.EMAIL: email,
    ChannelKind.WEBHOOK: webhook,
    ChannelKind.APPRISE: apprise,
}


@pytest.mark.parametrize("templates", [False, True], ids=["default", "templates"])
@pytest.mark.parametrize("kind", list(ChannelKind))
def test_a_hundred_kilobytes_stay_text_within_the_limits(kind: ChannelKind, templates: bool) -> None:
    for seed in LONG:
        check(kind, templates, seed * (100_000 // len(seed)))


@pytest.mark.parametrize("templates", [False, True], ids=["default", "templates"])
@pytest.mark.parametrize("kind", list(ChannelKind))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(text=HOSTILE)
def test_a_hostile_text_stays_text(kind: ChannelKind, templates: bool, text: str) -> None:
    check(kind, templates, text)


def check(kind: ChannelKind, templates: bool, text: str) -> None:
    """The message of this text, by default or by templates, is what its service takes for text."""
    channel = Channel(name="x", kind=kind, templates=TEMPLATES[kind] if templates else {})
    made = messages.message(channel, told(text))
    if kind is ChannelKind.LOG:
        line = made.body.decode()
        assert not CONTROLS.search(line)
        assert "\n" not in line
        assert NAMED in line
        return
    body = json.loads(made.body)
    if not (kind is ChannelKind.WEBHOOK and templates):  # There JSON's own escapes carry whatever its reader asked for.
        assert not any(CONTROLS.search(one) for one in texts(body))
    CHECKS[kind](body)
