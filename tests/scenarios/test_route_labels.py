"""Labels of routes in what a webhook is told: inherited, overridden, made of the group."""

from __future__ import annotations

from engine.store.tables import routes
from tests.scenarios.test_explaining import declare
from tests.scenarios.test_firing import BREACH, HOST, rule
from tests.scenarios.world import World


def test_a_webhook_is_told_the_labels_of_the_route_over_those_above_it(world: World) -> None:
    world.sql('UPDATE routes SET labels = \'{"tier": "3", "desk": "night"}\'')
    below = {"tier": "1", "line": '{{ .CommonLabels.host }} of {{ routeLabels "desk" }}'}
    declare(world, routes, id="errors", parent_id="root", matchers=["alertname=Errors"], labels=below)
    rule(world)
    world.returns(BREACH, (HOST, 12))
    world.until(20)
    (told,) = world.deliveries
    assert told.body["routeLabels"] == {"desk": "night", "line": "a of night", "tier": "1"}
