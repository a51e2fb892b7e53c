"""What `env:` and `file:` stand for, read anew each time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.delivery.references import FILE_LIMIT, describe, is_placeholder, resolve
from rules.errors import ChannelError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("smtp.example.org", "smtp.example.org", id="a-literal"),
        pytest.param("https://example.org:8080/x", "https://example.org:8080/x", id="a-literal-with-colons"),
        pytest.param("  padded ", "padded", id="blanks-around-are-dropped"),
        pytest.param("", None, id="empty"),
        pytest.param("env:TOKEN", "s3cret", id="a-variable"),
        pytest.param("env: TOKEN", "s3cret", id="a-variable-after-a-blank"),
        pytest.param("env:PADDED", "p", id="a-variable-with-a-newline"),
        pytest.param("env:ABSENT", None, id="an-absent-variable"),
        pytest.param("env:EMPTY", None, id="an-empty-variable"),
        pytest.param("env:", None, id="no-variable"),
        pytest.param("env:EXAMPLE", None, id="a-variable-holding-a-placeholder"),
    ],
)
def test_a_reference_stands_for_what_it_names(text: str, found: str | None) -> None:
    environment = {"TOKEN": "s3cret", "PADDED": " p\n", "EMPTY": "", "EXAMPLE": "<your token>"}
    assert resolve(text, environment) == found


@pytest.mark.parametrize(
    "text",
    [
        "<password>",
        "<your-smtp-password>",
        "changeme",
        "CHANGE_ME",
        "change-me",
        "${SLACK_WEBHOOK_URL}",
        "$SMTP_PASSWORD",
        "TODO",
        "xxxx",
        "https://hooks.slack.com/services/YOUR/SLACK/WEBHOOK",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "https://hooks.slack.com/services/<token>",
        "YOUR_PASSWORD",
        "your-pagerduty-integration-key",
        "your_smtp_password",
        "xoxb-your-token",
    ],
)
def test_what_an_example_left_in_place_counts_as_unset(text: str) -> None:
    assert is_placeholder(text)
    assert resolve(text, {}) is None


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "https://hooks.slack.com/services/T0ABCDEF1/B0ABCDEF2/a1b2c3d4e5",
        "Ops <ops@example.org>",
        "ops@yourcompany.example",
        "changemexico",
        "p4$$word",
        "todo@example.org",
    ],
)
def test_a_real_value_is_no_placeholder(text: str) -> None:
    assert resolve(text, {}) == text


def test_a_file_is_read_anew_at_each_call(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("first\n")
    assert resolve(f"file:{secret}", {}) == "first"
    secret.write_text("second\n")
    assert resolve(f"file:{secret}", {}) == "second"


def test_an_empty_file_is_unset(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    assert resolve(f"file:{tmp_path / 'token'}", {}) is None


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="absent is no file"):
        resolve(f"file:{tmp_path / 'absent'}", {})


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ChannelError, match="pipe is no file"):
        resolve(f"file:{tmp_path / 'pipe'}", {})


def test_a_path_the_system_refuses_is_named_with_the_reason() -> None:
    with pytest.raises(ChannelError, match="cannot be read: File name too long"):
        resolve(f"file:/{'a' * 300}", {})


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"k" * FILE_LIMIT)
    assert len(resolve(f"file:{tmp_path / 'token'}", {}) or "") == FILE_LIMIT


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"k" * (FILE_LIMIT + 1), "holds more than 65536 bytes", id="too-large"),
        pytest.param(b"\xff\xfecanary", "is not UTF-8 text", id="no-text"),
    ],
)
def test_a_file_that_is_no_secret_is_refused_without_its_content(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ChannelError, match=problem) as caught:
        resolve(f"file:{tmp_path / 'token'}", {})
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [("env:TOKEN", "env:TOKEN"), ("file:/run/token", "file:/run/token"), ("hunter2", "its text")],
)
def test_only_a_reference_is_described_in_full(text: str, shown: str) -> None:
    assert describe(text) == shown
