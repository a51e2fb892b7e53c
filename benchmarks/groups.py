"""`python -m benchmarks groups`: what deciding costs, from posted alerts to messages, beside a real Alertmanager; ten minutes.

Both get the same alerts, groups, silences and inhibit rules at once; CPU seconds are the kernel's count for each process.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.posts import FIRST, KEY, Target
from engine.core.posting import Post
from engine.store.types import to_microseconds
from rules.labels import Labels
from tests.peers.alertmanager_server import AlertmanagerServer
from tests.peers.engine_process import EngineProcess
from tests.scenarios.world import World
from tests.servers import Request, Response, ScriptedServer

HEADING: Final = "Deciding who hears what"
SILENCES: Final = 1000
INHIBIT_RULES: Final = 100
PER_GROUP: Final = 10
GROUP_WAIT: Final = 120
GROUP_INTERVAL: Final = 60
"""Seconds: a round of flushes, and the posts before the first, have to be over within."""
SYSTEMS: Final = ("Alertmanager", "Tocsin")
NOTHING_NEW: Final = "a flush with nothing new"
STEADY_HOUR: Final = "an hour with nothing new, flushes every 5 minutes"
IN_THE_HOUR: Final = 100_000
"""Alerts; what is done once a second or so weighs less with more of them."""
FIVE_MINUTES: Final = """
    UPDATE routes SET channels = '["log"]', group_by = '["service"]', group_wait_seconds = 90, group_interval_seconds = 300,
    repeat_interval_seconds = 86400
"""
WITHOUT_SENDER: Final = "evaluator,dispatcher,api"
LATEST: Final = 600.0


@dataclass(slots=True, kw_only=True)
class Costs:
    """CPU microseconds per alert by what they were spent on, and the most memory in MB; one system's."""

    spent: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0


