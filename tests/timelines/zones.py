"""Time zones made to order: one whose clocks strike noon at a given moment, so that a time interval begins when a test wants it.

Both Go and Python read a compiled zone file (RFC 9636) from a folder that an environment variable names.
"""

from __future__ import annotations

import os
import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

NOON: Final = timedelta(hours=12)
AREA: Final = "Timelines"


def zone_name(whose: str, time: float) -> str:
    """The zone of this scenario in which it is noon at this second of it."""
    return f"{AREA}/{whose}-{round(time * 1000)}"


def write_zone(folder: Path, name: str, moment: datetime) -> None:
    """Write the zone of this name in which it is noon at `moment`, a whole second of UTC."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    offset = NOON - (moment - midnight)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_compiled(round(offset.total_seconds())))


def zone_environment(folder: Path) -> dict[str, str]:
    """Where Go and Python are to look for zones, the machine's own after ours."""
    others = [path for path in ("/usr/share/zoneinfo", "/usr/lib/zoneinfo") if Path(path).is_dir()]
    return {"ZONEINFO": str(folder), "PYTHONTZPATH": os.pathsep.join([str(folder), *others])}


def _compiled(offset_seconds: int) -> bytes:
    """A zone file of version 2 that knows one offset and no change of it; its first half is for readers of version 1."""
    header = b"TZif2" + bytes(15) + struct.pack(">6L", 0, 0, 0, 0, 1, 4)
    local_time = struct.pack(">lBB", offset_seconds, 0, 0) + b"TML\0"
    return (header + local_time) * 2 + b"\n\n"
