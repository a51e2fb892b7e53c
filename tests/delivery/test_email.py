"""Mail over a real SMTP server: TLS, authentication, refusals."""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.messages import plain, render
from engine.core.messages_email import html, text, thread_root
from engine.core.outcome import Delivered, Failed, FailureReason, Outcome
from engine.delivery.addresses import Address
from engine.delivery.deliver import deliver
from engine.delivery.email import refusal
from rules.channels import ChannelKind
from tests.core.telling import alert, facts
from tests.delivery.certificates import self_signed, server_context
from tests.delivery.mail_server import PASSWORD, USER, Inbox, mail_server
from tests.delivery.posting import SOON, at, send

EMAIL = ChannelKind.EMAIL
OPS = "ops@example.org"
IN_CLEAR = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


def clear(inbox: Inbox, **settings: str) -> Address:
    """A channel on the inbox's server, without TLS unless the settings say otherwise."""
    return at(EMAIL, f"127.0.0.1:{inbox.port}", {"to": OPS, "from": "tocsin@example.org", "tls": "none", **settings})


def test_a_mail_arrives_with_all_its_headers() -> None:
    with mail_server(Inbox()) as inbox:
        outcome = send(clear(inbox), EMAIL, recipient=OPS)
    (mail,) = inbox.mails
    assert outcome == Delivered(detail="accepted", reference=mail["Message-ID"])
    assert inbox.envelopes == [("tocsin@example.org", [OPS])]
    assert mail["Subject"] == "[FIRING:1] HighErrorRate (web-1 critical)"
    assert (mail["From"], mail["To"]) == ("Tocsin <tocsin@example.org>", OPS)
    assert mail["References"].strip() == mail["In-Reply-To"].strip() == thread_root(facts().dedup_key)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.tzinfo is not None


def test_a_mail_says_the_same_in_text_and_html() -> None:
    with mail_server(Inbox()) as inbox:
        send(clear(inbox), EMAIL, recipient=OPS)
    (mail,) = inbox.mails
    assert mail.get_content_type() == "multipart/alternative"
    bare, rich = mail.iter_parts()
    assert bare.get_content().splitlines() == text(facts()).splitlines()
    assert rich.get_content().splitlines() == html(facts()).splitlines()


def test_a_text_outside_ascii_arrives_whole() -> None:
    told = facts(alert(annotations={"summary": "Ошибки 🔥 " + "ü" * 1500}))
    with mail_server(Inbox()) as inbox:
        deliver(clear(inbox), render(EMAIL, told, {}), OPS, SOON)
    (mail,) = inbox.mails
    assert "Ошибки 🔥 üüü" in next(iter(mail.iter_parts())).get_content()


def test_a_mail_has_one_message_id_and_keeps_it_when_sent_again() -> None:
    with mail_server(Inbox()) as inbox:
        for recipient in (OPS, OPS, "sre@example.org"):
            send(clear(inbox), EMAIL, recipient=recipient)
    ids = [mail.get_all("Message-ID") for mail in inbox.mails]
    assert [len(each or ()) for each in ids] == [1, 1, 1]
    assert ids[0] == ids[1] != ids[2]
    assert str(inbox.mails[0]["Message-ID"]).endswith("@example.org>")


def test_one_delivery_tells_one_recipient() -> None:
    with mail_server(Inbox()) as inbox:
        send(clear(inbox, to="a@example.org, b@example.org"), EMAIL, recipient="b@example.org")
    assert inbox.envelopes == [("tocsin@example.org", ["b@example.org"])]


def test_a_plain_message_is_a_mail_of_text_only() -> None:
    with mail_server(Inbox()) as inbox:
        deliver(clear(inbox), plain(EMAIL, facts(), "boom"), OPS, SOON)
    assert inbox.mails[0].get_content_type() == "text/plain"


def test_starttls_and_a_login_are_the_default(trusted: Path) -> None:
    with mail_server(Inbox(), starttls=server_context(trusted), login=True) as inbox:
        where = clear(inbox, tls="starttls", ca_file=str(trusted), user=USER, password=PASSWORD)
        assert isinstance(send(where, EMAIL, recipient=OPS), Delivered)
    assert (inbox.tls, inbox.users) == ([True], [USER])


