"""Stand-ins that speak the protocols of Slack, PagerDuty and a mail server on 127.0.0.1, for demo and end-to-end tests.

Each is a context manager on a free port that keeps what arrived, prints it as one line through `on_message`, and can be
told to fail. They refuse what the real services refuse, so that a wrong payload is seen here and not in production.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

from api.demo.smtp_stand_in import Mail, SmtpStandIn
from api.demo.stand_in import StandIn, silent

__all__ = ["HttpStandIn", "Incident", "Mail", "PagerDutyStandIn", "SlackStandIn", "SmtpStandIn"]

Json = dict[str, Any]


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    body: str
    content_type: str = "application/json"


class HttpStandIn(StandIn[Json]):
    """A stand-in that takes JSON by POST; `answer` is what a service makes of one."""

    def __init__(self, on_message: Callable[[str], None] = silent) -> None:
        stand_in = self

        class Handler(_HttpHandler):
            service = stand_in

        super().__init__(_HttpServer(("127.0.0.1", 0), Handler), on_message)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, headers: Mapping[str, str], body: Json | None) -> Reply:
        """What the service says to this body, `None` when it was no JSON object; header names are in lower case."""
        raise NotImplementedError


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _HttpHandler(BaseHTTPRequestHandler):
    service: HttpStandIn
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        except ValueError:
            body = None
        failure = self.service.failure()
        if failure:
            self._reply(Reply(failure.status, '{"status":"told to fail"}'), failure.headers)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._reply(self.service.answer(self.path, headers, body if isinstance(body, dict) else None), {})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name for it
        """Nothing: `on_message` is how a stand-in speaks."""

    def _reply(self, reply: Reply, headers: Mapping[str, str]) -> None:
        data = reply.body.encode()
        self.send_response(reply.status)
        shown = {"Content-Type": reply.content_type, "Content-Length": str(len(data)), **headers}
        for name, value in shown.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class SlackStandIn(HttpStandIn):
    """Slack's incoming webhook (answers `ok`), and its Web API for bots: chat.postMessage and chat.update, which answer 200 with
    JSON even when they refuse, and repeat the whole message in their answer. `posts` is what a reader of Slack sees."""

    def __init__(self, on_message: Callable[[str], None] = silent) -> None:
        super().__init__(on_message)
        self.posts: dict[str, Json] = {}
        """What bots posted and nobody deleted, by `ts`: the message as it reads now."""

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/services/T0DEMO/B0DEMO/standin"

    @property
    def api_url(self) -> str:
        """What to give a bot channel as `settings.api_url`."""
        return f"{self.url}/api"

    def thread(self, ts: str) -> list[Json]:
        """The replies to this message, in their order."""
        return [post for post in self.posts.values() if post.get("thread_ts") == ts]

    def answer(self, path: str, headers: Mapping[str, str], body: Json | None) -> Reply:
        if path.startswith("/api/"):
            return Reply(200, json.dumps(self._bot(path.removeprefix("/api/"), headers, body)))
        problem = _slack_problem(body)
        if body is None or problem:
            return Reply(400, problem, "text/plain")
        self.keep(body, f"slack      {_slack_line(body)}")
        return Reply(200, "ok", "text/plain")

    def _bot(self, method: str, headers: Mapping[str, str], body: Json | None) -> Json:
        problem = _slack_problem(body) if headers.get("authorization", "").startswith("Bearer xox") else "not_authed"
        if body is None or problem:
            return {"ok": False, "error": problem}
        calls = {"chat.postMessage": self._post, "chat.update": self._update}
        return calls[method](body) if method in calls else {"ok": False, "error": "unknown_method"}

    def _post(self, body: Json) -> Json:
        name = str(body.get("channel", ""))
        if not name.startswith(("#", "C")):
            return {"ok": False, "error": "channel_not_found"}
        channel_id = name if name.startswith("C") else _channel_id(name)
        parent = self.posts.get(str(body.get("thread_ts")))
        if "thread_ts" in body and (parent is None or parent["channel"] != channel_id):
            return {"ok": False, "error": "thread_not_found"}
        ts = f"{time.time_ns() / 1e9:.6f}"
        self.posts[ts] = {**body, "channel": channel_id}
        self.keep(body, f"slack {name}  {'↳ ' if parent else ''}{_slack_line(body)}")
        return {"ok": True, "channel": channel_id, "ts": ts, "message": {"type": "message", **body}}

    def _update(self, body: Json) -> Json:
        ts, channel_id = str(body.get("ts")), str(body.get("channel"))
        if not channel_id.startswith("C"):
            return {"ok": False, "error": "channel_not_found"}
        if ts not in self.posts or self.posts[ts]["channel"] != channel_id:
            return {"ok": False, "error": "message_not_found"}
        self.posts[ts] = dict(body)
        self.keep(body, f"slack {channel_id}  ✎ {_slack_line(body)}")
        return {"ok": True, "channel": channel_id, "ts": ts, "text": body.get("text", ""), "message": dict(body)}


def _channel_id(name: str) -> str:
    """Slack's own name of a channel, which nobody chooses."""
    return f"C{hashlib.sha256(name.encode()).hexdigest()[:10].upper()}"


