"""A process that is killed while alerts pend, fire, are kept and wait for their resolve to be told, and another one after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from tests.peers.engine_process import EngineProcess
from tests.peers.processes import wait_until
from tests.peers.surroundings import SOON, Outside

pytestmark = pytest.mark.peer("prometheus")

RULES: Final = """\
INSERT INTO alert_rules (id, name, expr, for_seconds, keep_firing_for_seconds, notification_channels) VALUES
('pending', 'Pending', 'level{of="pending"} > 1', 3600, 0, '["slack"]'),
('firing', 'Firing', 'level{of="firing"} > 1', 0, 0, '["slack"]'),
('kept', 'Kept', 'level{of="kept"} > 1', 0, 3600, '["slack"]'),
('over', 'Over', 'level{of="over"} > 1', 0, 0, '["slack"]')"""
TIMINGS: Final = "UPDATE routes SET group_wait_seconds = 1, group_interval_seconds = 8 WHERE id = 'root'"
"""A resolve waits for some seconds to be told, which is when the process dies."""
LEASE: Final = "4s"
"""A killed process keeps its rules for two thirds of it at least, so that slots are missed, one a second."""


def levels(outside: Outside, **values: int) -> None:
    outside.watched.exporter.set("\n".join(f'level{{of="{name}"}} {value}' for name, value in values.items()))


def alerts(engine: EngineProcess) -> dict[str, dict[str, Any]]:
    """Every alert by its rule, as the API tells it; that a process is gone is an alert of the engine's, and none of a rule."""
    status, page = engine.get("/api/v1/alerts?state=pending&state=firing&state=inactive")
    assert status == 200, page
    return {one["rule_id"]: one for one in page["items"] if one["rule_id"] in RULES}


def states(engine: EngineProcess) -> dict[str, str]:
    return {rule: one["state"] for rule, one in alerts(engine).items()}


def pending(outside: Outside, engine: EngineProcess) -> tuple[datetime, timedelta]:
    """Since when the pending alert counts as active, and the time of its rule's slots, one a second, that nobody evaluated."""
    while True:
        missed = missed_of(outside, engine, "pending")
        since = datetime.fromisoformat(alerts(engine)["pending"]["active_at"])
        if missed_of(outside, engine, "pending") == missed:
            return since, missed


def missed_of(outside: Outside, engine: EngineProcess, rule: str) -> timedelta:
    status, told = engine.get(f"/api/v1/rules/{rule}")
    assert status == 200, told
    at = datetime.fromisoformat(told["status"]["next_evaluation_at"]).timestamp()
    rows = outside.sql("SELECT phase_seconds, missed_slots FROM evaluation_units")
    # There are sixteen phases in a second.
    (missed,) = {number for phase, number in rows if abs((at - phase + 0.01) % 1) < 0.02}
    return timedelta(seconds=missed)


def said(outside: Outside, name: str) -> list[str]:
    """What Slack heard of this alert."""
    texts = [str(message["text"]) for message in outside.slack.messages]
    return [text.removeprefix("[").partition("]")[0].partition(":")[0].lower() for text in texts if name in text]


def test_the_next_process_goes_on_where_the_killed_one_was(outside: Outside) -> None:
    levels(outside, pending=5, firing=5, kept=5, over=5)
    outside.watched.prometheus.wait_for('level{of="over"} == 5')
    with outside.engine(TOCSIN_LEASE=LEASE) as engine:
        outside.sql(TIMINGS, RULES)
        wait_until(lambda: set(said(outside, "Over")) == {"firing"}, what="Over to be told", within=SOON)
        levels(outside, pending=5, firing=5, kept=0, over=0)
        wait_until(lambda: states(engine).get("over") == "inactive", what="Over to end", within=SOON)
        wait_until(lambda: kept_since(outside) is not None, what="Kept to be kept", within=SOON)
        before, since, waiting = alerts(engine), kept_since(outside), pending(outside, engine)
        assert states(engine) == {"pending": "pending", "firing": "firing", "kept": "firing", "over": "inactive"}
        assert said(outside, "Over") == ["firing"]
        engine.kill()
    with outside.engine(TOCSIN_LEASE=LEASE, TOCSIN_NODE="another") as engine:
        wait_until(lambda: said(outside, "Over") == ["firing", "resolved"], what="its end to be told", within=SOON)
        # Flushes belong to nobody, so this may be told before the other's lease is over.
        wait_until(lambda: missed_of(outside, engine, "pending") > waiting[1], what="it to evaluate", within=SOON)
        after = alerts(engine)
        waited = pending(outside, engine)
    assert {rule: one["state"] for rule, one in after.items()} == {rule: one["state"] for rule, one in before.items()}
    for rule in ("firing", "kept", "over"):
        assert after[rule] == before[rule]
    assert kept_since(outside) == since
    # Of the time in which nobody evaluated nothing is known, so the pending alert has to wait for as much longer.
    assert waited[0] - waiting[0] == waited[1] - waiting[1] > timedelta(0)
    assert said(outside, "Firing") == said(outside, "Kept") == ["firing"]
    assert said(outside, "Pending") == []


def kept_since(outside: Outside) -> object:
    ((since,),) = outside.sql("SELECT keep_firing_since FROM alerts WHERE source = 'kept'")
    return since
