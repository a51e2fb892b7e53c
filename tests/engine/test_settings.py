"""The environment as settings: what each variable takes, what is refused and how, and that the document tells the truth."""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.core.roles import Role
from engine.delivery.references import ALLOWED
from engine.destinations import PrivateAddresses
from engine.setting_texts import Listen
from engine.settings import Delivery, Planning, SettingsError, load, names
from engine.telemetry import LogFormat, LogLevel
from rules import durations
from rules.labels import Labels

KEY = "0123456789abcdef"
SECRET = "canary-5f0c"
DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def complaint(**environment: str) -> str:
    """The one line that refuses these variables."""
    with pytest.raises(SettingsError) as caught:
        load(environment)
    return str(caught.value)


def documented() -> dict[tuple[str, ...], str]:
    """Names and default of every row of the document's table of variables."""
    table = DOCUMENT.read_text(encoding="utf-8").partition("| variable |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {tuple(re.findall(r"`(\w+)`", cells[0])): cells[-1] for cells in rows}


def test_an_empty_environment_is_enough() -> None:
    settings = load({})
    assert (settings.listen_host, settings.listen_port) == ("127.0.0.1", 9099)
    assert settings.external_url == "http://127.0.0.1:9099"
    assert settings.evaluation_interval == timedelta(seconds=60)
    assert settings.node == socket.gethostname()
    assert settings.api_keys == ()


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        pytest.param("TOCSIN_PROMETHEUS_URL", "https://p:1/x/", "prometheus_url", "https://p:1/x", id="prometheus"),
        pytest.param("TOCSIN_DATABASE_URL", "postgresql://h/n", "database_url", "postgresql://h/n", id="database"),
        pytest.param("TOCSIN_LISTEN", "[::1]:0", "listen", Listen(host="::1", port=0), id="listen-ipv6"),
        pytest.param("TOCSIN_LISTEN", "localhost:80", "listen", Listen(host="localhost", port=80), id="listen-name"),
        pytest.param("TOCSIN_EXTERNAL_URL", "https://t.example/", "external_url", "https://t.example", id="external"),
        pytest.param(
            "TOCSIN_EVALUATION_INTERVAL", "1m30s", "evaluation_interval", timedelta(seconds=90), id="a-duration"
        ),
        pytest.param("TOCSIN_QUERY_OFFSET", "30s", "query_offset", timedelta(seconds=30), id="offset"),
        pytest.param("TOCSIN_QUERY_OFFSET", "0s", "query_offset", timedelta(0), id="no-offset"),
        pytest.param(
            "TOCSIN_EXTERNAL_LABELS", "a=b=c, d = e", "external_labels", Labels({"a": "b=c", "d": "e"}), id="labels"
        ),
        pytest.param(
            "TOCSIN_EXTERNAL_LABELS", '{"a": "b,c"}', "external_labels", Labels({"a": "b,c"}), id="labels-json"
        ),
        pytest.param("ALERT_EVALUATION_INTERVAL", "15", "evaluation_interval", timedelta(seconds=15), id="seconds"),
        pytest.param("HEALTH_CHECK_TIMEOUT", "2.5", "health_check_timeout", timedelta(seconds=2.5), id="a-fraction"),
        pytest.param("TOCSIN_HEALTH_CHECK_TIMEOUT", "1s", "health_check_timeout", timedelta(seconds=1), id="health"),
        pytest.param("TOCSIN_QUERY_TIMEOUT", "500ms", "query_timeout", timedelta(milliseconds=500), id="query"),
        pytest.param("TOCSIN_QUERY_CONCURRENCY", "3", "query_concurrency", 3, id="queries"),
        pytest.param("TOCSIN_PLANNING", "off", "planning", Planning.OFF, id="planning"),
        pytest.param("TOCSIN_BATCHED_DATASOURCES", "a, b", "batched_datasources", ("a", "b"), id="batched"),
        pytest.param("TOCSIN_METRICS_ALERTS", "10000", "metrics_alerts", 10000, id="alerts as series"),
        pytest.param("TOCSIN_QUERY_MAX_BYTES", "1KiB", "query_max_bytes", 1024, id="a-size"),
        pytest.param("TOCSIN_QUERY_MAX_BYTES", "77", "query_max_bytes", 77, id="bytes"),
        pytest.param("TOCSIN_DELIVERY", "record", "delivery", Delivery.RECORD, id="delivery"),
        pytest.param("TOCSIN_DELIVERY_TIMEOUT", "4s", "delivery_timeout", timedelta(seconds=4), id="send"),
        pytest.param("TOCSIN_DELIVERY_CONCURRENCY", "5", "delivery_concurrency", 5, id="sends"),
        pytest.param("TOCSIN_FALLBACK_CHANNEL", "slack:env:X", "fallback_channel", "slack:env:X", id="fallback"),
        pytest.param("TOCSIN_LEASE", "1d", "lease", timedelta(days=1), id="lease"),
        pytest.param("TOCSIN_NODE", "tocsin-0", "node", "tocsin-0", id="node"),
        pytest.param("TOCSIN_HEARTBEAT_URL", "https://hc/1/", "heartbeat_url", "https://hc/1", id="heartbeat"),
        pytest.param("TOCSIN_RETENTION", "1y", "retention", timedelta(days=365), id="retention"),
        pytest.param("TOCSIN_MESSAGE_RETENTION", "36h", "message_retention", timedelta(hours=36), id="messages"),
        pytest.param("TOCSIN_ROLES", "api, Sender", "roles", frozenset({Role.API, Role.SENDER}), id="roles"),
        pytest.param("LOG_LEVEL", "DEBUG", "log_level", LogLevel.DEBUG, id="level"),
        pytest.param("TOCSIN_LOG_FORMAT", " json ", "log_format", LogFormat.JSON, id="format-in-blanks"),
    ],
)
def test_a_variable_sets_its_field(name: str, text: str, field: str, value: object) -> None:
    assert getattr(load({name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        pytest.param("TOCSIN_PROMETHEUS_URL", "prometheus:9090", "such as http://", id="no-scheme"),
        pytest.param("TOCSIN_PROMETHEUS_URL", "http://h:99999", "such as http://", id="no-port"),
        pytest.param("TOCSIN_PROMETHEUS_URL", "http://[::1", "such as http://", id="broken-ipv6"),
        pytest.param("TOCSIN_EXTERNAL_URL", "http://a b", "such as http://", id="a-blank"),
        pytest.param("TOCSIN_LISTEN", "9099", "such as 127.0.0.1:9099", id="port-alone"),
        pytest.param("TOCSIN_LISTEN", "127.0.0.1:65536", "such as 127.0.0.1:9099", id="port-too-high"),
        pytest.param("TOCSIN_LISTEN", "::1:80", "[::1]:9099", id="ipv6-without-brackets"),
        pytest.param("TOCSIN_LISTEN", "[host]:80", "[::1]:9099", id="a-name-in-brackets"),
        pytest.param("TOCSIN_EVALUATION_INTERVAL", "soon", "such as 60s", id="no-duration"),
        *(
            pytest.param("TOCSIN_EXTERNAL_LABELS", text, 'such as {"cluster": "eu-1"}', id=f"labels-{text}")
            for text in (
                "cluster",
                "a=",
                "=b",
                "a b=c",
                "alertname=x",
                "__name__=x",
                "{",
                '{"a": 1}',
                '["a"]',
                '{"a": ""}',
            )
        ),
        pytest.param("TOCSIN_EVALUATION_INTERVAL", "0s", "longer than 0s", id="nothing"),
        pytest.param("ALERT_EVALUATION_INTERVAL", "-5", "such as 60s", id="negative"),
        pytest.param("TOCSIN_LEASE", "1d1s", "at most 1d", id="longer-than-a-day"),
        pytest.param("TOCSIN_LEASE", "9" * 400, "such as 60s", id="endless"),
        pytest.param("TOCSIN_QUERY_CONCURRENCY", "0", "from 1 to 1000", id="nobody"),
        pytest.param("TOCSIN_QUERY_CONCURRENCY", "many", "from 1 to 1000", id="no-number"),
        pytest.param("TOCSIN_QUERY_MAX_BYTES", "64MB", "such as 64MiB", id="unknown-unit"),
        pytest.param("TOCSIN_QUERY_MAX_BYTES", "0", "such as 64MiB", id="no-bytes"),
        pytest.param("TOCSIN_DELIVERY", "maybe", "send, record", id="delivery"),
        pytest.param("TOCSIN_ROLES", "api,king", "evaluator, dispatcher, sender, api", id="no-role"),
        pytest.param("TOCSIN_ROLES", ",", "one or more", id="no-roles"),
        pytest.param("TOCSIN_RETENTION", "long", "such as 90d", id="no-age"),
        pytest.param("TOCSIN_RETENTION", "5m", "at least 1h", id="too-short-an-age"),
        pytest.param("TOCSIN_NODE", "a b", "without blanks", id="node"),
        pytest.param("LOG_LEVEL", "trace", "debug, info, warning", id="level"),
    ],
)
def test_a_wrong_value_is_refused_by_name_value_and_fix(name: str, text: str, fix: str) -> None:
    said = complaint(**{name: text})
    assert said.startswith(f"{name}: {text[:80]!r} cannot be used: ")
    assert fix in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        pytest.param("TOCSIN_API_KEYS", f"{KEY},{SECRET}", "at least 16 characters", id="short-key"),
        pytest.param("TOCSIN_API_KEYS", f"{SECRET} in two words", "without blanks", id="key-with-blanks"),
        pytest.param("TOCSIN_FALLBACK_CHANNEL", f"smoke:{SECRET}", "one of slack, pagerduty", id="unknown-fallback"),
        pytest.param("TOCSIN_FALLBACK_CHANNEL", f"email:{SECRET}", "one of slack, pagerduty", id="mail-as-fallback"),
        pytest.param("TOCSIN_PROMETHEUS_URL", f"ftp://u:{SECRET}@h", "such as http://", id="password-in-url"),
    ],
)
def test_a_refusal_does_not_repeat_a_secret(name: str, text: str, fix: str) -> None:
    said = complaint(**{name: text})
    assert said.startswith(f"{name}: ")
    assert fix in said
    assert SECRET not in said


