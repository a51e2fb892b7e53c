"""A mail server in clear on 127.0.0.1: RFC 5321's minimum, so that the demo needs no package for it."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import NamedTuple

from api.demo.stand_in import StandIn, silent


class Mail(NamedTuple):
    """A mail as it was handed over: the envelope, and the message parsed."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage


class SmtpStandIn(StandIn[Mail]):
    """A mail server in clear, with no authentication: RFC 5321's minimum and nothing else."""

    def __init__(self, on_message: Callable[[str], None] = silent) -> None:
        stand_in = self

        class Handler(_SmtpHandler):
            service = stand_in

        super().__init__(_SmtpServer(("127.0.0.1", 0), Handler), on_message)

    @property
    def host(self) -> str:
        """What to give a channel as its url, with `settings.tls` = none."""
        return f"127.0.0.1:{self.port}"


class _SmtpServer(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _SmtpHandler(StreamRequestHandler):
    service: SmtpStandIn
    timeout = 30
    _sender: str | None
    _recipients: list[str]

    def setup(self) -> None:
        super().setup()
        self._reset()

    def handle(self) -> None:
        self._say("220 stand-in ESMTP")
        while line := self.rfile.readline(4096):
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if verb.upper() == "QUIT":
                self._say("221 bye")
                return
            self._say(self._command(verb.upper(), rest.strip()))

    def _command(self, verb: str, rest: str) -> str:
        match verb:
            case "EHLO":
                self._reset()
                return "250-stand-in\r\n250-SMTPUTF8\r\n250 8BITMIME"
            case "HELO" | "RSET" | "NOOP":
                if verb != "NOOP":
                    self._reset()
                return "250 ok"
            case "MAIL":
                self._sender = _path(rest)
                return "250 ok"
            case "RCPT":
                return self._rcpt(rest)
            case "DATA":
                return self._data()
            case _:
                return "502 command not implemented"

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []

    def _rcpt(self, rest: str) -> str:
        if self._sender is None:
            return "503 MAIL first"
        failure = self.service.failure()
        if failure:
            return f"{failure.status} told to fail"
        self._recipients.append(_path(rest))
        return "250 ok"

    def _data(self) -> str:
        if self._sender is None or not self._recipients:
            return "503 RCPT first"
        self._say("354 end with a dot on a line of its own")
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return "451 the message did not end"
            lines.append(line[1:] if line.startswith(b".") else line)  # RFC 5321, section 4.5.2
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        mail = Mail(self._sender, tuple(self._recipients), message)
        self.service.keep(mail, f"email      to {', '.join(mail.recipients)}: {message['Subject']}")
        self._reset()
        return "250 taken"

    def _say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())


def _path(rest: str) -> str:
    """The mailbox in `FROM:<a@b> SIZE=…`."""
    return rest.partition(":")[2].strip().partition(">")[0].lstrip("<")
