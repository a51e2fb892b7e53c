"""A channel's own words on their way out: what its templates make is sent, and what fails is in the ledger and loses nothing."""

from __future__ import annotations

from engine.store.tables import channels
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import World


def test_a_channels_templates_make_its_messages_and_one_that_fails_is_in_the_ledger(world: World) -> None:
    rule(world, annotations={"summary": "Errors on {{ $labels.host }}"})
    templates = {"title": "{{ .CommonAnnotations.summary }}", "color": "#abcdef", "text": "a\n{{ .Oops }}"}
    with world.service.database.write() as connection:
        changed = channels.update().where(channels.c.name == "hook")
        connection.execute(changed.values(kind="slack", url="https://hooks.slack.example/x", templates=templates))
    world.returns(BREACH, (HOST, 12))
    world.until(30)
    (told,) = world.deliveries
    (attachment,) = told.body["attachments"]
    assert (attachment["title"], attachment["color"]) == ("Errors on a", "#abcdef")
    assert "template 'text' of this channel failed, its default stands here: line 2, column 4" in attachment["text"]
    (sent,) = world.attempts()
    assert sent.reason == "sent"
    assert sent.detail["message"][0].startswith("template 'text' of this channel failed")
