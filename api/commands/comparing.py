"""`tocsin compare`: beside a running Alertmanager, what the two tell and see differently, and which difference explains it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.commands import failures, options, output, words
from api.commands.failures import CommandError, UsageError
from api.commands.nouns import Fields, Fit, column

if TYPE_CHECKING:
    from engine.comparing import Compared
    from engine.core.comparing import Difference, Heard
    from engine.core.comparing_states import Stands
    from engine.settings import Settings
    from engine.store.database import Database

Opened = Callable[[], AbstractContextManager["Database"]]
LARGEST: Final = 64 << 20
"""Bytes of one webhook body."""
_GROUPS: Final = "/api/v2/alerts/groups"
_MESSAGES: Final = (
    column("AT", "at", Fit.WHOLE),
    column("RECEIVER", "receiver"),
    column("GROUP", "group"),
    column("TOCSIN", "tocsin"),
    column("ALERTMANAGER", "alertmanager"),
    column("BECAUSE", "because"),
)
_STATES: Final = (
    column("RECEIVER", "receiver"),
    column("GROUP", "group"),
    column("ALERT", "alert"),
    column("TOCSIN", "tocsin"),
    column("ALERTMANAGER", "alertmanager"),
)
_Log = Annotated[
    Path | None,
    typer.Argument(
        metavar="[LOG]", help="Webhook bodies of Alertmanager, one a line, as --listen writes them.", show_default=False
    ),
]
_Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST:PORT", help="Take webhooks there and append them to LOG, until Ctrl-C."),
]
_Alertmanager = Annotated[
    str | None,
    typer.Option("--alertmanager", metavar="URL", help="Compare what it and Tocsin see now, alert by alert."),
]
_Since = Annotated[
    str | None, typer.Option("--since", metavar="SPAN", help="Only the last so long, as in 24h; all of LOG by default.")
]
_Within = Annotated[str, typer.Option("--within", metavar="SPAN", help="How far apart the same message may come.")]


def add(app: typer.Typer, opened: Opened, settings: Callable[[], Settings]) -> None:
    """Add the command; it reads the database that `opened` opens."""

    @app.command(
        epilog="Exit codes: 0 nothing differs without an explanation; 1 something does; 2 told something wrong."
    )
    def compare(
        log: _Log = None,
        *,
        listen: _Listen = None,
        alertmanager: _Alertmanager = None,
        since: _Since = None,
        within: _Within = "6m",
        output_format: options.Output = output.Format.TABLE,
        url: options.Url = None,
    ) -> None:
        """What Tocsin and an Alertmanager beside it tell differently, each with the difference that explains it."""
        with failures.told():
            if alertmanager is not None:
                found = _states(alertmanager, url, output_format)
            elif log is None:
                raise UsageError("name the LOG of webhooks to compare with, or --alertmanager URL")
            elif listen is not None:
                _listen(listen, log)
                found = 0
            else:
                found = _messages(opened, settings, log, (since, within), output_format)
        raise typer.Exit(found)


def _messages(
    opened: Opened, settings: Callable[[], Settings], log: Path, spans: tuple[str | None, str], shown: output.Format
) -> int:
    from engine.clock import SystemClock
    from engine.comparing import compare

    since, within = (None if text is None else _span(text) for text in spans)
    assert within is not None
    theirs = _told_by_the_other(log)
    begin = None if since is None else SystemClock().now() - since
    with opened() as database:
        found = compare(database, theirs, within, since=begin, external=settings().external_labels)
    rows = [_row(one) for one in found.comparison.differences]
    output.show_list(rows, _MESSAGES, shown, nothing="nothing differs")
    _sum_up(found)
    return 1 if found.comparison.unexplained else 0


def _told_by_the_other(log: Path) -> list[Heard]:
    from engine.comparing import LogError, heard

    try:
        with log.open(encoding="utf-8") as lines:
            return heard(lines)
    except OSError as error:
        raise UsageError(f"{log}: {(error.strerror or str(error)).lower()}") from error
    except (LogError, UnicodeDecodeError) as error:
        raise UsageError(f"{log}: {error}") from error


def _sum_up(found: Compared) -> None:
    comparison = found.comparison
    unexplained = len(comparison.unexplained)
    if found.left_out:
        output.note(f"not compared, because the log never names them: {', '.join(found.left_out)}")
    if found.until <= found.since:
        output.note("the log is too young: what comes within --within of its ends is not judged")
    output.note(
        f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC: {comparison.same} messages are the same, "
        f"{comparison.portioned} tell the same in other portions, {len(comparison.differences)} differ, "
        f"{unexplained} of them unexplained"
    )


def _row(one: Difference) -> Fields:
    known = one.ours or one.theirs
    assert known is not None
    return {
        "at": words.plain(known.at.isoformat(timespec="seconds")),
        "receiver": known.receiver,
        "group": words.labels(dict(known.group)),
        "tocsin": _said(one.ours),
        "alertmanager": _said(one.theirs),
        "because": "unexplained" if one.why is None else f"{one.why} (docs/differences.md)",
    }


def _said(one: Heard | None) -> str:
    if one is None:
        return "nothing"
    some = (("firing", one.firing), ("resolved", one.resolved))
    told = "; ".join(f"{word} {_named(alerts)}" for word, alerts in some if alerts)
    return f"{told} ({one.reason})" if one.reason else told


def _named(alerts: frozenset[Any]) -> str:
    texts = sorted(words.labels(dict(labels)) for labels in alerts)
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return ", ".join(texts[:3]) + more


def _span(text: str) -> timedelta:
    from rules import durations
    from rules.errors import DurationError

    try:
        return durations.parse(text)
    except DurationError as error:
        raise UsageError(f"{text}: {error.message}") from error


def _listen(address: str, log: Path) -> None:
    """Append what comes in to the log, until somebody ends it."""
    from engine.clock import SystemClock

    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--listen {address}: give HOST:PORT, such as 127.0.0.1:9095")
    try:
        with (
            log.open("a", encoding="utf-8") as file,
            ThreadingHTTPServer((host.strip("[]"), int(port)), _receiver(file, SystemClock().now)) as server,
        ):
            # A supervisor ends it as Ctrl-C does.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            output.note(f"taking webhooks at http://{address}/ into {log}")
            server.serve_forever()
    except KeyboardInterrupt:
        return
    except (OSError, OverflowError) as error:
        raise CommandError(f"--listen {address}: {error}") from error


def _receiver(file: Any, now: Callable[[], datetime]) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        """Writes each body down, with the time it came."""

        def do_POST(self) -> None:
            content = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), LARGEST))
            try:
                line = json.dumps({"at": now().isoformat(), "body": json.loads(content)})
            except ValueError:
                self.send_error(400, "no JSON")
                return
            file.write(line + "\n")
            file.flush()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: the log is the file."""

    return Receiver