def test_tls_from_the_first_byte(trusted: Path) -> None:
    with mail_server(Inbox(), implicit=server_context(trusted)) as inbox:
        where = clear(inbox, tls="implicit", ca_file=str(trusted))
        assert isinstance(send(where, EMAIL, recipient=OPS), Delivered)
    assert inbox.tls == [True]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_nobody_vouches_for_is_refused(trusted: Path, tls: str) -> None:
    context = server_context(trusted)
    starttls, implicit = (context, None) if tls == "starttls" else (None, context)
    with mail_server(Inbox(), starttls=starttls, implicit=implicit) as inbox:
        outcome = send(clear(inbox, tls=tls), EMAIL, recipient=OPS)
    assert outcome == Failed(
        reason=FailureReason.UNREACHABLE,
        retryable=True,
        detail="TLS: the certificate is not trusted: self-signed certificate",
    )
    assert inbox.mails == []


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    other = self_signed(tmp_path, "mail.example.org")
    with mail_server(Inbox(), starttls=server_context(other)) as inbox:
        outcome = send(clear(inbox, tls="starttls", ca_file=str(other)), EMAIL, recipient=OPS)
    assert isinstance(outcome, Failed)
    assert "certificate is not valid" in outcome.detail


@IN_CLEAR
def test_without_starttls_nothing_is_sent_in_clear(trusted: Path) -> None:
    with mail_server(Inbox(), login=True) as inbox:
        where = clear(inbox, tls="starttls", ca_file=str(trusted), user=USER, password=PASSWORD)
        outcome = send(where, EMAIL, recipient=OPS)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.UNREACHABLE, True)
    assert "does not offer STARTTLS" in outcome.detail
    assert (inbox.mails, inbox.users) == ([], [])


def test_a_wrong_password_is_an_authentication_error_told_at_once(trusted: Path) -> None:
    with mail_server(Inbox(), starttls=server_context(trusted), login=True) as inbox:
        where = clear(inbox, tls="starttls", ca_file=str(trusted), user=USER, password="wrong-canary")
        started = time.monotonic()
        outcome = send(where, EMAIL, recipient=OPS)
    assert time.monotonic() - started < 10
    assert outcome == Failed(
        reason=FailureReason.AUTH_ERROR,
        retryable=False,
        detail="SMTP 535: 5.7.8 Authentication credentials invalid",
    )


def test_a_login_nobody_asked_for_is_an_authentication_error() -> None:
    with mail_server(Inbox()) as inbox:
        outcome = send(clear(inbox, user=USER, password=PASSWORD), EMAIL, recipient=OPS)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.retryable) == (FailureReason.AUTH_ERROR, False)
    assert "leave settings.user empty" in outcome.detail


@IN_CLEAR
def test_a_login_not_given_is_an_authentication_error() -> None:
    with mail_server(Inbox(), login=True) as inbox:
        outcome = send(clear(inbox), EMAIL, recipient=OPS)
    assert outcome == Failed(
        reason=FailureReason.AUTH_ERROR, retryable=False, detail="SMTP 530: 5.7.0 Authentication required"
    )


@pytest.mark.parametrize(
    ("reply", "reason", "retryable"),
    [
        pytest.param("550 5.1.1 no such user", FailureReason.REFUSED, False, id="unknown-for-ever"),
        pytest.param("451 4.7.1 greylisted, come back", FailureReason.SERVER_ERROR, True, id="greylisted"),
        pytest.param("452 4.2.2 mailbox full", FailureReason.SERVER_ERROR, True, id="full"),
    ],
)
def test_a_refused_recipient_is_judged_by_its_code(reply: str, reason: FailureReason, retryable: bool) -> None:
    with mail_server(Inbox(recipients={OPS: reply})) as inbox:
        outcome = send(clear(inbox), EMAIL, recipient=OPS)
        assert isinstance(send(clear(inbox), EMAIL, recipient="sre@example.org"), Delivered)
    code, _, said = reply.partition(" ")
    assert outcome == Failed(reason=reason, retryable=retryable, detail=f"SMTP {code}: {said}")


