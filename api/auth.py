"""Who may ask what: each request but liveness is let in by a key, and as far as the key's scope reaches.

Keys live in two places: TOCSIN_API_KEYS, all of scope admin and good without a database, and the table `api_keys`, which is
asked at each request, so that what is revoked or expired opens nothing from that moment. Without a live key in either the
surface is open, on an address that nobody but this machine can reach.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Request

from api.problems import ApiProblem, response
from api.scopes import needed
from engine.clock import Clock
from engine.store import api_keys
from engine.store.api_keys import ApiKey, KeyState, Scope
from engine.store.database import Database
from engine.store.door import OUT_OF_REACH, Connection

LIVENESS: Final = frozenset({"/health/live", "/health/liveness"})
"""Open to everybody: a supervisor has no key, and the answer tells nothing."""
OPEN: Final = LIVENESS | {"/docs"}
"""So is the reference, which holds no data; a browser that is sent there has no key to show."""
_ALERT_PAGE: Final = re.compile(r"/alerts/[^/]+")
"""So is the page that links in messages lead to, for the same reasons."""

ANYBODY: Final = "api"
"""The author of changes made while no key is asked for."""

PATIENCE: Final = timedelta(seconds=5)
"""How long a look at the keys may take before the database counts as out of reach."""
LOOKS: Final = 8
"""Looks at the keys at a time. They have threads of their own: were the database to hang, they would take all others."""

_NO_ID: Final = ""
_NOBODYS: Final = "0" * 64
"""Compared with where there is no such key, so that the time taken does not tell whether there is one."""


def _denied(detail: str) -> ApiProblem:
    return ApiProblem(
        status=401, name="unauthorized", detail=detail, headers={"WWW-Authenticate": 'Bearer realm="tocsin"'}
    )


_UNKNOWN: Final = (
    "this needs a key: send the header Authorization: Bearer KEY, with one that `tocsin keys create` made "
    "or one of TOCSIN_API_KEYS"
)
_AWAY: Final = (
    "the database is out of reach, and without it only the keys of TOCSIN_API_KEYS can be checked; "
    "nothing was changed, try again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, under the name that changes are recorded with; `key` is the row they came in by, if by one."""

    author: str
    scope: Scope
    key: ApiKey | None = None


_ANYBODY: Final = Caller(author=ANYBODY, scope=Scope.ADMIN)


class Keys:
    """The keys of the environment, kept as SHA-256 only."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = tuple(hashlib.sha256(key.encode()).digest() for key in keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def caller(self, key: bytes) -> Caller | None:
        """Who holds this key, as `key:` and the first eight digits of its hash; `None` when it is none of these.

        Every key is compared, in constant time, so the time taken tells neither how much of a key was right nor which.
        """
        digest = hashlib.sha256(key).digest()
        known = [hmac.compare_digest(digest, one) for one in self._digests]
        return Caller(author=f"key:{digest.hex()[:8]}", scope=Scope.ADMIN) if any(known) else None


@dataclass(slots=True, kw_only=True)
class Gate:
    """Tells who a key belongs to. `loopback`: nobody but this machine can reach the address we listen on."""

    keys: Keys
    database: Database
    clock: Clock
    loopback: bool
    patience: timedelta = PATIENCE
    _was_open: bool = False
    _noted: dict[str, float] = field(default_factory=dict)

    def at_once(self, key: bytes) -> Caller | None:
        """The caller, where the database need not be asked; `None` where it must. Raises ApiProblem (401)."""
        caller = self.keys.caller(key)
        if caller is None and not self._may_be_open and api_keys.id_of(key.decode("latin-1")) is None:
            raise _denied(_UNKNOWN)
        return caller

    def look_up(self, key: bytes) -> Caller:
        """The caller the database knows by this key, or anybody while there is no key at all. Raises ApiProblem (401)."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            found = _known(connection, key.decode("latin-1"))
            is_open = self._may_be_open and found is None and not api_keys.any_alive(connection, now)
        # For later looks only: this one decides by what it saw itself.
        self._was_open = is_open
        if found is not None:
            return _caller(found, found.state(now))
        if is_open:
            return _ANYBODY
        raise _denied(_UNKNOWN)

    def unasked(self) -> Caller:
        """The caller while the database is out of reach. Raises ApiProblem (503).

        Where everything was open a moment ago it stays so: what needs the database fails by itself, and /health and
        /metrics go on to tell what is wrong.
        """
        if self._was_open:
            return _ANYBODY
        raise ApiProblem(status=503, name="database-away", detail=_AWAY, headers={"Retry-After": "5"})

    def note_use(self, key: ApiKey) -> None:
        """Note that the key was used, at most once a minute; a database that cannot take it now is no fault of the request."""
        moment = self.clock.monotonic()
        before = self._noted.get(key.id)
        if before is not None and moment - before < api_keys.NOTED_EVERY.total_seconds():
            return
        self._noted[key.id] = moment
        try:
            with self.database.write() as connection:
                api_keys.note_use(connection, key.id, self.database.now(connection))
        except OUT_OF_REACH as failure:
            structlog.get_logger("tocsin").info("use of a key not noted", key=key.id, error=type(failure).__name__)

    @property
    def _may_be_open(self) -> bool:
        return self.loopback and not self.keys