def test_nothing_that_shows_the_settings_shows_a_secret() -> None:
    settings = load(
        {
            "TOCSIN_API_KEYS": f"{SECRET}-{KEY}",
            "TOCSIN_DATABASE_URL": f"postgresql://u:{SECRET}@h/n",
            "TOCSIN_PROMETHEUS_URL": f"http://u:{SECRET}@h",
            "TOCSIN_FALLBACK_CHANNEL": f"pagerduty:{SECRET}",
            "SMTP_PASSWORD": SECRET,
        }
    )
    assert SECRET not in f"{settings!r} {settings}"
    assert settings.environment["SMTP_PASSWORD"] == SECRET


SECRET_KEY = "c2VjcmV0LWtleS1vZi1leGFjdGx5LTMyLWJ5dGVzISE="


def test_references_are_read_under_the_rules_of_the_settings() -> None:
    settings = load({"TOCSIN_REFERENCES": "env:A*, file:/x/*", "TOCSIN_SECRET_KEY": SECRET_KEY, "AB": "1"})
    environment = settings.environment
    assert (environment.allowed, environment["AB"]) == (("env:A*", "file:/x/*"), "1")
    assert environment.secret_keys.opened(environment.secret_keys.seal(SECRET)) == SECRET
    assert load({}).environment.allowed == ALLOWED
    assert not load({}).environment.secret_keys


