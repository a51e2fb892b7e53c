"""The way to a running Tocsin: its address, the key that opens it, and one bounded exchange at a time.

The only module of the commands that reads the environment. No redirect is followed, since it would carry the key elsewhere;
no proxy stands between this machine and itself.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import requests
from requests.utils import get_environ_proxies

from api.commands.failures import RefusedError, UnreachableError, UsageError
from engine.bounded_session import BoundedSession, DeadlineExceeded

URL: Final = "TOCSIN_URL"
KEY: Final = "TOCSIN_API_KEY"
DEFAULT: Final = "http://127.0.0.1:9099"
BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Where programs are told which authorities sign the certificates of an inner network."""

ANSWER_WITHIN: Final = timedelta(seconds=30)
WORK_WITHIN: Final = timedelta(minutes=2)
"""For what makes the server ask or tell somebody else before it answers."""
LARGEST: Final = 256 << 20
PAGE: Final = 500
"""Objects asked for at once; the server's most is 1000."""

Fields = Mapping[str, Any]
Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answered to a request it accepted; `body` is `None` when there was none."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A Tocsin to ask. Every call raises RefusedError for a problem, UnreachableError where no Tocsin answers."""

    url: str
    session: BoundedSession

    def get(self, path: str, parameters: Parameters = (), *, within: timedelta = ANSWER_WITHIN) -> Any:
        """What stands at the path below /api/v1."""
        return self.call("GET", path, parameters=parameters, within=within).body

    def items(
        self,
        path: str,
        parameters: Parameters = (),
        *,
        limit: int | None = None,
        warn: Callable[[str], None] = lambda _problem: None,
    ) -> Iterator[Fields]:
        """The objects of a list, page after page to its end, at most `limit`; `warn` hears each problem of the last page."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            after = [] if cursor is None else [("cursor", cursor)]
            page = self.get(path, [*parameters, ("limit", str(size)), *after])
            yield from page["items"]
            left = None if left is None else left - len(page["items"])
            before, cursor = cursor, page.get("next_cursor")
            if cursor is None or left == 0:
                for problem in page.get("problems") or ():
                    warn(str(problem))
                return
            if cursor == before:
                raise UnreachableError(f"{self.url} answers the same page again and again: is it a Tocsin?")

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        parameters: Parameters = (),
        within: timedelta = ANSWER_WITHIN,
        root: str = "/api/v1",
    ) -> Answer:
        """One exchange, over within this span; `root` is where the path begins."""
        address = f"{self.url}{root}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            response = self.session.request(
                method, address, data=content, headers=headers, timeout=within.total_seconds()
            )
        except (OSError, ValueError) as error:  # requests' own errors are OSErrors; a wrong bundle is one, too.
            raise self._unreachable(error, within) from error
        return self._answer(response)

    def _answer(self, response: requests.Response) -> Answer:
        location = response.headers.get("Location")
        if 300 <= response.status_code < 400:
            raise UnreachableError(f"{self.url} sends on to {location}: if that is Tocsin, set {URL} to it")
        if response.status_code == 204:
            return Answer(status=204, body=None)
        body = _json(response.content)
        if response.status_code >= 400 and isinstance(body, dict) and "detail" in body:
            raise RefusedError(response.status_code, _with_advice(response.status_code, body))
        if response.status_code >= 400 or body is None:
            what = f"{response.status_code} {response.reason}".strip()
            raise UnreachableError(f"{self.url} answers {what}, and not as Tocsin does: is {URL} right?")
        return Answer(status=response.status_code, body=body)

    def _unreachable(self, error: Exception, span: timedelta) -> UnreachableError:
        if isinstance(error, DeadlineExceeded):
            return UnreachableError(f"{self.url} gave no answer within {span.total_seconds():g} s; try again later")
        if isinstance(error, requests.exceptions.SSLError):
            why = f"its certificate is not accepted ({_reason(error)}); name its authority in {BUNDLES[0]}"
            return UnreachableError(f"{self.url}: {why}")
        return UnreachableError(
            f"nobody answers at {self.url} ({_reason(error)}): start one with tocsin serve, or set {URL} to where it is"
        )


def connect(url: str | None = None) -> Connection:
    """The Tocsin at this address, else at TOCSIN_URL, else on this machine. Raises UsageError when it is no address."""
    return connection(os.environ, url)


def stranger(url: str) -> Connection:
    """Another program at this address: TOCSIN_API_KEY is no business of its. Raises UsageError when it is no address."""
    return connection({name: os.environ[name] for name in BUNDLES if name in os.environ}, url)


def connection(environment: Mapping[str, str], url: str | None = None) -> Connection:
    """As `connect`, with these variables."""
    address = _address(*(("--url", url) if url else (URL, environment.get(URL, "").strip() or DEFAULT)))
    session = BoundedSession(deadline=ANSWER_WITHIN, max_bytes=LARGEST, workers=1)
    session.headers["Accept"] = "application/json"
    session.headers["User-Agent"] = "tocsin"
    key = environment.get(KEY, "").strip()
    if key:
        if not re.fullmatch(r"[\x21-\x7e]+", key):
            raise UsageError(f"{KEY}: a key is printable ASCII without blanks; copy it again")
        session.headers["Authorization"] = f"Bearer {key}"
    session.proxies = {} if _is_here(address) else get_environ_proxies(address)
    bundles = [environment[name] for name in BUNDLES if environment.get(name)]
    session.verify = bundles[0] if bundles else True
    return Connection(url=address, session=session)


def segment(key: str) -> str:
    """The key of an object as one part of a path. Raises UsageError for one that no path can hold."""
    if key in ("", ".", ".."):
        raise UsageError(f"{key!r} is no id and no name")
    return quote(key, safe="")


def _address(where: str, text: str) -> str:
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{where}: {text[:80]!r} is no address; write one such as {DEFAULT}")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(f"{where}: an address ends with its path, and the key is not in it but in {KEY}")
    return text.rstrip("/")


def _split(text: str) -> SplitResult | None:
    """The parts of an address; `None` when it has no such parts."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts if text.isprintable() and " " not in text else None


def _is_here(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _with_advice(status: int, problem: Mapping[str, Any]) -> Mapping[str, Any]:
    """The problem, with where this command takes its key from when one is missing or refused."""
    if status != 401:
        return problem
    return {**problem, "detail": f"{problem['detail']} (tocsin sends the key that {KEY} holds)"}


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words: libraries wrap it several times, each with the whole address."""
    texts = []
    cause: BaseException | None = error
    while cause is not None:
        texts.append(getattr(cause, "strerror", None) or str(cause))
        cause = cause.__cause__ or cause.__context__
    return next((text for text in reversed(texts) if text), type(error).__name__)[:200].lower()
