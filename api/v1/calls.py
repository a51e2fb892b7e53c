"""What every request brings with it: the engine to ask; and a change also who makes it, on which version, and if in earnest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from api.backend import Backend
from api.schemas.fields import DeclaredPage, Page, T
from engine.store.api_keys import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A change asked for. `if_match` is the ETag it builds on, `None` when it builds on whatever stands.

    Who has not the whole `scope` speaks in their own name only, whatever name the body gives.
    """

    service: Backend
    author: str
    scope: Scope
    dry_run: bool
    if_match: str | None


async def _service(request: Request) -> Backend:
    service: Backend = request.app.state.service
    return service


Service = Annotated[Backend, Depends(_service)]


async def _write(
    request: Request,
    service: Service,
    *,
    dry_run: Annotated[bool, Query(description="Only say what would change, and its problems.")] = False,
    if_match: Annotated[str | None, Header(description="The ETag this change builds on.")] = None,
) -> Write:
    state = request.state
    return Write(service=service, author=state.author, scope=state.scope, dry_run=dry_run, if_match=if_match)


Writing = Annotated[Write, Depends(_write)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Items on a page.")]
Cursor = Annotated[str | None, Query(max_length=1000, description="next_cursor of the page before.")]


def page(items: list[T], limit: int, cursors: list[str]) -> Page[T]:
    """One page of at most `limit` items; one item more was asked for, and tells whether there is a next page."""
    return Page(items=items[:limit], next_cursor=_next(limit, cursors))


def declared(items: list[T], limit: int, cursors: list[str], problems: Sequence[str]) -> DeclaredPage[T]:
    """The same of what people declare, with what keeps rows of its table from being in force as they stand."""
    return DeclaredPage(items=items[:limit], next_cursor=_next(limit, cursors), problems=list(problems))


def _next(limit: int, cursors: list[str]) -> str | None:
    return cursors[limit - 1] if len(cursors) > limit else None
