"""Prometheus, or what speaks its query API, behind one door: an expression goes in, samples or a typed error come out.

    QueryError              one class, told apart by `kind`; drawn with its kinds in engine/query_answer.py
      the question          bad_data, execution
      the server            timeout, canceled, unavailable
      the answer            too_large, malformed
      the way               auth, redirected, unavailable

prometheus-api-client asks the queries, over a `BoundedSession` that bounds time and bytes and decodes each answer once.
Nothing is asked twice: retrying is the caller's decision.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.utils import check_header_validity
from urllib3.util.retry import Retry

from engine.bounded_session import BodyTooLarge, BoundedSession, DeadlineExceeded, Exchange
from engine.query_answer import (
    Answer,
    Document,
    QueryError,
    QueryErrorKind,
    Series,
    instant_answer,
    kind_of_status,
    range_answer,
    read_document,
    recognition,
    refusal,
)
from engine.resolver import Resolver
from engine.tls import Tls

__all__ = ["Answer", "Prometheus", "QueryError", "QueryErrorKind", "Series"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class _Build(msgspec.Struct):
    version: str | None = None


class _BuildInfo(msgspec.Struct):
    data: _Build


_BUILD_INFO: Final = msgspec.json.Decoder(_BuildInfo)


class Prometheus:
    """One datasource. Threads share it: each call is an exchange of its own, bounded by `timeout` in total.

    `url` may carry a path prefix and `user:password@`, which `auth` replaces. `workers` connections stay open between
    calls. `max_bytes` bounds one answer after decompression. `connect` bounds the opening of a connection more tightly than
    `timeout`. `params` are sent with every query. `hidden` are texts that no error repeats, even where the server does.
    `resolver` says where names lead, and which addresses are refused. `endpoint` is for servers that answer as Prometheus
    does elsewhere: the path of instant queries and a query that is always answered. Raises ValueError for settings that
    can never work,
    naming the setting and never its secret.
    """

    __slots__ = ("_address", "_always", "_connect", "_instant", "_params", "_series", "_session")

    def __init__(
        self,
        url: str,
        *,
        workers: int = 8,
        timeout: timedelta = timedelta(seconds=10),
        max_bytes: int = 64 * 1024 * 1024,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        connect: timedelta | None = None,
        tls: Tls | None = None,
        params: Mapping[str, str] | None = None,
        hidden: Sequence[str] = (),
        resolver: Resolver | None = None,
        endpoint: tuple[str, str] | None = None,
    ) -> None:
        if workers < 1 or max_bytes < 1 or timeout < _MILLISECOND:
            raise ValueError("workers and max_bytes must be at least 1, timeout at least 1 ms")
        parts = _checked_url(url)
        trusted = tls or Tls()
        self._address = _address(parts)
        self._params = {**(params or {}), "timeout": f"{timeout // _MILLISECOND}ms"}
        self._session = BoundedSession(
            deadline=timeout,
            max_bytes=max_bytes,
            workers=workers,
            decode=_library_view,
            hidden=hidden,
            resolver=resolver,
            connect=connect,
            tls=trusted.context() if parts.scheme == "https" else None,
            server_name=trusted.server_name,
        )
        _introduce(self._session, parts, auth, headers)
        # The library's default of three retries with backoff would turn a refused port into six seconds of waiting.
        self._connect = PrometheusConnect(url=self._address, session=self._session, retry=Retry(0), method="POST")
        self._session.claim(self._address)
        self._series = recognition()
        self._instant: Callable[..., Any] = self._connect.custom_query
        self._always = "vector(1)"
        if endpoint is not None:
            path, self._always = endpoint
            self._instant = self._elsewhere(path)

    def query(self, expr: str, at: datetime) -> Answer:
        """The expression's value at `at` (aware, kept to the millisecond). Raises QueryError."""
        return instant_answer(self._ask(self._instant, expr, params={"time": _timestamp(at)}), self._series)

    def query_range(self, expr: str, start: datetime, end: datetime, step: timedelta) -> tuple[Series, ...]:
        """The expression's values at `start`, `start + step` … up to and including `end`, to the millisecond.

        Series of native histograms only are left out. Raises QueryError.
        """
        # The library rounds the instants it is given to whole seconds; `params` are laid over them.
        exact = {"start": _timestamp(start), "end": _timestamp(end), "step": _seconds(step)}
        call = self._connect.custom_query_range
        return range_answer(self._ask(call, expr, start, end, exact["step"], params=exact))

    def check(self) -> None:
        """Returns when queries are answered now, credentials included. Raises QueryError."""
        instant_answer(self._ask(self._instant, self._always, params={}))

    def build_info(self) -> str | None:
        """The server's version as it states it; `None` where it does not. Raises QueryError when it cannot be reached."""
        try:
            response = self._session.get(f"{self._address}/api/v1/status/buildinfo")
        except requests.RequestException as error:
            raise self._failure(error) from error
        if response.status_code != 200:
            refused = self._refused()
            if refused.kind in {QueryErrorKind.AUTH, QueryErrorKind.REDIRECTED} or response.status_code >= 500:
                raise refused
            return None
        try:
            return _BUILD_INFO.decode(response.content).data.version
        except ValueError:
            return None

    def close(self) -> None:
        """Closes the idle connections."""
        self._connect.close()

    def _elsewhere(self, path: str) -> Callable[..., Any]:
        """What the library does at `/api/v1/query`, at another path."""

        def ask(query: str, *, params: Mapping[str, str]) -> object:
            response = self._session.post(self._address + path, params={"query": query, **params})
            if response.status_code != 200:
                raise PrometheusApiClientException(f"HTTP Status Code {response.status_code}")
            return response.json()["data"]["result"]

        return ask

    def _ask(self, call: Callable[..., Any], *question: object, params: dict[str, str]) -> Document:
        try:
            document = call(*question, params={**params, **self._params})
        except (requests.RequestException, PrometheusApiClientException, ValueError) as error:
            raise self._failure(error) from error
        assert isinstance(document, Document)
        return document

    def _failure(self, error: Exception) -> QueryError:
        match error:
            case DeadlineExceeded():
                return QueryError(QueryErrorKind.TIMEOUT, f"{self._address}: {error}")
            case BodyTooLarge():
                return QueryError(QueryErrorKind.TOO_LARGE, f"{self._address}: {error}; ask for fewer series")
            case PrometheusApiClientException():
                return self._refused()
            case UnicodeEncodeError():
                return QueryError(QueryErrorKind.BAD_DATA, "the expression is no valid Unicode text")
            case requests.RequestException():
                return QueryError(QueryErrorKind.UNAVAILABLE, f"{self._address}: {_root_cause(error)}")
            case _:
                return QueryError(QueryErrorKind.MALFORMED, self._unreadable(error))

    def _unreadable(self, error: Exception) -> str:
        head = _excerpt(self._session.last)
        return f"{self._address} answered 200 with what is no query result ({error}); it begins: {head}"

    def _refused(self) -> QueryError:
        """What an answer other than 200 means. Only a server's own error document can put the blame on the query."""
        last = self._session.last
        assert last is not None, "an answer was refused that never came"
        stated = refusal(last.status, last.head)
        return stated or QueryError(kind_of_status(last.status), self._described(last))

    def _described(self, last: Exchange) -> str:
        status = f"{self._address} answered {last.status} {last.reason}".rstrip()
        if 300 <= last.status < 400:
            target = (last.location or "nowhere").partition("?")[0]
            return f"{status} to {target}: redirects are not followed, name the final address"
        if last.status == 404:
            return f"{status}: is this the address of a Prometheus, with its path prefix?"
        return f"{status}: {_excerpt(last)}"


