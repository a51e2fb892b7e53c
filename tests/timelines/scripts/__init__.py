"""All scenarios, by what they are about."""

from __future__ import annotations

from typing import Final

from tests.timelines.language import Scenario
from tests.timelines.scripts import (
    enduring,
    grouping,
    inhibiting,
    matching,
    repeating,
    routing,
    scheduling,
    silencing,
)

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *routing.SCENARIOS,
    *matching.SCENARIOS,
    *grouping.SCENARIOS,
    *repeating.SCENARIOS,
    *inhibiting.SCENARIOS,
    *silencing.SCENARIOS,
    *scheduling.SCENARIOS,
    *enduring.SCENARIOS,
)

ON_POSTGRESQL: Final[tuple[Scenario, ...]] = (*inhibiting.SCENARIOS, *silencing.SCENARIOS, *repeating.SCENARIOS)
"""Those that are played on PostgreSQL too. There an alert that nobody posts again ends a while later, for its posts are many."""
