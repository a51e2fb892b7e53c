"""Rows of channels as people write them by SQL, and the channels they mean."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from engine.store import channels
from engine.store.database import Database
from rules.channels import Channel, ChannelKind, RateLimit
from rules.errors import RulesError


def test_the_shortest_insert_makes_a_channel_with_every_default(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO channels (name, kind) VALUES ('ops', 'webhook')"))
        assert channels.get(connection, "ops") == Channel(name="ops", kind=ChannelKind.WEBHOOK)


def test_a_fresh_database_has_the_usual_channels_by_reference(database: Database) -> None:
    with database.read() as connection:
        found = {channel.name: channel.url for channel in channels.page(connection)}
    assert found == {
        "slack": "env:SLACK_WEBHOOK_URL",
        "pagerduty": "env:PAGERDUTY_SERVICE_KEY",
        "email": "env:SMTP_HOST",
        "log": "",
    }


def test_settings_typed_as_numbers_and_flags_become_text(database: Database) -> None:
    given = '{"port": 587, "tls": true, "quiet": false, "pause": 1.5, "to": null, "from": "a@b"}'
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO channels (name, kind, settings) VALUES ('m', 'email', :given)"), {"given": given}
        )
        found = channels.get(connection, "m")
    assert found is not None
    assert found.settings == {"port": "587", "tls": "true", "quiet": "false", "pause": "1.5", "from": "a@b"}


def test_a_channels_templates_and_any_service_of_apprise_are_kept(database: Database) -> None:
    texts = Channel(name="c", kind=ChannelKind.APPRISE, url="ntfy://{topic}", templates={"title": "{{ .Status }}"})
    with database.write() as connection:
        channels.put(connection, texts)
        connection.execute(
            text("""INSERT INTO channels (name, kind, templates) VALUES ('d', 'apprise', '{"text": "x"}')""")
        )
        assert channels.get(connection, "c") == texts
        typed = channels.get(connection, "d")
    assert typed is not None
    assert typed.templates == {"text": "x"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param(
            {"kind": None}, "kind is NULL; give one of slack pagerduty email webhook apprise log", id="no kind"
        ),
        pytest.param({"kind": "fax"}, "kind is 'fax'; give one of slack", id="unknown kind"),
        pytest.param({"settings": {"to": ["a"]}}, r"settings\.to is \['a'\]; give a text", id="list in the settings"),
        pytest.param({"templates": {"text": 5}}, r"templates\.text is 5; give a text", id="number for a template"),
        pytest.param({"settings": "x"}, "settings is 'x'; give a JSON object", id="text for the settings"),
        pytest.param({"name": None}, "name is NULL; give a text", id="no name"),
    ],
)
def test_a_row_that_is_no_channel_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(RulesError, match=message):
        channels.from_row({"name": "c", "kind": "slack", **row})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[5]", "rate_limit is"),
        ('{"messages": 5}', 'give {"messages": 10, "per_seconds": 60}'),
        ('{"messages": "many", "per_seconds": 60}', "messages is"),
        ('{"messages": 0, "per_seconds": 60}', "from 1 to 1000"),
        ('{"messages": 5, "per_seconds": 0}', "more than 0"),
    ],
)
def test_a_rate_limit_that_is_none_is_refused_by_name(written: str, message: str) -> None:
    row = {"name": "c", "kind": "log", "rate_limit": json.loads(written)}
    with pytest.raises(RulesError) as caught:
        channels.from_row(row)
    assert message in str(caught.value)


def test_a_rate_limit_is_kept() -> None:
    row = {"name": "c", "kind": "log", "rate_limit": {"messages": 5, "per_seconds": 60}}
    found = channels.from_row(row)
    assert found.rate_limit == RateLimit(messages=5, per=timedelta(minutes=1))
    assert channels.to_row(found)["rate_limit"] == row["rate_limit"]