def _library_view(body: bytes) -> dict[str, dict[str, Document]]:
    """The decoded answer in the shape prometheus-api-client unpacks, so that it hands on all of it, parsed once."""
    return {"data": {"result": read_document(body)}}


def _root_cause(error: requests.RequestException) -> str:
    """The system's own words (`[Errno 111] Connection refused`) out of the libraries' wrapping."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return _tls_failure(cause)
        if isinstance(cause, OSError | HTTPException) and not isinstance(cause, requests.RequestException):
            return str(cause) or type(cause).__name__
    return str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came of; urllib3 keeps a TLS error as an argument of one that was never raised."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        cause = left.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = [each for each in cause.args if isinstance(each, BaseException)]
        left += [cause.__context__, cause.__cause__, getattr(cause, "reason", None), *inner]
        left = [each for each in left if isinstance(each, BaseException)]


def _tls_failure(cause: ssl.SSLError) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"TLS: certificate verify failed: {cause.verify_message}"
    if isinstance(cause, ssl.SSLEOFError) or "ALERT" in (cause.reason or ""):
        said = (cause.reason or "it hung up").replace("_", " ").lower()
        return f"TLS: the server refused the connection ({said}); it may want a client certificate: see cert and key in tls"
    return f"TLS: {cause.reason or cause}"


def _excerpt(last: Exchange | None) -> str:
    """The start of a body in one line, to recognise a login page or a proxy's error by."""
    text = last.head[:1000].decode(errors="replace") if last is not None else ""
    return " ".join(text.split())[:200] or "(an empty body)"


def _timestamp(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError(f"an instant needs a time zone: {at.isoformat()}")
    return _seconds(at - _EPOCH)


def _seconds(span: timedelta) -> str:
    """Seconds with exactly three decimals, what is below a millisecond cut off."""
    return f"{span // _MILLISECOND / 1000:.3f}"


def _checked_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # Its text can hold a part of the password.
        raise ValueError("url: host or port cannot be read; percent-encode / ? # @ in a password") from None
    if not usable or parts.query or parts.fragment:
        raise ValueError("url: must be http(s)://host[:port][/prefix], with no query and no fragment")
    return parts


def _address(parts: SplitResult) -> str:
    """The URL less its credentials and final slash."""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def _credentials(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def _basic_auth(auth: tuple[str, str] | None) -> Any:
    """As bytes, because requests would encode text as Latin-1 and fail on all else; servers read UTF-8 (RFC 7617)."""
    return None if auth is None else (auth[0].encode(), auth[1].encode())


def _introduce(
    session: BoundedSession, parts: SplitResult, auth: tuple[str, str] | None, headers: Mapping[str, str] | None
) -> None:
    """Set what every request says beside its query: who asks, and how the answer may come."""
    session.auth = _basic_auth(auth or _credentials(parts))
    if _is_loopback(parts.hostname or ""):
        session.headers["Accept-Encoding"] = "identity"  # Compressing costs more than it saves on one host.
    session.headers.update(_checked_headers(headers or {}))


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        try:
            check_header_validity((name, value))
            value.encode("latin-1")
        except (requests.exceptions.InvalidHeader, UnicodeEncodeError):
            raise ValueError(f"headers: {name!r} or its value holds characters no header may hold") from None
    return dict(headers)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
