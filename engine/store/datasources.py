"""Datasources: rows of `datasources` ⇄ Datasource. References stay references; only a query resolves them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from engine.store import fields
from engine.store.definition_table import DefinitionTable
from engine.store.fields import Row
from engine.store.tables import datasources
from rules.datasource import Datasource, DatasourceKind


def from_row(row: Row) -> Datasource:
    """The datasource the row declares; RulesError, naming the column, when it is none."""
    return Datasource(
        name=fields.text(row, "name", None),
        urls=fields.strings(row, "urls"),
        kind=fields.choice(row, "kind", DatasourceKind.PROMETHEUS),
        tenant=fields.text(row, "tenant"),
        auth=fields.settings(row, "auth"),
        headers=fields.settings(row, "headers"),
        tls=fields.settings(row, "tls"),
        team=fields.text(row, "team"),
        origin=fields.text(row, "origin", "sql"),
        version=fields.whole(row, "version", 1),
    )


def to_row(datasource: Datasource) -> dict[str, object]:
    """The columns that declare the datasource; version and times are the database's own."""
    return {
        "name": datasource.name,
        "urls": list(datasource.urls),
        "kind": datasource.kind,
        "tenant": datasource.tenant,
        "auth": dict(datasource.auth),
        "headers": dict(datasource.headers),
        "tls": dict(datasource.tls),
        "team": datasource.team,
        "origin": datasource.origin,
    }


TABLE: Final = DefinitionTable(table=datasources, key="name", from_row=from_row, to_row=to_row)


def get(connection: Connection, key: str) -> Datasource | None:
    """The datasource with this name, or `None`; RulesError when its row cannot be read as one."""
    return TABLE.get(connection, key)


def page(connection: Connection, *, after: str | None = None, limit: int = 100) -> list[Datasource]:
    """The datasources after this name, by name; shorter than `limit` only at the end. Rows that cannot be read are left out."""
    return TABLE.page(connection, after, limit)


def put(connection: Connection, datasource: Datasource) -> Datasource:
    """Store it under its name, as it stands afterwards, with the version the database gave it; no change, no new version."""
    return TABLE.put(connection, datasource)


def delete(connection: Connection, key: str) -> bool:
    """Whether there was a datasource with this name to delete."""
    return TABLE.delete(connection, key)
