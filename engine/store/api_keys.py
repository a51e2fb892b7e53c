"""API keys: rows of `api_keys` ⇄ ApiKey. A key's text is known to its holder alone; the database has its SHA-256.

A text is `tocsin_`, the key's id (8 hex digits, by which its row is found), `_`, and 256 random bits in base64url. With so
many bits there is nothing to guess, so a plain hash does; a slow one would only slow down every request.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, or_, select, text, update

from engine.store import ledger
from engine.store.tables import api_keys

NOTED_EVERY: Final = timedelta(minutes=1)
"""How exact `last_used_at` is: a write per request would cost more than the request."""

_TEXT: Final = re.compile(r"tocsin_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_LIKE_A_HASH: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


class ApiKeyError(ValueError):
    """A key that cannot be made as asked for; the text names the value and the fix."""


class Scope(StrEnum):
    """How far a key reaches, each scope containing the ones before: see everything, silence, change rules, everything."""

    READ = "read"
    SILENCE = "silence"
    WRITE = "write"
    ADMIN = "admin"

    def covers(self, needed: Scope) -> bool:
        """Whether who holds this scope may do what `needed` is needed for."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


class KeyState(StrEnum):
    """Whether a key opens, or why not."""

    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its text. `hash` is the text's SHA-256 in hex; `expires_at` `None` means never."""

    id: str
    name: str
    scope: Scope
    hash: str = field(repr=False)
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def state(self, now: datetime) -> KeyState:
        """How the key is at `now`; at its `expires_at` it is over."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.EXPIRED if self.expires_at is not None and self.expires_at <= now else KeyState.LIVE


def id_of(key: str) -> str | None:
    """The id inside a key's text; `None` when the text has not the form of a key of the database."""
    found = _TEXT.fullmatch(key)
    return found[1] if found else None


def digest(key: str) -> str:
    """What the database keeps of a key's text."""
    return hashlib.sha256(key.encode()).hexdigest()


def create(
    connection: Connection, *, name: str, scope: Scope, created_by: str, lasting: timedelta | None, now: datetime
) -> tuple[ApiKey, str]:
    """A new key and its text, which nobody can be told again; `lasting` `None` is for ever. Raises ApiKeyError."""
    _check_name(name)
    if connection.dialect.name == "postgresql":
        # Two that make the same name at once would not see each other; on SQLite writers queue anyway.
        connection.execute(text("LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE"))
    taken = connection.execute(select(api_keys.c.id).where(api_keys.c.name == name, _is_alive(now))).scalar()
    if taken is not None:
        raise ApiKeyError(f"name {name!r}: the live key {taken} has it; take another name, or revoke that key first")
    key_id = _fresh_id(connection)
    made = f"tocsin_{key_id}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        id=key_id,
        name=name,
        scope=scope,
        hash=digest(made),
        created_at=now,
        created_by=created_by,
        expires_at=None if lasting is None else now + lasting,
        revoked_at=None,
        last_used_at=None,
    )
    connection.execute(api_keys.insert().values(_to_row(key)))
    _record(connection, key, "created", by=created_by, now=now)
    return key, made


def revoke(connection: Connection, key_id: str, *, by: str, now: datetime) -> ApiKey | None:
    """The key, which opens nothing from now on; `None` when there is none. One that was revoked before stays as it is."""
    key = get(connection, key_id)
    if key is None or key.revoked_at is not None:
        return key
    connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=now))
    _record(connection, key, "revoked", by=by, now=now)
    return get(connection, key_id)


def get(connection: Connection, key_id: str) -> ApiKey | None:
    """The key with this id, also one that is over; `None` when there is none."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).mappings().one_or_none()
    return None if row is None else _from_row(row)


def every(connection: Connection) -> list[ApiKey]:
    """All keys, oldest first, those that are over too."""
    rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
    return [_from_row(row) for row in rows.mappings()]


def any_alive(connection: Connection, now: datetime) -> bool:
    """Whether some key opens at `now`."""
    return connection.execute(select(api_keys.c.id).where(_is_alive(now)).limit(1)).scalar() is not None


def note_use(connection: Connection, key_id: str, now: datetime) -> None:
    """Note that the key is used now, unless that was noted less than a minute ago."""
    stale = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= now - NOTED_EVERY)
    connection.execute(update(api_keys).where(api_keys.c.id == key_id, stale).values(last_used_at=now))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        fix = "write 1 to 64 letters, digits, '.', '_', '@' or '-', the first a letter or digit"
        raise ApiKeyError(f"name {name[:80]!r}: {fix}")
    if _LIKE_A_HASH.fullmatch(name):
        # Changes made with a key of the environment are signed with eight hex digits of its hash.
        raise ApiKeyError(f"name {name!r}: eight hex digits look like the hash of another key; write a word")


def _is_alive(now: datetime) -> ColumnElement[bool]:
    return api_keys.c.revoked_at.is_(None) & or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now)


def _fresh_id(connection: Connection) -> str:
    while get(connection, found := secrets.token_hex(4)) is not None:
        pass
    return found


def _to_row(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scope": key.scope.value,
        "hash": key.hash,
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
    }


def _from_row(row: RowMapping) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        scope=Scope(row["scope"]),
        hash=row["hash"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )


def _record(connection: Connection, key: ApiKey, what: str, *, by: str, now: datetime) -> None:
    until = None if key.expires_at is None else key.expires_at.isoformat()
    entry = ledger.Entry(
        at=now,
        kind=ledger.Kind.ACCESS,
        reason=f"key {what}",
        subject_type=ledger.Subject.KEY,
        subject_id=key.id,
        detail={"name": key.name, "scope": key.scope.value, "expires_at": until, "by": by},
    )
    ledger.write(connection, [entry])
