"""Channels by REST: where notifications go, and whether a message gets there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter, Response

from api.backend import Backend, Definitions
from api.problems import not_found
from api.schemas import channels as schema
from api.schemas.channels import ChannelIn, ChannelOut, DeliveryOut, PreviewIn, PreviewOut
from api.schemas.fields import DeclaredPage
from api.schemas.rules import Key
from api.v1 import edits
from api.v1.calls import Cursor, Limit, Service, Writing, declared
from api.v1.edits import DryRun, Edit, Noun
from engine import message_preview
from engine.core.alert import Alert, State
from engine.core.flush import Group
from engine.delivery import custody
from engine.delivery.addresses import address
from engine.store import alerts as alert_rows
from engine.store import channel_state
from engine.store import channels as store
from engine.store.door import Connection
from rules import message_parts
from rules.channels import LOG_CHANNEL, Channel
from rules.labels import Labels
from rules.problems import Problem

router = APIRouter(prefix="/api/v1/channels", tags=["channels"])

CHANNELS: Final[Noun[Channel]] = Noun(
    word="channel", get=store.get, put=store.put, delete=store.delete, document=schema.document
)


@router.get("")
def list_channels(service: Service, limit: Limit = 100, cursor: Cursor = None) -> DeclaredPage[ChannelOut]:
    """All channels by name, with their status."""
    with service.database.read() as connection:
        problems = service.feed.refresh(connection).problems_of("channels")
        channels = store.page(connection, after=cursor, limit=limit + 1)
        states = channel_state.all_states(connection)
    environment = service.settings.environment
    items = [schema.described(channel, states.get(channel.name), environment) for channel in channels]
    return declared(items, limit, [channel.name for channel in channels], problems)


@router.post("", status_code=201, responses={200: {"model": DryRun[ChannelOut]}})
def create_channel(body: ChannelIn, write: Writing, response: Response) -> ChannelOut | DryRun[ChannelOut]:
    """Declare a channel; `url` is an address, or better a reference such as `env:SLACK_WEBHOOK_URL`."""
    name = edits.chosen(body.name, "channel", "oncall")
    if write.dry_run:
        response.status_code = 200
    return _stored(write, _planned(write, body, name, must=False), response)


@router.get("/{name}")
def read_channel(name: str, service: Service, response: Response) -> ChannelOut:
    """One channel, with its status."""
    with service.database.read() as connection:
        channel = edits.found(CHANNELS, connection, name)
        state = channel_state.all_states(connection).get(name)
    response.headers["ETag"] = edits.etag(channel.version)
    return schema.described(channel, state, service.settings.environment)


@router.put("/{name}", responses={201: {"model": ChannelOut}})
def replace_channel(name: Key, body: ChannelIn, write: Writing, response: Response) -> ChannelOut | DryRun[ChannelOut]:
    """Make the channel be this one, whether or not there was one. An absent `url` keeps the address that is stored."""
    return _stored(write, _planned(write, body, name), response)


@router.delete("/{name}", response_model=DryRun[ChannelOut], responses={204: {"description": "Deleted"}})
def delete_channel(name: str, write: Writing) -> DryRun[ChannelOut] | Response:
    """Remove a channel that no rule and no route names any more."""
    edit = edits.plan(write, CHANNELS, name, lambda *_: (None, ()), must=True)
    with write.service.database.read() as connection:
        edits.check_unused("channel", name, _users(name, write.service.feed.refresh(connection)))
    edits.commit(write, edit)
    return edits.dry_run(edit, None) if write.dry_run else Response(status_code=204)


@router.post("/{name}/test")
def test_channel(name: str, service: Service) -> DeliveryOut:
    """Send a message that says it is a test, and tell what came of it."""
    with service.database.read() as connection:
        channel = edits.found(CHANNELS, connection, name)
    return DeliveryOut.of(service.test_channel(channel))


@router.post("/{name}/preview")
def preview_message(name: str, body: PreviewIn, service: Service) -> PreviewOut:
    """What the channel would be sent of a live alert and its group, or of an example; nothing is sent."""
    with service.database.read() as connection:
        channel = edits.found(CHANNELS, connection, name)
        now = service.database.now(connection)
        definitions = service.feed.refresh(connection)
        group, alerts = _alerts(service, connection, body.fingerprint, now)
    for problem in message_parts.wrong(channel.kind, body.templates or {}):
        raise problem
    told = message_preview.facts(service.telling, definitions, alerts, group, now=now, resolved=body.resolved)
    return PreviewOut.of(channel.kind, message_preview.preview(channel, told, body.templates))


def _alerts(
    service: Backend, connection: Connection, fingerprint: str | None, now: datetime
) -> tuple[Group | None, dict[int, Alert]]:
    """The group of the alert of this name, with the values of now; without a name, an example and no group."""
    if fingerprint is None:
        return None, {0: _example(now)}
    found = alert_rows.by_fingerprint(connection, fingerprint)
    if not found:
        raise not_found("alert", fingerprint)
    group, alerts = message_preview.alerts_told(connection, found[-1])
    return group, {one.id or 0: one for one in service.present(connection, list(alerts.values()))}


def _example(now: datetime) -> Alert:
    labels = Labels({"alertname": "HighCpu", "severity": "critical", "instance": "db-1", "team": "data"})
    return Alert(
        source="example",
        labels=labels,
        sample_labels=labels,
        annotations={"summary": "CPU of db-1 above 90 %", "runbook_url": "https://wiki.example.org/cpu"},
        state=State.FIRING,
        active_at=now - timedelta(minutes=10),
        fired_at=now - timedelta(minutes=10),
        value=97.0,
    )


def _planned(write: Writing, body: ChannelIn, name: str, *, must: bool | None = None) -> Edit[Channel]:
    edits.check_key(body.name, name, "name")

    def make(_connection: Connection, before: Channel | None) -> tuple[Channel, tuple[Problem, ...]]:
        environment = write.service.settings.environment
        channel = custody.channel_as_kept(body.to_channel(name, before, environment), before, environment)
        # Refuses, as a ChannelError, an address that can never be used; one that is only not set yet is fine.
        address(channel, environment)
        return channel, custody.channel_warnings(channel, environment)

    return edits.plan(write, CHANNELS, name, make, must=must)


def _stored(write: Writing, edit: Edit[Channel], response: Response) -> ChannelOut | DryRun[ChannelOut]:
    stored = edits.commit(write, edit)
    assert stored is not None
    return edits.answer(write, edit, response, _answer(write.service, stored), stored.version)


def _answer(service: Backend, channel: Channel) -> ChannelOut:
    with service.database.read() as connection:
        state = channel_state.all_states(connection).get(channel.name)
    return schema.described(channel, state, service.settings.environment)


def _users(name: str, definitions: Definitions) -> list[str]:
    """Which rules and routes send to the channel; the log channel stands in for every other, so all of Tocsin uses it."""
    always = ["Tocsin itself, wherever another channel cannot be used"] if name == LOG_CHANNEL else []
    rules = [f"rule {rule.id}" for rule in definitions.rules.values() if name in rule.notification_channels]
    routes = [f"route {key}" for key, policy in definitions.tree.policies.items() if name in policy.channels]
    return always + rules + routes