@pytest.mark.parametrize("text", ["SLACK_*", "env:A,http://x", "file:relative", "env"])
def test_what_is_no_reference_cannot_be_allowed(text: str) -> None:
    assert "write env:NAME or file:/PATH" in complaint(TOCSIN_REFERENCES=text)


@pytest.mark.parametrize("keys", [SECRET, f"{SECRET_KEY},{SECRET}", f"{SECRET_KEY}{SECRET_KEY}"])
def test_a_secret_key_of_the_wrong_kind_is_refused_and_not_repeated(keys: str) -> None:
    said = complaint(TOCSIN_SECRET_KEY=keys)
    assert "tocsin secrets generate" in said
    assert SECRET not in said
    assert SECRET_KEY not in said


def test_secret_keys_are_shown_by_no_repr() -> None:
    settings = load({"TOCSIN_SECRET_KEY": SECRET_KEY})
    assert SECRET_KEY not in f"{settings!r} {settings} {settings.environment!r}"


def test_whether_private_addresses_are_refused_is_set() -> None:
    assert load({}).private_addresses is PrivateAddresses.ALLOW
    assert load({"TOCSIN_PRIVATE_ADDRESSES": "Refuse"}).private_addresses is PrivateAddresses.REFUSE
    assert "write one of allow, refuse" in complaint(TOCSIN_PRIVATE_ADDRESSES="no")


@pytest.mark.parametrize("address", ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "tocsin.example.org:80"])
def test_an_address_that_others_can_reach_is_told_as_such(address: str) -> None:
    assert not load({"TOCSIN_LISTEN": address}).listen.is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1:80", "127.8.8.8:80", "localhost:80", "[::1]:80"])
def test_an_address_of_this_machine_alone_is_told_as_such(address: str) -> None:
    listen = load({"TOCSIN_LISTEN": address}).listen
    assert (str(listen), listen.is_loopback) == (address, True)