def _known(connection: Connection, text: str) -> ApiKey | None:
    """The key whose text this is; a wrong text of a known id, and an unknown id, take the same steps."""
    found = api_keys.get(connection, api_keys.id_of(text) or _NO_ID)
    right = hmac.compare_digest(api_keys.digest(text), _NOBODYS if found is None else found.hash)
    return found if right else None


def _caller(key: ApiKey, state: KeyState) -> Caller:
    """Who holds the key; an ApiProblem (401) that says why it no longer opens, which only its holder gets to read."""
    if state is KeyState.LIVE:
        return Caller(author=f"key:{key.name}", scope=key.scope, key=key)
    what, at = ("was revoked", key.revoked_at) if state is KeyState.REVOKED else ("expired", key.expires_at)
    assert at is not None
    raise _denied(f"this key {what} at {at.isoformat()}: make another with `tocsin keys create`")


def check(caller: Caller, method: str, path: str) -> None:
    """Raises ApiProblem (403) when this is beyond the caller's scope."""
    scope = needed(method, path)
    if not caller.scope.covers(scope):
        raise ApiProblem(
            status=403,
            name="forbidden",
            detail=f"this needs a key of scope {scope}, and yours has {caller.scope}",
            more={"needed": scope.value, "held": caller.scope.value},
            headers={"WWW-Authenticate": f'Bearer realm="tocsin", error="insufficient_scope", scope="{scope}"'},
        )


def given(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The key a request brings; nothing where it brings none, two, or one in another scheme than Bearer."""
    found = [value for name, value in headers if name.lower() == b"authorization"]
    scheme, _, key = found[0].partition(b" ") if len(found) == 1 else (b"", b"", b"")
    return key.strip() if scheme.lower() == b"bearer" else b""


class Authentication:
    """Lets in who may ask, and notes in `request.state` as `author` and `scope` who that is and how far they may go."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate
        self._looks: Executor = ThreadPoolExecutor(LOOKS, thread_name_prefix="keys")

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in OPEN or _ALERT_PAGE.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._caller(given(scope["headers"]))
            check(caller, scope.get("method", ""), scope["path"])
        except ApiProblem as refusal:
            await response(refusal)(scope, receive, send)
            return
        scope.setdefault("state", {}).update(author=caller.author, scope=caller.scope)
        await self._app(scope, receive, send)
        if caller.key is not None:
            # The answer is out; nobody waits for this.
            await run_in_threadpool(self._gate.note_use, caller.key)

    async def _caller(self, key: bytes) -> Caller:
        known = self._gate.at_once(key)
        if known is not None:
            return known
        look = asyncio.wrap_future(self._looks.submit(self._gate.look_up, key))
        try:
            return await asyncio.wait_for(look, self._gate.patience.total_seconds())
        except (TimeoutError, *OUT_OF_REACH):
            return self._gate.unasked()
