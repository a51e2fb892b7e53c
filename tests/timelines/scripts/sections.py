"""The sections of docs/differences.md that scenarios point to."""

from __future__ import annotations

from typing import Final

RESOLVED_MUTED: Final = "An alert that was told and resolves while it is muted sends its resolve"
STAYS_TOLD: Final = "What was told and is muted stays told"
UNMUTED: Final = "When a silence or an interval ends over a firing alert, it is told"
INHIBITION_ENDS: Final = "When an inhibition ends, only what was never told is told"
REPEAT: Final = "`repeat_interval` means what it says"
OUTLIVES: Final = "Alerts and timers outlive a restart and a reload"
EDITED: Final = "An edit of a route is no news, and leaves no incident open"
ANEW: Final = "A group that has ended begins anew"
OLDER: Final = "What older versions of Alertmanager lack"
