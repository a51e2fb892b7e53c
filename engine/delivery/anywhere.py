"""Any other service Apprise speaks to: SMS, phone calls, chats; one of its own plugins posts, and we hold the wire.

Apprise's plugins call `requests` and answer yes or no. Each is given `requests` in a form of ours: one total deadline, addresses
that are judged first, no redirect, no proxy of the environment, certificates always verified; and it remembers status,
Retry-After and error, which make the outcome. A service that is reached in another way than by HTTP is refused; what else is, the
address knows. The text is cut to what the service takes, with its beginning kept.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from apprise import Apprise, NotifyFormat
from apprise.plugins.base import NotifyBase

from engine.bounded_session import BoundedSession, DeadlineExceeded
from engine.core.messages_text import capped
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import AppriseUrl
from engine.delivery.apprise import asset, mute
from engine.delivery.evidence import from_status
from engine.delivery.wire import Answer, retry_after
from engine.destinations import RefusedDestination
from engine.resolver import Resolver
from rules.errors import ChannelError

ANSWER_LIMIT: Final = 1024 * 1024
SHORT: Final = 500
"""Characters below which a service is a pocket's: it gets one line, not a list."""


def send(address: AppriseUrl, body: bytes, deadline: timedelta, resolver: Resolver | None) -> Outcome:
    """What came of telling the service; takes about `deadline` at most."""
    try:
        plugin = service(address.url)
    except ChannelError as error:
        return Failed(reason=FailureReason.UNCONFIGURED, retryable=False, detail=error.message)
    title, text = fitted(json.loads(body), plugin.body_maxlen, plugin.title_maxlen)
    kind = json.loads(body)["type"]
    session = _Session(deadline=deadline, max_bytes=ANSWER_LIMIT, workers=1, resolver=resolver)
    with session, _wired(plugin, _Wired(session=session, deadline=deadline)) as wired:
        told = Apprise(plugin, asset=plugin.asset)
        taken = bool(told.notify(body=text, title=title, notify_type=kind, body_format=NotifyFormat.TEXT))
    return wired.outcome(taken=taken)


def service(url: str) -> NotifyBase:
    """The plugin the URL means. ChannelError, which never repeats the URL, when there is none or it is one we refuse."""
    mute()
    plugin = Apprise.instantiate(url, asset=asset())
    if plugin is None:
        raise ChannelError(
            "Apprise knows no such URL; see https://github.com/caronc/apprise/wiki for the service's form", field="url"
        )
    if not _modules(plugin):
        raise ChannelError(
            f"{urlsplit(url).scheme}:// is reached by other means than HTTP, which Tocsin does not do", field="url"
        )
    plugin.request_rate_per_sec = 0
    return plugin


def fitted(told: dict[str, str], body_limit: int, title_limit: int) -> tuple[str, str]:
    """Title and text within a service's limits. Without room for a title it stands in the text; a pocket gets the short line."""
    if title_limit <= 0 and body_limit <= SHORT:
        return "", capped(told.get("short") or told["title"], body_limit)
    if title_limit <= 0:
        return "", _cut(f"{told['title']}\n{told['body']}", body_limit)
    return capped(told["title"], title_limit), _cut(told["body"], body_limit)


def _cut(text: str, limit: int) -> str:
    """The text, cut at the end of a line where one ends in its last third. Markup a service adds needs room: a tenth of it."""
    room = limit - limit // 10
    if len(text) <= room:
        return text
    whole = text[:room].rpartition("\n")[0]
    return f"{whole}\n…" if len(whole) > room * 2 // 3 else capped(text, room)


class _Session(BoundedSession):
    """A session whose requests are made as a plugin says; a query's form, which the base class makes of a POST, is not."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        return requests.Session.prepare_request(self, request)


@dataclass(slots=True, kw_only=True)
class _Wired:
    """What the plugin's requests came to."""

    session: BoundedSession
    deadline: timedelta
    answer: Answer | None = None
    error: Exception | None = None
    failed: bool = field(default=False)

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        kept = {name: value for name, value in options.items() if name not in _OURS}
        try:
            response = self.session.request(method, url, **kept)
        except Exception as error:
            self.error = error
            raise
        answer = Answer(response.status_code, response.text[:2048], retry_after(response.headers))
        if self.answer is None or not self.failed:
            self.answer, self.failed = answer, response.status_code >= 300
        return response

    def outcome(self, *, taken: bool) -> Outcome:
        if taken:
            return Delivered(detail=f"HTTP {self.answer.status}" if self.answer else "taken")
        if self.error is not None:
            return _broken(self.error)
        if self.answer is not None and self.failed:
            return from_status(self.answer, self.answer.body)
        said = f": {self.answer.body}" if self.answer else ", and asked nobody: look at the URL"
        return Failed(reason=FailureReason.REFUSED, retryable=False, detail=f"the service took nothing{said}")


_OURS: Final = frozenset({"timeout", "verify", "allow_redirects", "proxies", "cert", "stream"})


def _broken(error: Exception) -> Failed:
    """The failure behind an exception of requests; all may pass, but a forbidden address."""
    for one in _causes(error):
        if isinstance(one, RefusedDestination):
            return Failed(reason=FailureReason.FORBIDDEN, retryable=False, detail=str(one))
    if isinstance(error, DeadlineExceeded):
        return Failed(
            reason=FailureReason.DEADLINE_EXCEEDED, retryable=True, detail="no complete answer before the deadline"
        )
    return Failed(
        reason=FailureReason.UNREACHABLE, retryable=True, detail=f"the connection broke ({type(error).__name__})"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *(each for each in one.args if isinstance(each, BaseException))]
        waiting.append(
            getattr(one, "reason", None) if isinstance(getattr(one, "reason", None), BaseException) else None
        )


# --- requests, as a plugin sees it ---

_here: Final = threading.local()


class _Requests(ModuleType):
    """Stands for `requests` in a plugin's module: whoever sends by us is given the wire, all else is requests' own."""

    def __getattr__(self, name: str) -> Any:
        wired: _Wired | None = getattr(_here, "wired", None)
        if wired is None or name not in _VERBS:
            return getattr(requests, name)
        if name == "request":
            return wired.request
        if name in ("Session", "session"):
            return lambda: wired
        return _verb(wired, name)


def _verb(wired: _Wired, name: str) -> Callable[..., requests.Response]:
    def call(url: str, data: Any = None, **options: Any) -> requests.Response:
        given = {"params": data} if name == "get" and data is not None else {"data": data}
        return wired.request(name.upper(), url, **{**given, **options})

    return call


_VERBS: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "request", "Session", "session"})
_OUR_REQUESTS: Final = _Requests("requests")


def _modules(plugin: NotifyBase) -> list[ModuleType]:
    """The modules of the plugin's classes that call requests."""
    homes = [
        sys.modules[one.__module__] for one in type(plugin).__mro__ if one.__module__.startswith("apprise.plugins.")
    ]
    return [home for home in homes if isinstance(getattr(home, "requests", None), ModuleType)]


@contextmanager
def _wired(plugin: NotifyBase, wired: _Wired) -> Iterator[_Wired]:
    """While inside, what the plugin asks by requests in this thread goes over `wired`."""
    for home in _modules(plugin):
        home.requests = _OUR_REQUESTS  # type: ignore[attr-defined]  # Apprise offers no other place to hold the wire.
    _here.wired = wired
    try:
        yield wired
    finally:
        _here.wired = None
