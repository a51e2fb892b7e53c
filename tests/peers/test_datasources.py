"""Datasources that are more than one address: a pair of Prometheus servers behind TLS, and a VictoriaMetrics.

One engine asks them all at once, so that the waiting is shared.
"""

from __future__ import annotations

import json
import re
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from engine.prometheus import Prometheus, QueryError, QueryErrorKind
from tests.delivery.certificates import Authority
from tests.peers.engine_process import EngineProcess
from tests.peers.processes import wait_until
from tests.peers.prometheus_server import Exporter, PrometheusServer
from tests.peers.surroundings import connection
from tests.peers.victoria_metrics_server import VictoriaMetricsServer

pytestmark = [pytest.mark.peer("prometheus"), pytest.mark.peer("victoria-metrics")]

SOON: Final = timedelta(seconds=40)
PASSWORD: Final = "s3cr3t"
HASHED: Final = "$2b$04$abcdefghijklmnopqrstuu35fBIWlNgF8BcAW/t2cO158N8svSFHy"


def basic() -> str:
    return "Basic dG9jc2luOnMzY3IzdA=="


@dataclass
class Sources:
    """The servers, what they scrape, and the engine that asks them."""

    exporter: Exporter
    pair: tuple[PrometheusServer, PrometheusServer]
    victoria: VictoriaMetricsServer
    engine: EngineProcess
    database: str

    def load(self, value: int) -> None:
        self.exporter.set(f'load{{host="a"}} {value}\nload_of_{value} 1')

    def firing(self, rule: str) -> bool:
        page = self.engine.get(f"/api/v1/alerts?rule_id={rule}&state=firing")[1]
        return bool(page["items"])

    def wait(self, rule: str, *, firing: bool) -> None:
        state = "fire" if firing else "end"
        wait_until(lambda: self.firing(rule) is firing, what=f"the alert of {rule} to {state}", within=SOON)

    def status(self, name: str) -> Any:
        return self.engine.get(f"/api/v1/datasources/{name}")[1]["status"]

    def states(self) -> list[str]:
        return [server["state"] for server in self.status("pair")["servers"]]

    def wait_for_states(self, *states: str) -> None:
        wait_until(lambda: self.states() == list(states), what=f"the pair to be {states}", within=SOON)

    def health(self, rule: str) -> Any:
        return self.engine.get(f"/api/v1/rules/{rule}")[1]["status"]


def web(folder: Path, authority: Authority) -> Path:
    """What a Prometheus demands of whoever asks it: our authority's certificate, and a password."""
    server = authority.issue("127.0.0.1")
    tls = {
        "cert_file": str(server.certificate_file),
        "key_file": str(server.key_file),
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": str(authority.file),
    }
    path = folder / "web.yml"
    path.write_text(json.dumps({"tls_server_config": tls, "basic_auth_users": {"tocsin": HASHED}}))
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    folder = tmp_path_factory.mktemp("sources")
    authority = Authority(folder)
    client = authority.issue("tocsin")
    trust = ssl.create_default_context(cadata=authority.pem)
    trust.load_cert_chain(client.certificate_file, client.key_file)
    database = f"sqlite:///{folder}/tocsin.db"
    with ExitStack() as open_:
        exporter = open_.enter_context(Exporter('load{host="a"} 1'))
        secured = web(folder, authority)
        one, other = (
            open_.enter_context(
                PrometheusServer(targets=[exporter.target], web=secured, trust=trust, authorization=basic())
            )
            for _ in range(2)
        )
        victoria = open_.enter_context(VictoriaMetricsServer(targets=[exporter.target]))
        environment = {
            "TOCSIN_DATABASE_URL": database,
            "TOCSIN_PROMETHEUS_URL": one.url,
            "TOCSIN_EVALUATION_INTERVAL": "1s",
            "TOCSIN_QUERY_TIMEOUT": "2s",
            "TOCSIN_REFERENCES": f"file:{folder}/*",
        }
        engine = open_.enter_context(EngineProcess(environment, folder=folder))
        for server in (one, other, victoria):
            server.wait_for("load")
        tls = {
            "ca_file": str(authority.file),
            "cert_file": str(client.certificate_file),
            "key_file": str(client.key_file),
        }
        auth = {"username": "tocsin", "password": PASSWORD}
        rows = [
            ("pair", "prometheus", [one.url, other.url], auth, tls),
            ("naked", "prometheus", [one.url], auth, {"ca_file": str(authority.file)}),
            ("stranger", "prometheus", [one.url], {**auth, "password": "other"}, tls),
            ("victoria", "victoriametrics", [victoria.url], {}, {}),
        ]
        with closing(connection(database)) as opened:
            for name, kind, urls, *rest in rows:
                opened.execute(
                    "INSERT INTO datasources (name, kind, urls, auth, tls) VALUES (?, ?, ?, ?, ?)",
                    (name, kind, json.dumps(urls), *(json.dumps(value) for value in rest)),
                )
                opened.execute(
                    "INSERT INTO alert_rules (id, name, metric_name, condition, threshold, datasource) "
                    "VALUES (?, ?, 'load', '>', 10, ?)",
                    (name, f"Load of {name}", name),
                )
        yield Sources(exporter, (one, other), victoria, engine, database)