class Receiver:
    """Takes webhooks and counts the groups it was told of, by system."""

    def __init__(self) -> None:
        self.told: dict[str, set[str]] = {system: set() for system in SYSTEMS}

    def __call__(self, request: Request) -> Response:
        system = request.path.strip("/")
        self.told[system].add(json.dumps(request.json["groupLabels"], sort_keys=True))
        return Response()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both systems with the same configuration, and who is told by them."""

    alertmanager: AlertmanagerServer
    engine: EngineProcess
    receiver: Receiver
    targets: Mapping[str, Target]
    database: Path

    def cpu(self) -> dict[str, float]:
        return {system: target.cpu() for system, target in self.targets.items()}

    def flushes(self) -> float:
        """Flushes of groups that Tocsin has made since it began."""
        found = re.search(r"^tocsin_flushes_total (\S+)", _metrics(self.engine.url), re.MULTILINE)
        return float(found.group(1)) if found else 0.0


def measure(alerts: int, inhibited: int, folder: Path) -> dict[str, Costs]:
    """The costs of each system."""
    costs = {system: Costs() for system in SYSTEMS}
    (folder / "plain").mkdir()
    with _pair(folder / "plain", inhibit_rules=0) as pair:
        _first_round(pair, alerts, costs)
        _steady(pair, alerts, costs)
        for system, target in pair.targets.items():
            costs[system].memory = _peak(target.pid)
    costs["Tocsin"].spent[STEADY_HOUR] = _hour(min(alerts, IN_THE_HOUR), folder)
    costs["Alertmanager"].spent[STEADY_HOUR] = 12 * costs["Alertmanager"].spent[NOTHING_NEW]
    (folder / "inhibited").mkdir()
    with _pair(folder / "inhibited", inhibit_rules=INHIBIT_RULES) as pair:
        before = pair.cpu()
        _post(pair, inhibited)
        posted = pair.cpu()
        _until(lambda: pair.flushes() >= inhibited // PER_GROUP, "Tocsin's flushes of inhibited groups")
        time.sleep(5)
        for system, used in pair.cpu().items():
            costs[system].spent[f"first flush under {INHIBIT_RULES} inhibit rules"] = _micro(
                used - posted[system], inhibited
            )
            costs[system].spent["posting those"] = _micro(posted[system] - before[system], inhibited)
    return costs


def _first_round(pair: Pair, alerts: int, costs: Mapping[str, Costs]) -> None:
    """From the posts to the messages. Tocsin sends in a process of its own, so that deciding is counted apart."""
    groups = alerts // PER_GROUP
    before = pair.cpu()
    _post(pair, alerts)
    posted = pair.cpu()
    for system in SYSTEMS:
        costs[system].spent["posting"] = _micro(posted[system] - before[system], alerts)
    _until(lambda: pair.flushes() >= groups, "Tocsin's first flushes")
    decided = pair.targets["Tocsin"].cpu()
    costs["Tocsin"].spent["deciding, to the committed outbox"] = _micro(decided - posted["Tocsin"], alerts)
    _until(lambda: len(pair.receiver.told["Alertmanager"]) >= groups, "Alertmanager's webhooks")
    sent = pair.targets["Alertmanager"].cpu()
    costs["Alertmanager"].spent["deciding and sending"] = _micro(sent - posted["Alertmanager"], alerts)
    for system, until in (("Tocsin", decided), ("Alertmanager", sent)):
        costs[system].spent["all of that"] = _micro(until - before[system], alerts)


def _steady(pair: Pair, alerts: int, costs: Mapping[str, Costs]) -> None:
    """Rounds of flushes in which there is nothing to tell: alone, under silences, and right after a new one."""
    _round(pair, "the flush after the first message", alerts, costs, rounds=1)
    _round(pair, NOTHING_NEW, alerts, costs, rounds=1)
    _silence(pair, [f"elsewhere-{number}" for number in range(SILENCES)])
    time.sleep(GROUP_INTERVAL)  # In which everybody looks at them once.
    _round(pair, f"the same under {SILENCES:,} silences", alerts, costs, rounds=1)
    _silence(pair, ["elsewhere-after-all"])
    _round(pair, "the same right after one more silence", alerts, costs, rounds=1)


def _hour(alerts: int, folder: Path) -> float:
    """CPU microseconds per alert of an hour in which nothing happens but a flush of each group every five minutes.

    All loops of the engine, on a clock that jumps to what is due next; Prometheus and the webhook are no real ones.
    """
    world = World(f"sqlite:///{folder}/hour.db", {"TOCSIN_ROLES": "dispatcher,sender,api"})
    world.sql(FIVE_MINUTES)
    for start in range(0, alerts, FIRST):
        posts = [_post_of(number, world.clock.moment) for number in range(start, min(start + FIRST, alerts))]
        world.service.posting.receive(posts, world.clock.moment)
    settled = timedelta(minutes=12).total_seconds()
    world.until(settled)
    begun = time.process_time()
    world.until(settled + timedelta(hours=1).total_seconds())
    used = time.process_time() - begun
    world.service.stop()
    return _micro(used, alerts)


def _post_of(number: int, now: datetime) -> Post:
    said: Any = _alert(number, "")
    return Post(labels=Labels(said["labels"]), annotations=said["annotations"], ends_at=now + timedelta(hours=9))


def _round(pair: Pair, name: str, alerts: int, costs: Mapping[str, Costs], *, rounds: int) -> None:
    used, flushes, begun = pair.cpu(), pair.flushes(), time.monotonic()
    time.sleep(GROUP_INTERVAL * rounds)
    done = (pair.flushes() - flushes) / (alerts // PER_GROUP)
    seen = (time.monotonic() - begun) / GROUP_INTERVAL
    for system, after in pair.cpu().items():
        # Alertmanager counts no flushes: it makes one in each interval.
        costs[system].spent[name] = _micro(after - used[system], alerts) / (done if system == "Tocsin" else seen)


@contextmanager
def _pair(folder: Path, *, inhibit_rules: int) -> Iterator[Pair]:
    receiver = Receiver()
    environment = {
        "TOCSIN_DATABASE_URL": f"sqlite:///{folder}/tocsin.db",
        "TOCSIN_LOG_LEVEL": "error",
        "TOCSIN_API_KEYS": KEY,
        "TOCSIN_ROLES": WITHOUT_SENDER,
    }
    with ScriptedServer(receiver) as server:
        engine = EngineProcess(environment, folder=folder)
        with AlertmanagerServer(_file(server.url, inhibit_rules)) as alertmanager, engine:
            _declare(engine, server.url, inhibit_rules)
            targets = {
                "Alertmanager": Target("Alertmanager", alertmanager.url, alertmanager.pid),
                "Tocsin": Target("Tocsin", engine.url, engine.pid, "/alertmanager"),
            }
            yield Pair(
                alertmanager=alertmanager,
                engine=engine,
                receiver=receiver,
                targets=targets,
                database=folder / "tocsin.db",
            )


def _file(url: str, inhibit_rules: int) -> dict[str, Any]:
    route = {
        "receiver": "hook",
        "group_by": ["service"],
        "group_wait": f"{GROUP_WAIT}s",
        "group_interval": f"{GROUP_INTERVAL}s",
        "repeat_interval": "24h",
    }
    receivers = [{"name": "hook", "webhook_configs": [{"url": f"{url}/Alertmanager"}]}]
    return {"route": route, "receivers": receivers, "inhibit_rules": list(_inhibit_rules(inhibit_rules))}


def _declare(engine: EngineProcess, url: str, inhibit_rules: int) -> None:
    engine.put("/api/v1/channels/hook", {"kind": "webhook", "url": f"{url}/Tocsin"})
    route = {"receiver": "hook", "channels": ["hook"], "group_by": ["service"], "repeat_interval": "1d"}
    timings = {"group_wait": f"{GROUP_WAIT}s", "group_interval": f"{GROUP_INTERVAL}s"}
    status, said = engine.put("/api/v1/routes/root", {**route, **timings})
    if status not in (200, 201):
        raise RuntimeError(f"the route was refused: {said}")
    for number, rule in enumerate(_inhibit_rules(inhibit_rules)):
        engine.put(f"/api/v1/inhibit_rules/i{number}", rule)


def _inhibit_rules(count: int) -> Iterator[dict[str, Any]]:
    """Each with sources and targets of its own; one alert in a hundred is a source."""
    for number in range(count):
        yield {
            "source_matchers": ['severity="critical"', f'rack="r{number}"'],
            "target_matchers": ['severity="warning"', f'rack="r{number}"'],
            "equal": ["cluster"],
        }


def _silence(pair: Pair, instances: Sequence[str]) -> None:
    """Silence each of these: here by rows, for by REST each would first be held against all alerts there are."""
    now = datetime.now(UTC)
    ends = now + timedelta(hours=1)
    columns = "INSERT INTO silences (matchers, starts_at, ends_at, comment) VALUES (?, ?, ?, 'elsewhere')"
    with closing(sqlite3.connect(pair.database, timeout=30)) as shell, shell:
        rows = [(json.dumps([f'instance="{one}"']), to_microseconds(now), to_microseconds(ends)) for one in instances]
        shell.executemany(columns, rows)
    for one in instances:
        pair.alertmanager.silence(
            {
                "matchers": [{"name": "instance", "value": one, "isRegex": False, "isEqual": True}],
                "startsAt": now.isoformat(),
                "endsAt": ends.isoformat(),
                "createdBy": "benchmark",
                "comment": "elsewhere",
            }
        )


def _post(pair: Pair, alerts: int) -> None:
    ends_at = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    numbers = iter(range(alerts))
    while some := list(islice(numbers, FIRST)):
        body = json.dumps([_alert(number, ends_at) for number in some], separators=(",", ":")).encode()
        for target in pair.targets.values():
            target.post(body)


def _alert(number: int, ends_at: str) -> dict[str, object]:
    return {
        "annotations": {"summary": f"queue of node-{number:06} is full"},
        "endsAt": ends_at,
        "labels": {
            "alertname": f"QueueFull{number % 50}",
            "service": f"service-{number // PER_GROUP:05}",
            "instance": f"node-{number:06}.example:9100",
            "rack": f"r{number % INHIBIT_RULES}",
            "cluster": f"eu-{number % 7}",
            "severity": "critical" if number // INHIBIT_RULES % 100 == 0 else "warning",
            "team": "storage",
        },
    }


def _metrics(url: str) -> str:
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: bytes = answer.read()
    return found.decode()


def _until(done: Callable[[], bool], what: str) -> None:
    latest = time.monotonic() + LATEST
    while not done():
        if time.monotonic() > latest:
            raise TimeoutError(f"{what} are not over after {LATEST:g} s")
        time.sleep(0.5)


def _micro(seconds: float, alerts: int) -> float:
    return seconds / alerts * 1e6


def _peak(pid: int) -> float:
    """The most memory the process has held, in MB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0


