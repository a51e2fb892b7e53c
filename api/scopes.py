"""Which scope a request needs: one table over method and path, and `admin` for whatever is not in it.

Seeing needs `read`. Channels, datasources and reloading stand in no row: they hold addresses and credentials or replace
everything at once. A new route is for `admin` until it is given a row here, so forgetting one never opens it.
"""

from __future__ import annotations

import re
from typing import Final

from engine.store.api_keys import Scope

_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_POST: Final = frozenset({"POST"})
_DELETE: Final = frozenset({"DELETE"})
_ANY: Final = frozenset({"GET", "HEAD", *_WRITES})

_TABLE: Final = (
    # Questions that need a body.
    (_POST, r"/api/v1/rules/[^/]+/evaluate", Scope.READ),
    (_POST, r"/api/v1/routes/test", Scope.READ),
    (_POST, r"/api/v1/silences/preview", Scope.READ),
    (_POST, r"/api/v1/explain", Scope.READ),
    (
        _POST,
        r"/prometheus/api/v1/(query|query_range|query_exemplars|series|labels|format_query|parse_query)",
        Scope.READ,
    ),
    (_POST, r"/api/v1/channels/[^/]+/preview", Scope.READ),
    # Told only that it is gone.
    (_ANY, r"/alertmanager/api/v1/.*", Scope.READ),
    # Keeping quiet for a while.
    (_WRITES, r"/api/v1/silences(/[^/]+)?", Scope.SILENCE),
    (_POST, r"/api/v1/alerts/[^/]+/silence", Scope.SILENCE),
    (_POST, r"/alertmanager/api/v2/silences", Scope.SILENCE),
    (_DELETE, r"/alertmanager/api/v2/silence/[^/]+", Scope.SILENCE),
    # What is watched, and who hears of it.
    (_WRITES, r"/api/v1/(rules|routes|inhibit_rules|time_intervals)(/[^/]+)*", Scope.WRITE),
    (_POST, r"/alertmanager/api/v2/alerts", Scope.WRITE),
)
"""Methods, pattern of the whole path, scope; the first row that fits decides."""

_SEEING: Final = frozenset({"GET", "HEAD"})
_ROWS: Final = tuple((methods, re.compile(pattern), scope) for methods, pattern, scope in _TABLE)


def needed(method: str, path: str) -> Scope:
    """The scope a key must have for this method on this path, or on a route's template of it."""
    if method in _SEEING:
        return Scope.READ
    fitting = (scope for methods, pattern, scope in _ROWS if method in methods and pattern.fullmatch(path))
    return next(fitting, Scope.ADMIN)
