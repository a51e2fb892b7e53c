"""docs/from-alertmanager.md, run as it stands: its files, and its commands in their order, with the real programs.

Ports are others, and its seconds are shorter. In between, the test does what time would: it waits, makes an alert end, and plants
a difference for `tocsin compare` to find.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

from api.demo.stage import neutral
from tests.architecture.sources import ROOT
from tests.peers.processes import free_port, wait_until
from tests.peers.require import require_peer

pytestmark = [pytest.mark.peer("alertmanager"), pytest.mark.timeout(240)]

PAGE: Final = (ROOT / "docs/from-alertmanager.md").read_text(encoding="utf-8")
FILES: Final = re.findall(r"^```yaml file=(\S+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
BLOCKS: Final = re.findall(r"^```sh example\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
FASTER: Final = {
    "15s": "1s",
    "for: 30s": "for: 1s",
    "group_wait: 10s": "group_wait: 1s",
    "group_interval: 1m": "group_interval: 2s",
    "--within 6m": "--within 5s",
}
"""What the page says and what is run."""
SOON: Final = timedelta(seconds=60)
DONE: Final = "that was the block"
ENDED: Final = "that was the shell"


class PagerDuty(BaseHTTPRequestHandler):
    """Takes Events v2, and remembers who sent them."""

    heard: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.heard.append((self.headers["User-Agent"], body))
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b'{"status": "success"}')

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Shop(BaseHTTPRequestHandler):
    """A target that is up."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"sold_total 1\n")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@dataclass
class Reader:
    """Somebody who types the page into a shell."""

    folder: Path
    shell: subprocess.Popen[str]
    ports: dict[str, int] = field(default_factory=dict)
    fingerprint: str = ""
    blocks: Iterator[str] = field(default_factory=lambda: iter(BLOCKS))

    def adapted(self, text: str) -> str:
        for said, run in FASTER.items():
            text = text.replace(said, run)
        return re.sub(r"127\.0\.0\.1:(\d+)", lambda found: f"127.0.0.1:{self.port(found[1])}", text)

    def port(self, said: str) -> int:
        return self.ports.setdefault(said, free_port())

    def next(self, *wanted: str) -> str:
        """Type the next block, which has these words; what it wrote."""
        block = next(self.blocks)
        assert all(word in block for word in wanted), block
        return self.types(block)

    def types(self, block: str) -> str:
        """What the block wrote; every command in it ends well, or the shell ends here."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f"{self.adapted(block)}\necho {DONE}\n")
        self.shell.stdin.flush()
        told = ""
        for line in self.shell.stdout:
            if line.strip() == DONE:
                return told
            if line.strip() == ENDED:
                break
            told += line
        raise AssertionError(f"the shell ended in:\n{block}\n{told}\n{self.log()}")

    def log(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8")[-4000:]

    def asks(self, url: str) -> Any:
        with suppress(OSError, ValueError), urllib.request.urlopen(self.adapted(url), timeout=5) as answer:
            return json.loads(answer.read())
        return None


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    require_peer("prometheus", "prometheus-alertmanager", "amtool", "promtool")
    environment = {
        **neutral(os.environ),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    with (tmp_path / "stderr").open("w", encoding="utf-8") as errors:
        shell = subprocess.Popen(
            ["bash", "-e"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=tmp_path,
            env=environment,
            start_new_session=True,
        )
        found = Reader(tmp_path, shell)
        found.types(f"trap 'echo {ENDED}' EXIT")
        for name, text in FILES:
            (tmp_path / name).write_text(found.adapted(text), encoding="utf-8")
        try:
            yield found
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
            assert shell.stdin is not None
            assert shell.stdout is not None
            with suppress(BrokenPipeError):
                shell.stdin.close()
            shell.stdout.close()


@pytest.fixture
def serving() -> Iterator[list[ThreadingHTTPServer]]:
    servers: list[ThreadingHTTPServer] = []
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def serve(servers: list[ThreadingHTTPServer], port: int, handler: type[BaseHTTPRequestHandler]) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    servers.append(server)
    Thread(target=server.serve_forever, daemon=True).start()


def told(reader: Reader, status: str) -> int:
    """How many messages of this status the pair's log has."""
    log = reader.folder / "told.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return sum(json.loads(line)["body"]["status"] == status for line in lines)


def decided(reader: Reader) -> list[str]:
    """The reasons of the messages Tocsin has decided, by its own API."""
    if not reader.fingerprint:
        alerts = reader.asks("http://127.0.0.1:9099/api/v1/alerts")
        if not alerts or not alerts["items"]:
            return []
        reader.fingerprint = alerts["items"][0]["fingerprint"]
    story = reader.asks(f"http://127.0.0.1:9099/api/v1/alerts/{reader.fingerprint}/explain")
    return [step["reason"] for step in story["steps"] if step["kind"] == "decision"]


