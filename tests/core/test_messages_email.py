"""The mail: subject, text, HTML and threading."""

from __future__ import annotations

import hashlib
import json
from html.parser import HTMLParser
from typing import Any

import pytest

from engine.core.facts import Facts
from engine.core.messages_email import html, render, text, thread_root
from tests.core.telling import QUERY, RUNBOOK, alert, facts, many


def mail(told: Facts) -> Any:
    return json.loads(render(told))


class Page(HTMLParser):
    """What a mail reader would see: the text, the tags, where the links go."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_text_says_everything() -> None:
    told = facts(alert(annotations={"summary": "Too many errors", "description": "More words", "runbook_url": RUNBOOK}))
    assert text(told) == (
        "[FIRING:1] HighErrorRate (critical)\n\n"
        "[firing] Too many errors\n"
        "More words\n"
        "instance=web-1\n"
        "value 97.25 (threshold > 80), since 2026-03-01 12:00:00 UTC\n"
        f"Runbook: {RUNBOOK}\n"
        f"Query: {QUERY}\n\n"
        "Sent by Tocsin to ops at 2026-03-01 12:01:00 UTC (first notification).\n\n"
        "https://tocsin.example.org\n"
    )


def test_the_html_says_what_the_text_says() -> None:
    told = facts(alert(annotations={"summary": "Too many errors", "description": "More words"}), notes=("a note",))
    page = Page(html(told))
    for words in ("[FIRING:1] HighErrorRate (critical)", "FIRING", "Too many errors", "More words", "instance=web-1",
                  "value 97.25 (threshold > 80)", "a note", "Sent by Tocsin to ops"):  # fmt: skip
        assert words in page.text
    assert page.links == ["https://tocsin.example.org", QUERY]


def test_the_html_is_one_column_that_fits_a_phone() -> None:
    source = html(facts())
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in source
    assert "max-width:640px" in source
    assert "table" not in Page(source).tags


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "<img src=x>", '"><b>', "&lt;b&gt;"])
def test_markup_in_a_label_or_annotation_is_shown_as_text(hostile: str) -> None:
    told = facts(
        alert({"alertname": hostile, "zone": hostile}, annotations={"summary": hostile, "description": hostile + "."}),
        group_labels={},
        reason=hostile,
        receiver=hostile,
        notes=(hostile,),
    )
    page = Page(html(told))
    assert not {"script", "img", "b"} & set(page.tags)
    assert page.text.count(hostile) >= 6


def test_a_link_in_html_cannot_leave_its_attribute() -> None:
    page = Page(html(facts(alert(generator_url='https://x.example/" onclick="alert(1)'), external_url="")))
    assert set(page.links) == {"https://x.example/%22%20onclick=%22alert(1)"}


@pytest.mark.parametrize(
    ("told", "colour"),
    [
        pytest.param(facts(alert()), "#a32037", id="critical"),
        pytest.param(facts(alert({"severity": "warning"})), "#c75b00", id="warning"),
        pytest.param(facts(alert({"severity": "info"})), "#1f6f9f", id="info"),
        pytest.param(facts(alert(status="resolved")), "#2f7d32", id="resolved"),
    ],
)
def test_the_head_is_coloured_by_how_bad_it_is(told: Facts, colour: str) -> None:
    assert f'<div style="background:{colour};color:#fff' in html(told)


def test_ten_alerts_are_told_and_the_rest_counted_in_both_forms() -> None:
    told = facts(*many(14))
    for form in (text(told), Page(html(told)).text):
        assert form.count("Too many errors") == 10
        assert "… and 4 more" in form


def test_the_subject_is_one_line() -> None:
    assert mail(facts(alert({"zone": "a\r\nBcc: x@example.org"})))["subject"] == (
        "[FIRING:1] HighErrorRate (web-1 critical a Bcc: x@example.org)"
    )


def test_mails_of_one_group_share_a_thread() -> None:
    first, last = mail(facts()), mail(facts(alert(status="resolved")))
    assert first["headers"] == last["headers"] == {
        "References": f"<{'4f2a' * 16}@tocsin>",
        "In-Reply-To": f"<{'4f2a' * 16}@tocsin>",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["a b", "a>b", "a\r\nBcc: x", "ü", "", "k" * 129])
def test_a_key_no_message_id_may_hold_is_hashed(key: str) -> None:
    assert thread_root(key) == f"<{hashlib.sha256(key.encode()).hexdigest()}@tocsin>"


def test_a_message_without_anywhere_to_go_has_no_links() -> None:
    assert Page(html(facts(alert(generator_url=""), external_url=""))).links == []
