"""Thousands of alerts that leave a silence at once are told in one message for each of their groups."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

from engine.core.posting import Post
from engine.store.tables import channels, routes, silences
from rules.labels import Labels
from tests.scenarios.world import START
from tests.timelines.recording import RARELY, RecordingWorld

ALERTS, GROUPS = 5000, 20


def test_five_thousand_alerts_that_leave_a_silence_make_one_message_per_group(tmp_path: Path) -> None:
    world = RecordingWorld(f"sqlite:///{tmp_path}/tocsin.db", RARELY)
    with world.service.database.write() as connection:
        connection.execute(channels.insert().values(name="hook", kind="webhook", url="http://127.0.0.1:1/hook"))
        connection.execute(
            routes.update().values(
                channels=["hook"], group_by=["cluster"], group_wait_seconds=10, group_interval_seconds=60
            )
        )
        ends = START + timedelta(seconds=300)
        connection.execute(silences.insert().values(id="s", matchers=["job=many"], starts_at=START, ends_at=ends))
    world.until(1)
    labels = [
        Labels({"alertname": "Many", "job": "many", "cluster": f"c{n % GROUPS}", "host": f"h{n}"})
        for n in range(ALERTS)
    ]
    posts = [Post(labels=one, ends_at=START + timedelta(hours=2)) for one in labels]
    world.service.posting.receive(posts, world.clock.now())
    world.until(300)
    assert world.messages == []
    world.until(600)
    world.service.stop()
    assert sorted(one for message in world.messages for one in map(str, message.firing)) == sorted(map(str, labels))
    assert set(Counter(message.group for message in world.messages).values()) == {1}
    assert len(world.messages) == GROUPS
