"""Mail: one message to one recipient over SMTP, encrypted unless the channel says otherwise.

smtplib's own codes decide: 4xx passes (RFC 5321, section 4.2.1), 5xx does not.
"""

from __future__ import annotations

import hashlib
import json
import smtplib
import socket
import warnings
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, localtime
from typing import Any

from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import SmtpServer, Tls
from engine.delivery.apprise import Attempt, asset
from engine.delivery.evidence import from_error
from engine.delivery.wire import Wire

with warnings.catch_warnings():  # Apprise loads imghdr for a PGP library nobody here uses; Python 3.11 deprecates it.
    warnings.simplefilter("ignore", DeprecationWarning)
    from apprise.plugins.email.base import NotifyEmail


class Email(Attempt, NotifyEmail):  # type: ignore[misc, no-untyped-call]  # Both define send; ours comes first, as meant.
    """Apprise's mail service sending a kept message."""

    def __init__(self, attempt: Callable[[], Outcome]) -> None:
        super().__init__(smtp_host="localhost", from_addr="tocsin@example.org", asset=asset())  # type: ignore[no-untyped-call]
        self.post = attempt


def send(address: SmtpServer, body: bytes, recipient: str, wire: Wire) -> Outcome:
    """Send the message to the recipient; what the server refuses is a Failed in the server's words."""
    mail = message(address, body, recipient)
    try:
        server = _Connection(address, wire)
        try:
            return _converse(server, address, mail, recipient)
        finally:
            with suppress(OSError):  # A mail once accepted stays accepted, however the goodbye goes.
                server.quit()
            server.close()
    except smtplib.SMTPException as error:
        return from_error(error, wire) if wire.expired else refusal(error)


class _Connection(smtplib.SMTP):
    """An SMTP connection on the wire, with TLS from the first byte where the address asks for it."""

    def __init__(self, address: SmtpServer, wire: Wire) -> None:
        self._wire = wire
        self._implicit = address.tls is Tls.IMPLICIT
        super().__init__(address.host, address.port, local_hostname=address.hello, timeout=wire.remaining())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 - smtplib's
        plain = self._wire.connect(host, port)  # Its timeout is the wire's.
        return self._wire.secure(plain, host) if self._implicit else plain

    def secure(self) -> None:
        self.starttls(context=self._wire.tls())


def _converse(server: _Connection, address: SmtpServer, mail: EmailMessage, recipient: str) -> Outcome:
    failure = _secure(server, address) or _authenticate(server, address)
    if failure:
        return failure
    server.send_message(mail, address.sender, [recipient])
    return Delivered(detail="accepted", reference=mail["Message-ID"])


def _secure(server: _Connection, address: SmtpServer) -> Failed | None:
    """STARTTLS where it is asked for; `None` when all is well. Never falls back to clear text."""
    server.ehlo_or_helo_if_needed()
    if address.tls is not Tls.STARTTLS:
        return None
    if not server.has_extn("starttls"):
        detail = "the server does not offer STARTTLS, so nothing was sent; settings.tls = none sends in clear"
        return Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail=detail)
    server.secure()
    server.ehlo_or_helo_if_needed()
    return None


def _authenticate(server: _Connection, address: SmtpServer) -> Failed | None:
    """Log in where the address names a user; `None` when all is well."""
    if not address.user:
        return None
    try:
        server.login(address.user, address.password)
    except (smtplib.SMTPResponseException, smtplib.SMTPServerDisconnected):
        raise
    except smtplib.SMTPException:
        detail = "the server offers no way to log in that we know; leave settings.user empty if it wants none"
        return Failed(reason=FailureReason.AUTH_ERROR, retryable=False, detail=detail)
    return None


def refusal(error: smtplib.SMTPException) -> Failed:
    """The failure an SMTP error stands for. A greeting is retried whatever its code: it speaks of the moment."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, said = next(iter(error.recipients.values()))
            return _reply(code, said)
        case smtplib.SMTPConnectError() | smtplib.SMTPHeloError():
            detail = _words(error.smtp_code, error.smtp_error)
            return Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail=detail)
        case smtplib.SMTPResponseException():
            return _reply(error.smtp_code, error.smtp_error)
        case smtplib.SMTPNotSupportedError():
            detail = "the server takes no addresses outside ASCII (SMTPUTF8)"
            return Failed(reason=FailureReason.REFUSED, retryable=False, detail=detail)
        case _:
            detail = "the server closed the connection"
            return Failed(reason=FailureReason.UNREACHABLE, retryable=True, detail=detail)


def _reply(code: int, said: bytes | str) -> Failed:
    if code in (530, 534, 535, 538):
        return Failed(reason=FailureReason.AUTH_ERROR, retryable=False, detail=_words(code, said))
    if 500 <= code < 600:
        return Failed(reason=FailureReason.REFUSED, retryable=False, detail=_words(code, said))
    return Failed(reason=FailureReason.SERVER_ERROR, retryable=True, detail=_words(code, said))


def _words(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"SMTP {code}: {text}"


def message(address: SmtpServer, body: bytes, recipient: str) -> EmailMessage:
    """The mail as it goes out. Its Message-ID is made from content and recipient, so a repeated attempt repeats it and
    mailboxes that drop duplicates drop this one."""
    kept: dict[str, Any] = json.loads(body)
    digest = hashlib.sha256(body + b"\0" + recipient.encode()).hexdigest()[:40]
    domain = address.sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = kept["subject"]
    mail["From"] = formataddr(("Tocsin", address.sender))
    mail["To"] = recipient
    mail["Date"] = localtime()
    mail["Message-ID"] = f"<{digest}@{domain if domain.isascii() else 'tocsin'}>"
    mail["Auto-Submitted"] = "auto-generated"
    for name, value in kept["headers"].items():
        mail[name] = value
    mail.set_content(kept["text"], cte="quoted-printable")
    if kept["html"]:
        mail.add_alternative(kept["html"], subtype="html", cte="quoted-printable")
    return mail
