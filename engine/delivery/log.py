"""The log channel: every notification is one structured line, a warning while anything fires."""

from __future__ import annotations

import re
from typing import Final

import structlog

from engine.core.outcome import Delivered, Outcome
from engine.delivery.addresses import LogAddress

_TAG: Final = re.compile(r"\[(FIRING|RESOLVED)(?::(\d+))?\] ?")

_log: Final = structlog.get_logger("tocsin.notification")


def send(address: LogAddress, body: bytes) -> Outcome:
    """Write the line, its status and count taken from the tag it begins with."""
    line = body.decode("utf-8", "replace")
    tag = _TAG.match(line)
    firing = tag is None or tag[1] == "FIRING"
    count = int(tag[2]) if tag and tag[2] else 0
    write = _log.warning if firing else _log.info
    write(
        "notification",
        channel=address.name,
        status="firing" if firing else "resolved",
        firing=count,
        text=line[tag.end() :] if tag else line,
    )
    return Delivered(detail="logged")
