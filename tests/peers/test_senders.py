"""A real Prometheus and a real vmalert tell Tocsin of their alerts, as they would an Alertmanager, through our power cut."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from tests.peers.engine_process import EngineProcess
from tests.peers.processes import await_start, end, free_port, wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer
from tests.peers.require import find_binary, require_peer
from tests.peers.surroundings import connection
from tests.servers import Request, Response, ScriptedServer

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("vmalert"), pytest.mark.timeout(240)]

KEY: Final = "0123456789abcdef0123456789abcdef"
SOON: Final = timedelta(seconds=60)
RULES: Final = """\
groups:
- name: g
  interval: 1s
  rules:
  - alert: {name}
    expr: error_rate > 10
    labels: {{severity: page}}
    annotations: {{summary: "{{{{ $labels.service }}}} fails"}}
"""
SQL: Final = """\
INSERT INTO channels (name, kind, url) VALUES ('hook', 'webhook', '{hook}');
UPDATE routes SET channels = '["hook"]', group_wait_seconds = 1, group_interval_seconds = 2 WHERE id = 'root'"""


@contextmanager
def vmalert(arguments: Sequence[str], folder: Path) -> Iterator[None]:
    """A real vmalert for the length of a `with` block."""
    require_peer("vmalert")
    log = folder / "vmalert.log"
    port = free_port()
    with log.open("ab") as output:
        program = [str(find_binary("vmalert")), f"-httpListenAddr=127.0.0.1:{port}", *arguments]
        process = subprocess.Popen(program, stdout=output, stderr=output, cwd=folder)
    try:
        await_start(
            process, lambda: "started" in log.read_text() or "starting" in log.read_text(), log=log, within=SOON
        )
        yield
    finally:
        end(process)


def firing(engine: EngineProcess) -> dict[str, dict[str, Any]]:
    """What fires, by name, as amtool would be told."""
    status, found = engine.get("/alertmanager/api/v2/alerts")
    assert status == 200, found
    return {one["labels"]["alertname"]: one for one in found}


def noted(engine: EngineProcess) -> int:
    """How many messages are known to have arrived."""
    status, page = engine.get("/api/v1/notifications?outcome=sent")
    assert status == 200, page
    return len(page["items"])


def test_alerts_of_prometheus_and_vmalert_fire_survive_our_power_cut_and_resolve(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []

    def hook(request: Request) -> Response:
        content = json.loads(request.body)
        told.append((content["status"], content["groupLabels"]["alertname"]))
        return Response()

    for name in ("FromPrometheus", "FromVmalert"):
        (tmp_path / f"{name}.yml").write_text(RULES.format(name=name))
    url = f"sqlite:///{tmp_path}/tocsin.db"
    exporter = Exporter('error_rate{service="checkout"} 27')
    engine = EngineProcess({"TOCSIN_DATABASE_URL": url, "TOCSIN_API_KEYS": KEY}, folder=tmp_path)
    with exporter, ScriptedServer(hook) as service, engine:
        with closing(connection(url)) as database:
            for statement in SQL.format(hook=service.url).split(";\n"):
                database.execute(statement)
        prometheus = PrometheusServer(
            targets=[exporter.target],
            rule_files=[tmp_path / "FromPrometheus.yml"],
            alertmanagers=[urlsplit(engine.url).netloc],
            alertmanager_path="/alertmanager",
            alertmanager_key=KEY,
            flags=["--rules.alert.resend-delay=5s"],
        )
        with prometheus:
            sender = vmalert(
                [
                    f"-rule={tmp_path}/FromVmalert.yml",
                    f"-datasource.url={prometheus.url}",
                    f"-notifier.url={engine.url}/alertmanager",
                    f"-notifier.bearerToken={KEY}",
                    "-evaluationInterval=1s",
                ],
                tmp_path,
            )
            with sender:
                both = {"FromPrometheus", "FromVmalert"}
                wait_until(lambda: firing(engine).keys() == both, what="both alerts to fire", within=SOON)
                wait_until(lambda: len(told) == 2, what="both to be told", within=SOON)
                wait_until(lambda: noted(engine) == 2, what="that to be noted, or it may be told again", within=SOON)
                before = firing(engine)
                assert before["FromPrometheus"]["annotations"] == {"summary": "checkout fails"}
                assert "/graph?g0.expr=error_rate" in before["FromPrometheus"]["generatorURL"]
                engine.kill()
                engine.start()
                after = firing(engine)
                assert {name: one["startsAt"] for name, one in after.items()} == {
                    name: one["startsAt"] for name, one in before.items()
                }
                posted = {name: one["updatedAt"] for name, one in after.items()}
                wait_until(
                    lambda: all(firing(engine)[name]["updatedAt"] > posted[name] for name in both),
                    what="both to be posted again",
                    within=SOON,
                )
                assert sorted(told) == [("firing", "FromPrometheus"), ("firing", "FromVmalert")]
                exporter.set('error_rate{service="checkout"} 1')
                wait_until(lambda: firing(engine) == {}, what="both alerts to resolve", within=SOON)
                wait_until(lambda: len(told) == 4, what="both ends to be told", within=SOON)
    assert sorted(told[2:]) == [("resolved", "FromPrometheus"), ("resolved", "FromVmalert")]