@pytest.mark.parametrize(
    ("reply", "reason", "retryable"),
    [
        pytest.param("554 5.7.1 looks like spam", FailureReason.REFUSED, False, id="spam"),
        pytest.param("451 4.3.0 try later", FailureReason.SERVER_ERROR, True, id="later"),
    ],
)
def test_a_refused_message_is_judged_by_its_code(reply: str, reason: FailureReason, retryable: bool) -> None:
    with mail_server(Inbox(data=reply)) as inbox:
        outcome = send(clear(inbox), EMAIL, recipient=OPS)
    code, _, said = reply.partition(" ")
    assert outcome == Failed(reason=reason, retryable=retryable, detail=f"SMTP {code}: {said}")


def test_a_recipient_the_server_repeats_is_blotted_out() -> None:
    with mail_server(Inbox(recipients={OPS: f"550 <{OPS}> is unknown here"})) as inbox:
        outcome = send(clear(inbox), EMAIL, recipient=OPS)
    assert isinstance(outcome, Failed)
    assert outcome.detail == "SMTP 550: <***> is unknown here"


def one_conversation(talk: Callable[[socket.socket], None], deadline: timedelta = SOON) -> Outcome:
    """What comes of a delivery to a server that talks like this, once."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"127.0.0.1:{listener.getsockname()[1]}"
        outcome = send(at(EMAIL, url, {"to": OPS, "tls": "none"}), EMAIL, recipient=OPS, deadline=deadline)
        thread.join()
    return outcome


@pytest.mark.parametrize(
    ("greeting", "reason", "detail"),
    [
        pytest.param(b"554 go away\r\n", FailureReason.SERVER_ERROR, "SMTP 554: go away", id="a-refusing-greeting"),
        pytest.param(b"421 busy\r\n", FailureReason.SERVER_ERROR, "SMTP 421: busy", id="a-busy-greeting"),
        pytest.param(b"", FailureReason.UNREACHABLE, "the server closed the connection", id="a-closed-door"),
    ],
)
def test_a_server_that_will_not_talk_is_tried_again(greeting: bytes, reason: FailureReason, detail: str) -> None:
    outcome = one_conversation(lambda connection: connection.sendall(greeting))
    assert outcome == Failed(reason=reason, retryable=True, detail=detail)


def test_a_greeting_that_drips_holds_nobody() -> None:
    def drip(connection: socket.socket) -> None:
        try:
            for _ in range(100):
                connection.sendall(b"2")
                if done.wait(0.05):
                    return
        except OSError:
            return

    done = threading.Event()
    started = time.monotonic()
    outcome = one_conversation(drip, timedelta(seconds=0.3))
    assert time.monotonic() - started < 10
    assert isinstance(outcome, Failed)
    assert outcome.reason is FailureReason.DEADLINE_EXCEEDED


def test_a_mail_accepted_stays_delivered_when_the_goodbye_fails() -> None:
    replies = iter([b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"])

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hi\r\n")
        for reply in replies:
            connection.recv(65536)
            connection.sendall(reply)
        received = b""
        while not received.endswith(b"\r\n.\r\n"):
            received += connection.recv(65536)
        connection.sendall(b"250 taken\r\n")

    assert isinstance(one_conversation(talk), Delivered)


@pytest.mark.parametrize(
    ("error", "reason", "retryable"),
    [
        pytest.param(smtplib.SMTPSenderRefused(553, b"not yours", "a@b"), FailureReason.REFUSED, False, id="sender"),
        pytest.param(
            smtplib.SMTPAuthenticationError(454, b"later"), FailureReason.SERVER_ERROR, True, id="login-later"
        ),
        pytest.param(smtplib.SMTPAuthenticationError(534, b"weak"), FailureReason.AUTH_ERROR, False, id="mechanism"),
        pytest.param(smtplib.SMTPHeloError(500, "who?"), FailureReason.SERVER_ERROR, True, id="hello"),
        pytest.param(smtplib.SMTPResponseException(-1, "junk"), FailureReason.SERVER_ERROR, True, id="no-smtp"),
        pytest.param(smtplib.SMTPNotSupportedError("utf8"), FailureReason.REFUSED, False, id="no-smtputf8"),
        pytest.param(smtplib.SMTPServerDisconnected("gone"), FailureReason.UNREACHABLE, True, id="gone"),
    ],
)
def test_every_error_of_smtp_has_a_verdict(
    error: smtplib.SMTPException, reason: FailureReason, retryable: bool
) -> None:
    failure = refusal(error)
    assert (failure.reason, failure.retryable) == (reason, retryable)
