"""Rows of datasources as people write them by SQL, and the datasources they mean."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from engine.store import datasources
from engine.store.database import Database
from rules.datasource import DEFAULT_DATASOURCE, Datasource, DatasourceKind
from rules.errors import RulesError


def test_the_shortest_insert_makes_a_datasource_with_every_default(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO datasources (name) VALUES ('b')"))
        found = datasources.get(connection, "b")
    assert found == Datasource(name="b", urls=(), kind=DatasourceKind.PROMETHEUS)


def test_a_fresh_database_has_the_default_datasource_by_reference(database: Database) -> None:
    with database.read() as connection:
        found = datasources.get(connection, DEFAULT_DATASOURCE)
    assert found is not None
    assert (found.urls, found.origin) == (("env:TOCSIN_PROMETHEUS_URL",), "tocsin")


def test_every_kind_can_be_stored(database: Database) -> None:
    with database.write() as connection:
        for kind in DatasourceKind:
            assert datasources.put(connection, Datasource(name="d", kind=kind)).kind is kind


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({"urls": [None]}, "urls is NULL; give a text", id="null for an address"),
        pytest.param({"urls": {"a": "b"}}, "urls is {'a': 'b'}; give a JSON list", id="object for the addresses"),
        pytest.param({"auth": {"user": {}}}, r"auth\.user is {}; give a text", id="object in the credentials"),
        pytest.param({"kind": "graphite"}, "kind is 'graphite'; give one of prometheus", id="unknown kind"),
    ],
)
def test_a_row_that_is_no_datasource_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(RulesError, match=message):
        datasources.from_row({"name": "d", **row})
