"""Datasources by REST: where rules ask, in which order, and whether it answers."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.backend import Backend
from api.schemas import datasources as schema
from api.schemas.datasources import DatasourceIn, DatasourceOut
from api.schemas.fields import DeclaredPage
from api.schemas.rules import Key
from api.v1 import edits
from api.v1.calls import Cursor, Limit, Service, Write, Writing, declared
from api.v1.edits import DryRun, Edit, Noun
from engine.delivery import custody
from engine.store import datasources as store
from engine.store.door import Connection
from rules.datasource import Datasource
from rules.problems import Problem

router = APIRouter(prefix="/api/v1/datasources", tags=["datasources"])


def _noun(service: Backend) -> Noun[Datasource]:
    """Datasources, whose sealed addresses are opened to be shown without their secrets."""
    return Noun(
        word="datasource",
        get=store.get,
        put=store.put,
        delete=store.delete,
        document=lambda datasource: schema.document(datasource, service.settings.environment),
    )


@router.get("")
def list_datasources(service: Service, limit: Limit = 100, cursor: Cursor = None) -> DeclaredPage[DatasourceOut]:
    """All datasources by name, with their status."""
    with service.database.read() as connection:
        problems = service.feed.refresh(connection).problems_of("datasources")
        datasources = store.page(connection, after=cursor, limit=limit + 1)
    items = [_described(service, datasource) for datasource in datasources]
    return declared(items, limit, [datasource.name for datasource in datasources], problems)


@router.post("", status_code=201, responses={200: {"model": DryRun[DatasourceOut]}})
def create_datasource(body: DatasourceIn, write: Writing, response: Response) -> DatasourceOut | DryRun[DatasourceOut]:
    """Declare a datasource; a password is best given as a reference such as `env:MIMIR_PASSWORD`."""
    name = edits.chosen(body.name, "datasource", "mimir")
    if write.dry_run:
        response.status_code = 200
    return _stored(write, _planned(write, body, name, must=False), response)


@router.get("/{name}")
def read_datasource(name: str, service: Service, response: Response) -> DatasourceOut:
    """One datasource, with its status."""
    with service.database.read() as connection:
        datasource = edits.found(_noun(service), connection, name)
    response.headers["ETag"] = edits.etag(datasource.version)
    return _described(service, datasource)


@router.put("/{name}", responses={201: {"model": DatasourceOut}})
def replace_datasource(
    name: Key, body: DatasourceIn, write: Writing, response: Response
) -> DatasourceOut | DryRun[DatasourceOut]:
    """Make the datasource be this one, whether or not there was one; `[redacted]` keeps the secret that is stored."""
    return _stored(write, _planned(write, body, name), response)


@router.delete("/{name}", response_model=DryRun[DatasourceOut], responses={204: {"description": "Deleted"}})
def delete_datasource(name: str, write: Writing) -> DryRun[DatasourceOut] | Response:
    """Remove a datasource that no rule asks any more."""
    edit = edits.plan(write, _noun(write.service), name, lambda *_: (None, ()), must=True)
    with write.service.database.read() as connection:
        rules = write.service.feed.refresh(connection).rules.values()
    edits.check_unused("datasource", name, [f"rule {rule.id}" for rule in rules if rule.datasource == name])
    edits.commit(write, edit)
    return edits.dry_run(edit, None) if write.dry_run else Response(status_code=204)


def _planned(write: Write, body: DatasourceIn, name: str, *, must: bool | None = None) -> Edit[Datasource]:
    edits.check_key(body.name, name, "name")

    def make(_connection: Connection, before: Datasource | None) -> tuple[Datasource, tuple[Problem, ...]]:
        environment = write.service.settings.environment
        declared = body.to_datasource(name, before, environment)
        datasource = custody.datasource_as_kept(declared, before, environment)
        warnings = custody.datasource_warnings(datasource, environment)
        return datasource, (*schema.unreadable(datasource, environment), *warnings)

    return edits.plan(write, _noun(write.service), name, make, must=must)


def _stored(write: Write, edit: Edit[Datasource], response: Response) -> DatasourceOut | DryRun[DatasourceOut]:
    stored = edits.commit(write, edit)
    assert stored is not None
    return edits.answer(write, edit, response, _described(write.service, stored), stored.version)


def _described(service: Backend, datasource: Datasource) -> DatasourceOut:
    return schema.described(
        datasource,
        service.datasource_errors(),
        service.datasource_servers(datasource.name),
        service.settings.environment,
    )
