"""Who may ask: with API keys set, every request but liveness carries one as `Authorization: Bearer KEY`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ApiProblem, response

LIVENESS: Final = frozenset({"/health/live", "/health/liveness"})
"""Open to everybody: a supervisor has no key, and the answer tells nothing."""

ANYBODY: Final = "api"
"""The author of changes made while no key is asked for."""

_DENIED: Final = ApiProblem(
    status=401,
    name="unauthorized",
    detail="this needs a key: send the header Authorization: Bearer KEY, with one of TOCSIN_API_KEYS",
    headers={"WWW-Authenticate": 'Bearer realm="tocsin"'},
)


class Keys:
    """The keys that open the surface, kept as SHA-256 only."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = tuple(hashlib.sha256(key.encode()).digest() for key in keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def author(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Whose request this is, as `key:` and the first eight digits of the key's hash; `None` without a known key.

        Every key is compared, in constant time, so the time taken tells neither how much of a key was right nor which.
        """
        given = [value for name, value in headers if name.lower() == b"authorization"]
        scheme, _, key = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        digest = hashlib.sha256(key.strip()).digest()
        known = [hmac.compare_digest(digest, one) for one in self._digests]
        return f"key:{digest.hex()[:8]}" if any(known) and scheme.lower() == b"bearer" else None


class Authentication:
    """Lets in who may ask, and notes in `request.state.author` who that is."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in LIVENESS:
            await self._app(scope, receive, send)
            return
        author = self._keys.author(scope["headers"]) if self._keys else ANYBODY
        if author is None:
            await response(_DENIED)(scope, receive, send)
            return
        scope.setdefault("state", {})["author"] = author
        await self._app(scope, receive, send)
