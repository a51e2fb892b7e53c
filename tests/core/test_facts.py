"""The facts of a notification know which of their alerts fire, and fire while any does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.facts import AlertFacts
from tests.core.telling import alert, facts

FIRING = alert({"instance": "f"})
RESOLVED = alert({"instance": "r"}, status="resolved")


@pytest.mark.parametrize(
    ("alerts", "status"),
    [
        pytest.param([FIRING], "firing", id="one fires"),
        pytest.param([RESOLVED], "resolved", id="one has ended"),
        pytest.param([FIRING, RESOLVED], "firing", id="one of two fires"),
        pytest.param([RESOLVED, RESOLVED], "resolved", id="all have ended"),
    ],
)
def test_a_notification_fires_while_any_of_its_alerts_does(alerts: list[AlertFacts], status: str) -> None:
    assert facts(*alerts).status == status


@given(st.lists(st.sampled_from([FIRING, RESOLVED]), min_size=1))
def test_every_alert_is_told_as_firing_or_as_resolved_in_its_order(alerts: list[AlertFacts]) -> None:
    told = facts(*alerts)
    assert list(told.firing) == [one for one in alerts if one is FIRING]
    assert list(told.resolved) == [one for one in alerts if one is RESOLVED]
    assert len(told.firing) + len(told.resolved) == len(told.alerts)
