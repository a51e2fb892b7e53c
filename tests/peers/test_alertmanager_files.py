"""Configuration files held against amtool and the real Alertmanager: both take them or both refuse them, and both route alike."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from engine.alertmanager_file import Wish, bring_in
from engine.clock import SystemClock
from engine.delivery.references import Sources
from engine.store import schema
from engine.store.database import Database, connect
from engine.store.definitions import DefinitionFeed
from rules.formats.alertmanager_yaml import parse
from rules.labels import Labels
from rules.matchers import Matcher
from rules.routing import Tree
from tests.alertmanager_files.bad import FILES as BAD
from tests.api.stand_in import StandIn
from tests.peers.alertmanager_server import AlertmanagerServer
from tests.peers.processes import wait_until
from tests.peers.require import find_binary, require_peer

pytestmark = pytest.mark.peer("alertmanager")

FILES = sorted((Path(__file__).parents[1] / "alertmanager_files" / "good").glob("*.yml"))
SETS_FOR_AMTOOL = 4
SETS_FOR_ALERTMANAGER = 60


@dataclass(frozen=True)
class Imported:
    """A file as Tocsin has it: the tree in force, and its API."""

    tree: Tree
    api: TestClient

    def routed(self, labels: Mapping[str, str]) -> list[str]:
        """The receivers that `tocsin routes test` names."""
        answer = self.api.post("/api/v1/routes/test", json={"labels": dict(labels)})
        assert answer.status_code == 200, answer.text
        return [policy["receiver"] for policy in answer.json()["policies"]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with closing(connect(str(tmp_path_factory.mktemp("files") / "tocsin.db"), SystemClock())) as opened:
        schema.upgrade(opened.engine)
        yield opened


def imported(database: Database, file: Path) -> Imported:
    bring_in(database, file, Wish(origin="import:alertmanager:peer", author="test"), Sources({}))
    with database.read() as connection:
        tree = DefinitionFeed().refresh(connection).configuration.tree
    return Imported(tree, TestClient(create_app(StandIn(database=database))))


def label_sets(tree: Tree, count: int) -> list[dict[str, str]]:
    """Label sets made of what the file's matchers speak of, and of what they do not."""
    chance = random.Random(len(tree.routes))
    values: dict[str, set[str]] = {"alertname": {"A", "Watchdog", "B"}}
    for route in tree.routes:
        for matcher in route.matchers:
            values.setdefault(matcher.name, {"other"}).update(_samples(matcher))
    found = [dict[str, str]()]
    for route in chance.choices(tree.routes, k=count):
        # Along a route's own matchers, so that deep routes are reached.
        along = {one.name: chance.choice(sorted(_samples(one))) for one in route.matchers}
        above = next((one for one in tree.routes if one.id == route.parent_id), None)
        while above is not None:
            along = {one.name: chance.choice(sorted(_samples(one))) for one in above.matchers} | along
            above = next((one for one in tree.routes if one.id == above.parent_id), None)
        more = {name: chance.choice(sorted(some)) for name, some in values.items() if chance.random() < 0.3}
        found.append({name: value for name, value in (more | along).items() if value})
    return found


def _samples(matcher: Matcher) -> set[str]:
    if "~" not in str(matcher.operator):
        return {matcher.value}
    parts = re.sub(r"\(\?i\)|[()^$]|\\d\{2\}", "", matcher.value).replace("\\", "").split("|")
    return {re.sub(r"[.+*?]+$", "", part) + tail for part in parts for tail in ("", "x", "23")}


def test_amtool_takes_the_good_files_and_refuses_the_bad_ones(tmp_path: Path) -> None:
    require_peer("amtool")
    files = {one.name: tmp_path / f"{place}.yml" for place, one in enumerate(BAD) if not one.since}
    for one in BAD:
        if not one.since:
            files[one.name].write_text(one.text, encoding="utf-8")
    done = subprocess.run(
        [str(find_binary("amtool")), "check-config", *map(str, (*FILES, *files.values()))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    verdicts = dict(re.findall(r"Checking '([^']+)'  (SUCCESS|FAILED)", done.stdout))
    assert {str(file): verdicts.get(str(file)) for file in FILES} == {str(file): "SUCCESS" for file in FILES}
    assert {name: verdicts.get(str(file)) for name, file in files.items()} == dict.fromkeys(files, "FAILED")
    assert len(files) > 80


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_amtool_and_tocsin_choose_the_same_receivers(database: Database, file: Path) -> None:
    require_peer("amtool")
    tocsin = imported(database, file)
    sets = label_sets(tocsin.tree, SETS_FOR_AMTOOL)

    def asked(labels: Mapping[str, str]) -> list[str]:
        words = [f"{name}={_quoted(value)}" for name, value in labels.items()]
        done = subprocess.run(
            [str(find_binary("amtool")), "config", "routes", "test", f"--config.file={file}", *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip().split(",")

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(asked, sets))
    assert [tocsin.routed(labels) for labels in sets] == told


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def test_the_real_alertmanager_groups_as_tocsin_does(database: Database) -> None:
    with AlertmanagerServer(FILES[0].read_text(encoding="utf-8")) as alertmanager:
        for file in FILES:
            tree = imported(database, file).tree
            sets = label_sets(tree, SETS_FOR_ALERTMANAGER)
            labelled = [Labels({**labels, "file": file.stem, "number": str(n)}) for n, labels in enumerate(sets)]
            wanted = {
                (policy.receiver, _grouped(policy.group_labels(labels), tree, policy.receiver), labels["number"])
                for labels in labelled
                for policy in tree.match(labels)
            }
            alertmanager.reload(file.read_text(encoding="utf-8"))
            alertmanager.post([{"labels": dict(labels)} for labels in labelled])
            wait_until(
                lambda: _placed(alertmanager, file.stem, tree) == wanted,  # noqa: B023 - asked before the next file
                what=f"the groups of {file.name}",
                within=timedelta(seconds=20),
            )


def _placed(alertmanager: AlertmanagerServer, file: str, tree: Tree) -> set[tuple[str, Labels, str]]:
    """Which alert is in which group of which receiver."""
    return {
        (receiver, _grouped(Labels(group["labels"]), tree, receiver), alert["labels"]["number"])
        for group in alertmanager.groups()
        for receiver in [group["receiver"]["name"]]
        for alert in group["alerts"]
        if alert["labels"].get("file") == file
    }


def _grouped(labels: Labels, tree: Tree, receiver: str) -> Labels:
    """The group's labels, but for receivers of routes with `group_by: []` below others: 0.25 takes that for none given."""
    apart = tree.root.policy.group_by and any(
        policy.receiver == receiver and not policy.group_by for policy in tree.policies.values()
    )
    return Labels() if apart else labels


def test_files_of_newer_versions_are_refused_by_old_ones_and_read_here() -> None:
    newer = sorted((FILES[0].parents[1] / "newer").glob("*.yml"))
    assert newer
    for file in newer:
        assert not parse(file.read_text(encoding="utf-8"), file.name).errors
