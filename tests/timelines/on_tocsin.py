"""The stages that are Tocsin: a real process, and the whole engine on a virtual clock. Both are spoken to by REST and by SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from engine.store.tables import silences
from tests.timelines.generating import Rows, Setting, root_rows, tocsin_rows
from tests.timelines.language import Configuration, Scenario
from tests.timelines.playing import Posted, Quiet
from tests.timelines.rows import write_root, write_rows

Ask = Callable[[str, str, Any], Any]
"""A method, a path and a body to an answer; refusals are raised."""
Write = Callable[[], AbstractContextManager[Connection]]
"""A transaction on its database."""


@dataclass(slots=True)
class OnTocsin:
    """Plays on the engine that `ask` and `write` lead to; `again` restarts it."""

    ask: Ask
    write: Write
    again: Callable[[], None]
    setting: Setting
    _rows: dict[Scenario, Rows] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _silences: set[str] = field(default_factory=set)

    def prepare(self) -> None:
        """The root route."""
        with self.write() as connection:
            write_root(connection, root_rows(self.setting))

    def configure(self, parts: Mapping[Scenario, Configuration]) -> None:
        """An edit of rows, in one transaction."""
        with self.write() as connection:
            for scenario, configuration in parts.items():
                rows = tocsin_rows(self.setting, scenario, configuration)
                write_rows(connection, self._rows.get(scenario, {}), rows)
                self._rows[scenario] = rows

    def post(self, alerts: Sequence[Posted]) -> None:
        """As Prometheus would."""
        self.ask("POST", "/alertmanager/api/v2/alerts", alerts)

    def silence(self, wanted: Sequence[Quiet]) -> None:
        """Rows again, in one transaction."""
        with self.write() as connection:
            for one in wanted:
                known = one.name in self._silences
                starts = {} if known and one.starts_at is None else {"starts_at": one.starts_at or self.now()}
                row = {"matchers": [str(each) for each in one.matchers], "ends_at": one.ends_at, **starts}
                same = silences.c.id == one.name
                edit = silences.update().where(same) if known else silences.insert().values(id=one.name)
                connection.execute(edit.values(**row))
        self._silences |= {one.name for one in wanted}

    def expire(self, names: Sequence[str]) -> None:
        """They end now."""
        with self.write() as connection:
            connection.execute(silences.update().where(silences.c.id.in_(names)).values(ends_at=self.now()))

    def restart(self) -> None:
        """Everything is kept."""
        self.again()