def table(found: Mapping[str, Costs]) -> str:
    """The measurement as a Markdown table, a column for each system."""
    names = dict.fromkeys(name for one in found.values() for name in one.spent)
    rows = [(f"{name}, CPU µs", [_cell(one.spent.get(name)) for one in found.values()]) for name in names]
    rows.append(("the most memory, MB", [f"{one.memory:.0f}" for one in found.values()]))
    head = [f"| per alert | {' | '.join(found)} |", f"|---|{'---:|' * len(found)}"]
    return "\n".join([*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)])


def _cell(number: float | None) -> str:
    return "–" if number is None else f"{number:.1f}"


def section(found: Mapping[str, Costs], where: Sequence[str], command: str, *, alerts: int, inhibited: int) -> str:
    """The section of the page, with its heading."""
    return SECTION.format(
        heading=HEADING,
        alerts=f"{alerts:,}",
        groups=f"{alerts // PER_GROUP:,}",
        inhibited=f"{inhibited:,}",
        silences=f"{SILENCES:,}",
        rules=INHIBIT_RULES,
        interval=GROUP_INTERVAL,
        hourly=f"{IN_THE_HOUR:,}",
        table=table(found),
        where="\n".join(f"- {line}" for line in where),
        command=command,
    )


SECTION: Final = """\
## {heading}

{alerts} firing alerts in {groups} groups are posted to Tocsin and to a real Alertmanager, and each of them tells every
group once. What Tocsin sends is left to another process, so its deciding ends with the messages committed to the outbox;
Alertmanager decides and sends in one. Then nothing changes, and every group is flushed each {interval} s: alone, under
{silences} silences that cover none of the alerts, and right after one more. The hour is played by Tocsin, with {hourly} alerts
at most, in one process on a clock that jumps to what is due next, its auditor and all other loops included; Alertmanager's is
twelve of its flushes with nothing new. In a second run {inhibited} alerts meet {rules} inhibit rules. CPU is that of the whole
process per alert; Tocsin keeps every alert, group and decision in its database (SQLite), Alertmanager in memory.

{table}

Where nothing happens, Tocsin compares what stands with what the last flush found, and silences are found by what they demand,
so that their number hardly counts; right after a new one, the database is asked which alerts of the groups at rest have the
label that it demands (one that demands none, of regular expressions alone, is held against the labels of every alert, which
costs more). What else the process does meanwhile is in every row: its auditor takes what is new and a tenth of all that stands
every 30 s.
Where something happens, Tocsin costs several times what Alertmanager does: an alert that is taken in is a row of
its own, a membership, an end and two rows of the ledger, all of them with their indexes, and a decision is a message, a mark
of what counts as told and a row of the ledger more; the flush after the first message is made in full once more. That is the
price of a restart that loses nothing and of a question that is answered a month later.

{where}
- Command: `{command}`
"""