def test_rules_fire_and_resolve_on_a_pair_behind_tls_and_on_victoria_metrics(sources: Sources) -> None:
    sources.load(50)
    sources.wait("pair", firing=True)
    # VictoriaMetrics shows a sample 30 s after it came, unless it is asked for what it knows now.
    sources.wait("victoria", firing=True)
    with closing(Prometheus(sources.victoria.url)) as plain:
        assert plain.query("load_of_50", datetime.now(UTC)).samples == ()
    sources.load(1)
    sources.wait("pair", firing=False)
    sources.wait("victoria", firing=False)
    assert sources.states() == ["up", "up"]


def test_who_shows_no_certificate_or_another_password_is_told_which_it_was(sources: Sources) -> None:
    wait_until(
        lambda: {sources.health(name)["health"] for name in ("naked", "stranger")} == {"err"},
        what="both to be refused",
        within=SOON,
    )
    assert "it may want a client certificate: see cert and key in tls" in sources.health("naked")["last_error"]
    assert "401" in sources.health("stranger")["last_error"]
    assert PASSWORD not in sources.engine.log


def test_when_a_server_hangs_or_dies_the_other_answers_and_no_query_waits(sources: Sources) -> None:
    one, other = sources.pair
    one.send(signal.SIGSTOP)
    sources.load(60)
    sources.wait("pair", firing=True)
    sources.wait_for_states("away", "up")
    sources.load(2)
    other.wait_for("load == 2")
    changed = time.monotonic()
    sources.wait("pair", firing=False)
    # Slots are a second apart; each query would take the whole 2 s of its deadline if the hung server were asked.
    assert time.monotonic() - changed < 10
    one.send(signal.SIGCONT)
    sources.wait_for_states("returning", "up")
    other.send(signal.SIGKILL)
    sources.load(70)
    sources.wait("pair", firing=True)
    status = sources.status("pair")
    assert (status["state"], sources.states()) == ("healthy", ["returning", "away"])
    # Killed while it answered, or before it was asked.
    assert re.search("Connection refused|closed connection", status["servers"][1]["last_error"])


def test_when_both_are_gone_alerts_stay_and_both_are_named(sources: Sources) -> None:
    one, other = sources.pair
    sources.load(80)
    sources.wait("pair", firing=True)
    one.send(signal.SIGKILL)
    wait_until(lambda: sources.health("pair")["health"] == "err", what="the rule to fail", within=SOON)
    error = sources.health("pair")["last_error"]
    assert f"{one.url}: [Errno 111] Connection refused; {other.url}: [Errno 111] Connection refused" == error
    assert sources.firing("pair")
    for server in (one, other):
        server.start()
    wait_until(lambda: sources.health("pair")["health"] == "ok", what="the rule to be well again", within=SOON)


def test_victoria_metrics_answers_as_a_rule_needs_it(sources: Sources) -> None:
    now = datetime.now(UTC)
    with closing(Prometheus(sources.victoria.url, params={"nocache": "1"})) as victoria:
        scalar = victoria.query("scalar(vector(3))", now)
        assert [(dict(sample.labels), sample.value) for sample in scalar.samples] == [({}, 3.0)]
        with pytest.raises(QueryError) as caught:
            victoria.query("load >", now)
        assert caught.value.kind is QueryErrorKind.EXECUTION
        assert "load >" in caught.value.message
        assert victoria.query("load > 1e9", now).samples == ()
