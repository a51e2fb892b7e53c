"""What `env:` and `file:` stand for, read anew each time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.delivery import sealing
from engine.delivery.references import ALLOWED, FILE_LIMIT, Sources, describe, is_placeholder, resolve
from engine.delivery.sealing import Keys
from rules.errors import ChannelError

ANYTHING = Sources({}, allowed=("env:*", "file:*"))
"""Sources from which every file may be read."""


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
    assert resolve(f"file:{secret}", ANYTHING) == "first"
    secret.write_text("second\n")
    assert resolve(f"file:{secret}", ANYTHING) == "second"


def test_an_empty_file_is_unset(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    assert resolve(f"file:{tmp_path / 'token'}", ANYTHING) is None


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="absent is no file"):
        resolve(f"file:{tmp_path / 'absent'}", ANYTHING)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ChannelError, match="pipe is no file"):
        resolve(f"file:{tmp_path / 'pipe'}", ANYTHING)


def test_a_path_the_system_refuses_is_named_with_the_reason() -> None:
    with pytest.raises(ChannelError, match="cannot be read: File name too long"):
        resolve(f"file:/{'a' * 300}", ANYTHING)


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"k" * FILE_LIMIT)
    assert len(resolve(f"file:{tmp_path / 'token'}", ANYTHING) or "") == FILE_LIMIT


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
        resolve(f"file:{tmp_path / 'token'}", ANYTHING)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [("env:TOKEN", "env:TOKEN"), ("file:/run/token", "file:/run/token"), ("hunter2", "its text")],
)
def test_only_a_reference_is_described_in_full(text: str, shown: str) -> None:
    assert describe(text) == shown


@pytest.mark.parametrize("name", ["TOCSIN_API_KEYS", "TOCSIN_DATABASE_URL", "TOCSIN_SECRET_KEY", "tocsin_api_keys"])
def test_tocsins_own_settings_are_handed_to_nobody(name: str) -> None:
    for environment in ({name: "s3cret"}, Sources({name: "s3cret"}, allowed=("env:*", f"env:{name}"))):
        with pytest.raises(ChannelError, match=f"env:{name} is a setting of Tocsin itself") as caught:
            resolve(f"env: {name}", environment)
        assert "s3cret" not in str(caught.value)


def test_the_address_of_prometheus_may_always_be_referred_to() -> None:
    environment = Sources({"TOCSIN_PROMETHEUS_URL": "http://p:9090"}, allowed=("env:SLACK_*",))
    assert resolve("env:TOCSIN_PROMETHEUS_URL", environment) == "http://p:9090"


@pytest.mark.parametrize(
    ("name", "allowed", "read"),
    [
        ("SLACK_URL", ("env:SLACK_*",), True),
        ("AWS_SECRET_ACCESS_KEY", ("env:SLACK_*",), False),
        ("SLACK_URL", ("env:SMTP_HOST", "env:SLACK_URL"), True),
        ("slack_url", ("env:SLACK_*",), False),
        ("ANY", ("file:/run/*",), False),
    ],
)
def test_a_variable_is_read_where_the_setting_allows_it(name: str, allowed: tuple[str, ...], read: bool) -> None:
    environment = Sources({name: "s3cret"}, allowed=allowed)
    if read:
        assert resolve(f"env:{name}", environment) == "s3cret"
    else:
        with pytest.raises(ChannelError, match=f"env:{name} may not be read: TOCSIN_REFERENCES allows"):
            resolve(f"env:{name}", environment)


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/run/secrets/../../etc/passwd", "tocsin.db"])
def test_files_outside_of_the_folders_for_secrets_are_not_read(path: str) -> None:
    with pytest.raises(ChannelError, match=r"may not be read: TOCSIN_REFERENCES allows env:\*,file:/run/secrets/\*"):
        resolve(f"file:{path}", {})


def test_a_link_out_of_the_folder_is_followed_before_it_is_judged(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "elsewhere").write_text("s3cret")
    (tmp_path / "secrets" / "link").symlink_to(tmp_path / "elsewhere")
    environment = Sources({}, allowed=(f"file:{tmp_path}/secrets/*",))
    with pytest.raises(ChannelError, match=r"link \(which is .*elsewhere\) may not be read"):
        resolve(f"file:{tmp_path}/secrets/link", environment)


def test_a_folder_that_is_itself_a_link_may_be_named_either_way(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "token").write_text("s3cret")
    (tmp_path / "run").symlink_to(tmp_path / "real")
    for named in ("run", "real"):
        environment = Sources({}, allowed=(f"file:{tmp_path}/{named}/*",))
        assert resolve(f"file:{tmp_path}/run/token", environment) == "s3cret"


def test_links_in_a_circle_are_no_path(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ChannelError, match=r"is no path|cannot be read|is no file"):
        resolve(f"file:{tmp_path}/a", ANYTHING)


def test_an_encrypted_text_is_opened_when_it_is_read() -> None:
    keys = Keys([sealing.fresh_key()])
    assert resolve(keys.seal("s3cret"), Sources({}, secret_keys=keys)) == "s3cret"


def test_what_was_encrypted_is_never_followed_as_a_reference() -> None:
    keys = Keys([sealing.fresh_key()])
    environment = Sources({"OTHER": "s3cret"}, secret_keys=keys)
    assert resolve(keys.seal("env:OTHER"), environment) == "env:OTHER"


def test_sources_are_the_environment_to_everybody_else() -> None:
    environment = Sources({"A": "1", "B": "2"})
    assert ({**environment}, len(environment), environment["A"]) == ({"A": "1", "B": "2"}, 2, "1")
    assert environment.allowed == ALLOWED


def test_sources_show_no_value() -> None:
    assert "s3cret" not in repr(Sources({"A": "s3cret"}, secret_keys=Keys([sealing.fresh_key()])))
