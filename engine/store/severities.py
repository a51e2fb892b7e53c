"""The severities and their ranks: which level of a rule is higher than which. People write the table by SQL."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from engine.store.tables import severities


def ranks(connection: Connection) -> Mapping[str, int]:
    """The rank of each severity by its name; a higher rank is worse."""
    found = connection.execute(select(severities.c.name, severities.c.rank))
    return {row.name: row.rank for row in found}