def _states(alertmanager: str, url: str | None, shown: output.Format) -> int:
    from api.commands.connection import connect, stranger
    from engine.core.comparing_states import compare

    theirs = _stands(stranger(alertmanager).call("GET", _GROUPS, root="").body)
    ours = _stands(connect(url).call("GET", _GROUPS, root="/alertmanager").body)
    alike, different = compare(ours, theirs)
    rows = [
        {
            "receiver": known.receiver,
            "group": words.labels(dict(known.group)),
            "alert": words.labels(dict(known.alert)),
            "tocsin": one.ours.state if one.ours else "is not there",
            "alertmanager": one.theirs.state if one.theirs else "is not there",
        }
        for one in different
        if (known := one.ours or one.theirs)
    ]
    output.show_list(rows, _STATES, shown, nothing="nothing differs")
    output.note(f"{alike} alerts stand alike, {len(different)} differ")
    return 1 if different else 0


def _stands(groups: Any) -> Iterator[Stands]:
    from engine.core.comparing_states import Stands
    from rules.labels import Labels

    kinds: Mapping[str, str] = {"silencedBy": "silence", "inhibitedBy": "inhibition", "mutedBy": "time interval"}
    try:
        for group in groups:
            for alert in group["alerts"]:
                yield Stands(
                    receiver=group["receiver"]["name"],
                    group=Labels(group["labels"]),
                    alert=Labels(alert["labels"]),
                    muted_by=frozenset(kind for name, kind in kinds.items() if alert["status"].get(name)),
                )
    except (TypeError, KeyError, AttributeError) as error:
        raise CommandError("it does not answer as an Alertmanager does; is the URL that of one?") from error