def test_keys_are_separated_by_commas() -> None:
    keys = load({"TOCSIN_API_KEYS": f"{KEY}, {KEY[::-1]},"}).api_keys
    assert [key.get_secret_value() for key in keys] == [KEY, KEY[::-1]]


def test_links_carry_the_hosts_name_where_every_address_is_listened_on() -> None:
    settings = load({"TOCSIN_LISTEN": "0.0.0.0:80", "TOCSIN_API_KEYS": KEY})
    assert settings.external_url == f"http://{socket.gethostname()}:80"


def test_everything_wrong_is_told_at_once_in_one_line() -> None:
    said = complaint(TOCSIN_LISTEN="x", TOCSIN_LEASE="y", TOCSIN_NOD="z")
    assert said.index("TOCSIN_NOD:") < said.index("TOCSIN_LISTEN:") < said.index("TOCSIN_LEASE:")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        pytest.param("TOCSIN_LISTN", "did you mean TOCSIN_LISTEN?", id="misspelt"),
        pytest.param("tocsin_listen", "did you mean TOCSIN_LISTEN?", id="lower-case"),
        pytest.param("TOCSIN_QQQQQQQQQQQQ", "see docs/settings.md", id="like-nothing"),
        pytest.param("TOCSIN_PORT", "no such setting", id="a-port-that-kubernetes-did-not-set"),
    ],
)
def test_an_unknown_name_of_ours_is_refused(name: str, answer: str) -> None:
    said = complaint(**{name: "9099"})
    assert said.startswith(f"{name}: no such setting; ")
    assert answer in said


def test_names_of_others_and_of_kubernetes_are_left_alone() -> None:
    load(
        {
            "PATH": "/bin",
            "TOCSIN_SERVICE_HOST": "10.0.0.9",
            "TOCSIN_SERVICE_PORT_HTTP": "9099",
            "TOCSIN_PORT": "tcp://10.0.0.9:9099",
            "TOCSIN_PORT_9099_TCP": "tcp://10.0.0.9:9099",
            "TOCSIN_PORT_9099_TCP_ADDR": "10.0.0.9",
            "TOCSIN_POSTGRES_SERVICE_PORT": "5432",
        }
    )


def test_a_variable_set_to_nothing_counts_as_unset() -> None:
    settings = load({"TOCSIN_EVALUATION_INTERVAL": " ", "ALERT_EVALUATION_INTERVAL": "5", "TOCSIN_API_KEYS": ""})
    assert settings.evaluation_interval == timedelta(seconds=5)
    assert settings.api_keys == ()


def test_of_two_names_the_first_wins() -> None:
    assert load({"LOG_LEVEL": "debug", "TOCSIN_LOG_LEVEL": "error"}).log_level is LogLevel.ERROR


def test_settings_cannot_be_changed() -> None:
    environment = {"TOCSIN_NODE": "a", "OTHER": "1"}
    settings = load(environment)
    with pytest.raises(ValidationError):
        settings.node = "b"
    environment["OTHER"] = "2"
    assert settings.environment["OTHER"] == "1"


@given(seconds=st.integers(min_value=1, max_value=86_400))
def test_seconds_and_a_duration_mean_the_same(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    for text in (str(seconds), durations.format(span)):
        assert load({"TOCSIN_LEASE": text}).lease == span


@given(st.dictionaries(st.sampled_from(sorted({n for each in names().values() for n in each})), st.text()))
def test_whatever_the_values_the_answer_is_settings_or_one_line(environment: dict[str, str]) -> None:
    try:
        load(environment)
    except SettingsError as error:
        said = str(error)
    else:
        said = "fine"
    assert len(said.splitlines()) == 1


def test_the_document_has_a_row_for_every_setting_and_for_nothing_else() -> None:
    assert sorted(documented()) == sorted(names().values())


@pytest.mark.parametrize(("variables", "default"), sorted(documented().items()))
def test_the_document_tells_the_true_default(variables: tuple[str, ...], default: str) -> None:
    field = next(field for field, choices in names().items() if choices == variables)
    literal = re.fullmatch(r"`([^`]+)`", default)
    if literal is None:
        own = {
            "ALERTMANAGER_FILE",
            "API_KEYS",
            "EXTERNAL_LABELS",
            "EXTERNAL_URL",
            "HEARTBEAT_URL",
            "NODE",
            "RULE_FILES",
            "SECRET_KEY",
        }
        assert variables[0].removeprefix("TOCSIN_") in own
    else:
        assert getattr(load({variables[0]: literal[1]}), field) == getattr(load({}), field)