def _slack_problem(body: Json | None) -> str:
    """Slack's word for what is wrong with the message; empty when nothing is."""
    if body is None:
        return "invalid_payload"
    attachments = body.get("attachments", [])
    if not isinstance(attachments, list) or len(attachments) > 100:
        return "invalid_attachments"
    return "" if body.get("text") or attachments else "no_text"


def _slack_line(body: Json) -> str:
    first: Json = next(iter(body.get("attachments", [])), {})
    return f"{body.get('text') or first.get('title', '')} [{first.get('color', 'plain')}]"


@dataclass(slots=True)
class Incident:
    """One incident: the events with its key while it was open; an event after its end opens another."""

    key: str
    summary: str
    severity: str
    status: str = "open"
    events: list[Json] = field(default_factory=list)


class PagerDutyStandIn(HttpStandIn):
    """The Events API v2: a trigger opens an incident or joins the open one of its key, a resolve closes it."""

    key: Final = "5tand1n0routing0key0of0pagerduty"
    severities: Final = frozenset(("critical", "error", "warning", "info"))

    def __init__(self, on_message: Callable[[str], None] = silent) -> None:
        super().__init__(on_message)
        self._incidents: list[Incident] = []
        self._lock = threading.Lock()

    @property
    def channel_url(self) -> str:
        """What to give a channel as its url: the endpoint with a key in it."""
        return f"http://{self.key}@127.0.0.1:{self.port}/v2/enqueue"

    @property
    def incidents(self) -> list[Incident]:
        with self._lock:
            return list(self._incidents)

    @property
    def open(self) -> list[Incident]:
        return [incident for incident in self.incidents if incident.status != "resolved"]

    def answer(self, path: str, headers: Mapping[str, str], body: Json | None) -> Reply:  # noqa: ARG002 - the key is in the body
        if path != "/v2/enqueue":
            return Reply(404, json.dumps({"status": "not found"}))
        errors = ["not a JSON object"] if body is None else _event_errors(body)
        if body is None or errors:
            said = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
            return Reply(400, json.dumps(said))
        key = body.setdefault("dedup_key", f"{time.time_ns():032x}")
        self.keep(body, f"pagerduty  {self._apply(body)}: {body.get('payload', {}).get('summary', key)}")
        said = {"status": "success", "message": "Event processed", "dedup_key": key}
        return Reply(202, json.dumps(said))

    def _apply(self, event: Json) -> str:
        """What the event does to the incidents, in words."""
        with self._lock:
            current = next(
                (one for one in self._incidents if one.key == event["dedup_key"] and one.status != "resolved"), None
            )
            if event["event_action"] != "trigger":
                return _closed(current, event)
            if current:
                current.events.append(event)
                return "joined the open incident"
            payload = event["payload"]
            fresh = Incident(key=event["dedup_key"], summary=payload["summary"], severity=payload["severity"])
            fresh.events.append(event)
            self._incidents.append(fresh)
            return f"incident opened ({fresh.severity})"


def _closed(incident: Incident | None, event: Json) -> str:
    """A resolve or acknowledge of this incident; without an open one it changes nothing, as with PagerDuty."""
    if incident is None:
        return "nothing open to " + str(event["event_action"])
    incident.events.append(event)
    incident.status = "resolved" if event["event_action"] == "resolve" else "acknowledged"
    return f"incident {incident.status}"


def _event_errors(event: Json) -> list[str]:
    payload = event.get("payload")
    errors = {
        "Length of 'routing_key' is incorrect (should be 32 characters)": len(str(event.get("routing_key", ""))) != 32,
        "'event_action' is invalid": event.get("event_action") not in ("trigger", "acknowledge", "resolve"),
        "'dedup_key' is longer than 255 characters": len(str(event.get("dedup_key", ""))) > 255,
        "'dedup_key' is missing": event.get("event_action") != "trigger" and not event.get("dedup_key"),
    }
    found = [error for error, wrong in errors.items() if wrong]
    return found + (_payload_errors(payload) if event.get("event_action") == "trigger" else [])


def _payload_errors(payload: object) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    summary = payload.get("summary") or ""
    errors = {
        "'payload.summary' is missing or blank": not summary,
        "'payload.summary' is longer than 1024 characters": len(summary) > 1024,
        "'payload.source' is missing or blank": not payload.get("source"),
        "'payload.severity' is invalid (must be one of critical, error, warning, info)": payload.get("severity")
        not in PagerDutyStandIn.severities,
    }
    return [error for error, wrong in errors.items() if wrong]
