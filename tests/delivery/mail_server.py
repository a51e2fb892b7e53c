"""A real mail server (aiosmtpd) on loopback, with STARTTLS or implicit TLS, logins, and scripted refusals."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "sender@example.org", "hunter2hunter2"


@dataclass(slots=True)
class Inbox:
    """What was taken, and the replies to give instead of 250: to a recipient, or to the data."""

    recipients: Mapping[str, str] = field(default_factory=dict)
    data: str = "250 taken"
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.recipients.get(address, "250 ok")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        self.mails.append(message)
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        assert server.transport is not None
        self.tls.append(server.transport.get_extra_info("ssl_object") is not None)
        return self.data

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login.decode())
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """Learn which port the system chose before aiosmtpd knocks on it."""
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(
    inbox: Inbox, *, starttls: ssl.SSLContext | None = None, implicit: ssl.SSLContext | None = None, login: bool = False
) -> Iterator[Inbox]:
    """Run a server for this inbox on a free port, which the inbox then knows."""
    settings: dict[str, Any] = {"require_starttls": starttls is not None, "tls_context": starttls}
    if login:
        settings |= {
            "authenticator": inbox.authenticate,
            "auth_required": True,
            "auth_require_tls": starttls is not None,
        }
    controller = _Controller(inbox, hostname="127.0.0.1", port=0, ssl_context=implicit, **settings)
    controller.start()
    try:
        inbox.port = controller.port
        yield inbox
    finally:
        controller.stop()