def test_the_page_takes_its_reader_from_the_pair_to_the_shadow_and_to_tocsin_alone(
    reader: Reader, serving: list[ThreadingHTTPServer]
) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    serve(serving, reader.port("8081"), type("Heard", (PagerDuty,), {"heard": heard}))
    _the_pair_becomes_a_shadow(reader)
    _nothing_differs(reader)
    _a_planted_difference_is_named(reader, serving)
    _tocsin_alone(reader, heard, serving)
    back = reader.next("tocsin export alertmanager --secrets", "promtool check rules")
    assert "SUCCESS" in back
    assert next(reader.blocks, None) is None
    assert "0123456789abcdef0123456789abcdef" in (reader.folder / "back.yml").read_text(encoding="utf-8")


def _the_pair_becomes_a_shadow(reader: Reader) -> None:
    reader.next("prometheus --config.file", "prometheus-alertmanager --config.file")
    wait_until(lambda: bool(reader.asks("http://127.0.0.1:9093/api/v2/alerts")), what="the pair to fire", within=SOON)
    looked = reader.next("tocsin import alertmanager alertmanager.yml --dry-run")
    assert "a recording rule stays in Prometheus" in looked
    assert re.search(r'added +route +severity="critical" +receiver pager', looked)
    reader.next("TOCSIN_DELIVERY=record tocsin serve &")
    wait_until(lambda: bool(decided(reader)), what="Tocsin to decide", within=SOON)
    reader.types(
        "amtool --alertmanager.url=http://127.0.0.1:9093 silence add -a me -c planned -d 2h alertname=Elsewhere"
    )
    reader.next("tocsin compare told.jsonl --listen", "/-/reload")
    reader.next("silence import silences.json")
    there = reader.asks("http://127.0.0.1:9099/alertmanager/api/v2/silences")
    assert [one["comment"] for one in there] == ["planned"]


def _nothing_differs(reader: Reader) -> None:
    routed = reader.next("amtool config routes test", "tocsin routes test")
    assert routed.splitlines()[0] == "pager"
    assert re.search(r"^\w+ +pager +pager ", routed, re.MULTILINE)
    assert reader.next("tocsin compare --alertmanager") == ""
    assert "1 alerts stand alike, 0 differ" in reader.log()
    assert reader.next("tocsin compare told.jsonl") == ""
    assert "0 differ, 0 of them unexplained" in reader.log()


def _a_planted_difference_is_named(reader: Reader, serving: list[ThreadingHTTPServer]) -> None:
    """An alert that ends while it is silenced: its end is told by Tocsin alone."""
    for place in ("9093", "9099/alertmanager"):
        reader.types(
            f"amtool --alertmanager.url=http://127.0.0.1:{place} silence add -a me -c x -d 2h alertname=ShopDown"
        )
    wait_until(lambda: any("muted" in one for one in decided(reader)), what="Tocsin to be quiet", within=SOON)
    serve(serving, reader.port("8080"), Shop)
    wait_until(
        lambda: any("all alerts resolved" in one for one in decided(reader)),
        what="Tocsin to decide the end",
        within=SOON,
    )
    reader.types("sleep 6 # as long as --within")
    found = reader.types("tocsin compare told.jsonl --since 1h --within 5s")
    assert "An alert that was told and resolves while it is muted sends its resolve" in found, found
    assert told(reader, "resolved") == 0


def _tocsin_alone(reader: Reader, heard: list[tuple[str, dict[str, Any]]], serving: list[ThreadingHTTPServer]) -> None:
    for place in ("9093", "9099/alertmanager"):
        reader.types(
            f"amtool --alertmanager.url=http://127.0.0.1:{place} silence expire "
            f"$(amtool --alertmanager.url=http://127.0.0.1:{place} silence query -q alertname=ShopDown)"
        )
    assert not any("Tocsin" in agent for agent, _ in heard)
    reader.next("kill -HUP $prometheus")
    wait_until(
        lambda: reader.asks("http://127.0.0.1:9099/health/ready") is not None, what="Tocsin to serve", within=SOON
    )
    assert reader.asks("http://127.0.0.1:9093/api/v2/status") is None
    shop = serving.pop()
    shop.shutdown()
    shop.server_close()
    wait_until(
        lambda: any("Tocsin" in agent and body["event_action"] == "trigger" for agent, body in heard),
        what="Tocsin to page",
        within=SOON,
    )
    assert "delivered" in reader.next("tocsin channels test pager", "tocsin doctor")
