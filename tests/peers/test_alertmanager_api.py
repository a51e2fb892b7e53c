"""The same requests, good and bad, to a real Alertmanager and to Tocsin: the same status, and answers equal field by field.

Where Tocsin answers otherwise on purpose, or as a newer Alertmanager than the installed 0.25, the request names the difference.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any, Final

import pytest

from tests.peers.alertmanager_server import AlertmanagerServer
from tests.peers.engine_process import EngineProcess
from tests.peers.surroundings import connection

pytestmark = pytest.mark.peer("alertmanager")

NOW: Final = datetime.now(UTC).replace(microsecond=0)
TOLERANCE: Final = timedelta(seconds=20)
"""Between two instants that each side takes from its own clock: when it got a post."""
CONFIGURATION: Final = {
    "route": {
        "receiver": "r",
        "group_by": ["alertname"],
        "routes": [
            {"matchers": ['team="db"'], "receiver": "db", "continue": True},
            {"matchers": ['tier=~"gold|silver"'], "receiver": "vip"},
        ],
    },
    "receivers": [{"name": "r"}, {"name": "db"}, {"name": "vip"}],
    "inhibit_rules": [
        {"source_matchers": ["alertname=Down"], "target_matchers": ["alertname=Slow"], "equal": ["instance"]}
    ],
}
SQL: Final = """
UPDATE routes SET receiver = 'r', group_by = '["alertname"]' WHERE id = 'root';
INSERT INTO routes (id, parent_id, position, receiver, matchers, "continue")
VALUES ('db', 'root', 1, 'db', '["team=db"]', true);
INSERT INTO routes (id, parent_id, position, receiver, matchers)
VALUES ('vip', 'root', 2, 'vip', '["tier=~\\"gold|silver\\""]');
INSERT INTO inhibit_rules (id, source_matchers, target_matchers, equal)
VALUES ('i', '["alertname=Down"]', '["alertname=Slow"]', '["instance"]')
"""


class Delta(StrEnum):
    """Why an answer differs; what is a newer Alertmanager's is in its changelog, the others are in docs/alertmanager-api.md."""

    UTF8 = "label names may be any UTF-8 since 0.27"
    NO_PANIC = "an alert or a matcher that is null hangs up the connection there"
    NEIGHBOURS = "one alert of the wrong shape stops all of its post there, and none here"
    NUL = "no database stores a NUL as text"
    TRAILING = "what follows the list is not read there, and is no JSON here"
    DELETED = "ending an unknown silence is 404 since 0.26"
    STATES = "silences are chosen by state since 0.34"
    GONE = "the v1 API is gone since 0.27"


@dataclass(frozen=True)
class Call:
    """One request. With a `delta` Alertmanager's status is `theirs`, and only Tocsin's `ours` is compared."""

    name: str
    method: str
    path: str
    body: Any = None
    delta: Delta | None = None
    theirs: int = 0
    ours: int = 0


def at(minutes: float) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def alert(**labels: str) -> dict[str, Any]:
    return {"labels": labels}


def posted(name: str, *items: Any, **rest: Any) -> Call:
    return Call(f"post {name}", "POST", "/api/v2/alerts", list(items), **rest)


def raw(name: str, body: bytes, **rest: Any) -> Call:
    return Call(f"post {name}", "POST", "/api/v2/alerts", body, **rest)


def get(path: str, **rest: Any) -> Call:
    return Call(f"get {path}", "GET", path, **rest)


FULL: Final = {
    "labels": {"alertname": "Down", "instance": "a", "team": "db", "tier": "gold", "empty": ""},
    "annotations": {"summary": 'no <answer> "at" all', "empty": "", "description": "cödé \U0001f525"},
    "startsAt": at(-3),
    "endsAt": at(30),
    "generatorURL": "http://prometheus.example/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
}
WRONG: Final[Mapping[str, Any]] = {
    "no labels": {},
    "labels null": {"labels": None},
    "labels empty": {"labels": {}},
    "labels only empty": {"labels": {"a": ""}},
    "label null": {"labels": {"a": None}},
    "label a number": {"labels": {"a": 1}},
    "labels a list": {"labels": []},
    "labels a number": {"labels": 5},
    "label without a name": {"labels": {"": "x"}},
    "annotation a number": {"labels": {"wrong": "x"}, "annotations": {"b": 1}},
    "annotation without a name": {"labels": {"wrong": "x"}, "annotations": {"": "b"}},
    "end before start": {"labels": {"wrong": "x"}, "startsAt": at(5), "endsAt": at(4)},
    "start is no time": {"labels": {"wrong": "x"}, "startsAt": "nope"},
    "start a number": {"labels": {"wrong": "x"}, "startsAt": 5},
    "start a date": {"labels": {"wrong": "x"}, "startsAt": "2026-01-01"},
    "start with a space and a zone": {"labels": {"wrong": "x"}, "startsAt": "2026-01-01 00:00:00Z"},
    "end is no time": {"labels": {"wrong": "x"}, "endsAt": "tomorrow"},
    "origin no address": {"labels": {"wrong": "x"}, "generatorURL": "nope"},
    "origin with a blank": {"labels": {"wrong": "x"}, "generatorURL": "http://x y"},
    "origin a number": {"labels": {"wrong": "x"}, "generatorURL": 5},
    "a number": 1,
    "a text": "alert",
    "a list": [],
}
SILENCE: Final = {
    "matchers": [{"name": "instance", "value": "c", "isRegex": False}],
    "startsAt": at(-5),
    "endsAt": at(60),
    "createdBy": "me",
    "comment": "known",
}


def silence(
    name: str, without: str = "", *, delta: Delta | None = None, theirs: int = 0, ours: int = 0, **rest: Any
) -> Call:
    body = {key: value for key, value in {**SILENCE, **rest}.items() if key != without}
    return Call(f"silence {name}", "POST", "/api/v2/silences", body, delta, theirs, ours)


def one(name: str = "instance", value: str = "c", *, regex: bool = False, **rest: Any) -> list[dict[str, Any]]:
    return [{"name": name, "value": value, "isRegex": regex, **rest}]


POSTS: Final = [
    posted("nothing"),
    raw("null", b"null"),
    posted("everything", FULL),
    posted("labels alone", alert(alertname="Slow", instance="a")),
    posted("several", *(alert(alertname="Slow", instance=name) for name in "bcd"), alert(job="b", tier="silver")),
    posted("job and instance", alert(job="a", tier="silver"), alert(job="a", tier="silver", instance="z")),
    posted("a start alone", {**alert(alertname="Old"), "startsAt": at(-60)}),
    posted("an end alone", {**alert(alertname="Soon"), "endsAt": at(20)}),
    posted(
        "Go's zero time",
        {**alert(alertname="Zero"), "startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z"},
    ),
    posted("an empty start", {**alert(alertname="Epoch"), "startsAt": ""}),
    posted("a zone", {**alert(alertname="Zone"), "startsAt": "2026-01-01T00:00:00.123456+02:00"}),
    posted("no zone", {**alert(alertname="Local"), "startsAt": "2026-01-01T00:00:00"}),
    posted("a blank between", {**alert(alertname="Blank"), "startsAt": "2026-01-01 00:00:00"}),
    posted("over already", {**alert(alertname="Over"), "startsAt": at(-9), "endsAt": at(-1)}),
    posted("fires", alert(alertname="Ends")),
    posted("and is over", {**alert(alertname="Ends"), "endsAt": at(-0.2)}),
    posted(
        "again, with another text", {**alert(alertname="Soon"), "endsAt": at(10), "annotations": {"summary": "changed"}}
    ),
    posted("again, with an earlier end", {**alert(alertname="Old"), "startsAt": at(-61), "endsAt": at(2)}),
    posted("unknown field", {**alert(alertname="Field"), "colour": "red"}),
    raw("broken surrogate", b'[{"labels":{"alertname":"Surrogate","a":"\\ud800"}}]'),
    raw("no UTF-8", b'[{"labels":{"alertname":"Bytes","a":"\xff"}}]'),
    *(posted(name, item) for name, item in WRONG.items()),
    posted(
        "two good, two bad",
        alert(alertname="Good", n="1"),
        {"labels": {}},
        {"labels": {"": "x"}},
        alert(alertname="Good", n="2"),
    ),
    posted("a bad type beside", alert(only_here="1"), {"labels": 5}, delta=Delta.NEIGHBOURS, theirs=400, ours=400),
    posted("a missing label beside", alert(only_here="2"), {}, delta=Delta.NEIGHBOURS, theirs=422, ours=422),
    posted("a name in UTF-8", {"labels": {"only_here": "3", "bad-name": "x"}}, delta=Delta.UTF8, theirs=400, ours=200),
    posted("a NUL", {"labels": {"only_there": "x", "a": "\0"}}, delta=Delta.NUL, theirs=200, ours=400),
    posted("a null", None, delta=Delta.NO_PANIC, theirs=0, ours=400),
    raw("nothing at all", b""),
    raw("no JSON", b"nope"),
    raw("an object", b"{}"),
    raw("something behind", b'[{"labels":{"only_there":"1"}}] x', delta=Delta.TRAILING, theirs=200, ours=400),
]
SILENCES: Final = [
    silence("active", endsAt=at(61)),
    silence("pending", startsAt=at(30), matchers=one("alertname", "Old")),
    silence("regex", endsAt=at(62), matchers=one("alertname", "Sil.*", regex=True)),
    silence("negative", endsAt=at(63), matchers=[*one("alertname", "Zone"), *one("team", "db", isEqual=False)]),
    silence(
        "negative regex",
        endsAt=at(64),
        matchers=[*one("alertname", "Blank"), *one("team", "d.*", regex=True, isEqual=False)],
    ),
    silence("empty words", endsAt=at(65), createdBy="", comment="", matchers=one("alertname", "Nothing")),
    *(silence(f"without {name}", name) for name in ("matchers", "startsAt", "endsAt", "createdBy", "comment")),
    silence("no matcher", matchers=[]),
    silence("matcher without isRegex", matchers=[{"name": "a", "value": "b"}]),
    silence("matcher without value", matchers=[{"name": "a", "isRegex": False}]),
    silence("matcher of nothing", matchers=one("a", "")),
    silence("only what is left out", startsAt=at(31), endsAt=at(68), matchers=one("team", "db", isEqual=False)),
    silence(
        "only what is left out by a regex",
        startsAt=at(32),
        endsAt=at(69),
        matchers=one("a", "b.*", regex=True, isEqual=False),
    ),
    silence(
        "what is left out and what is absent",
        startsAt=at(33),
        endsAt=at(70),
        matchers=[*one("a", "b", isEqual=False), *one("c", "")],
    ),
    silence("matcher of everything", matchers=one("a", ".*", regex=True)),
    silence("bad regex", matchers=one("a", "(", regex=True)),
    silence("no name", matchers=one("", "x")),
    silence("name in UTF-8", matchers=one("only-here", "x"), delta=Delta.UTF8, theirs=400, ours=200),
    silence("matchers a number", matchers=5),
    silence("matcher null", matchers=[None], delta=Delta.NO_PANIC, theirs=0, ours=400),
    silence("past", endsAt=at(-1)),
    silence("end before start", startsAt=at(90)),
    silence("start is no time", startsAt="nope"),
    silence("end a number", endsAt=5),
    silence("unknown id", id="11111111-1111-1111-1111-111111111111"),
    silence("id no uuid", id="nope"),
    silence("unknown field", endsAt=at(66), extra=1, matchers=one("alertname", "Nothing")),
    *(Call(f"silence {body!r}", "POST", "/api/v2/silences", body) for body in (b"", b"null", b"[]", b"nope", b"{}")),
]
QUERIES: Final = [
    "",
    *(
        f"?{name}={word}"
        for name in ("active", "silenced", "inhibited")
        for word in ("true", "false", "0", "", "maybe", "yes")
    ),
    "?active=true&active=false",
    "?unprocessed=false",
    "?active=false&silenced=false&inhibited=false",
    "?filter=alertname%3DSlow",
    "?filter=alertname%3D%22Slow%22&filter=instance!%3Da",
    "?filter=alertname%3D~%22S.%2B%22",
    "?filter=instance!~%22a%7Cb%22",
    "?filter=nothing%3D",
    "?filter=a",
    "?filter=",
    "?filter=%7B%7D",
    "?filter=%7Balertname%3D%22Slow%22%7D",
    "?filter=a%3D~%22(%22",
    "?filter=%00",
    "?receiver=db",
    "?receiver=d",
    "?receiver=db%7Cvip",
    "?receiver=v.*",
    "?receiver=none",
    "?receiver=(",
    "?receiver=",
    "?nope=1",
]
GETS: Final = [
    *(get(f"/api/v2/alerts{query}") for query in QUERIES),
    *(get(f"/api/v2/alerts/groups{query}") for query in QUERIES),
    *(
        get(f"/api/v2/silences{query}")
        for query in (
            "",
            "?filter=instance%3Dc",
            "?filter=instance%3D~c",
            "?filter=alertname%3D~%22Sil.*%22",
            "?filter=alertname%3DZone&filter=team!%3Ddb",
            "?filter=nope%3D1",
            "?filter=nope",
        )
    ),
    get("/api/v2/silences?active=false", delta=Delta.STATES, theirs=200, ours=200),
    get("/api/v2/silence/nope"),
    get("/api/v2/silence/11111111-1111-1111-1111-111111111111"),
    get("/api/v2/receivers"),
    get("/api/v2/nope"),
    get("/api/v2/alerts/nope"),
    get("/-/ready"),
    get("/-/healthy"),
    Call("head ready", "HEAD", "/-/ready"),
    Call("put alerts", "PUT", "/api/v2/alerts", []),
    Call("delete alerts", "DELETE", "/api/v2/alerts"),
    Call("post receivers", "POST", "/api/v2/receivers", b""),
    Call("post status", "POST", "/api/v2/status", b""),
    Call("delete no uuid", "DELETE", "/api/v2/silence/nope"),
    Call(
        "delete unknown", "DELETE", "/api/v2/silence/11111111-1111-1111-1111-111111111111",
        delta=Delta.DELETED, theirs=500, ours=404,
    ),
    get("/api/v1/alerts", delta=Delta.GONE, theirs=200, ours=410),
    Call("post v1", "POST", "/api/v1/alerts", [], Delta.GONE, theirs=200, ours=410),
]  # fmt: skip


@dataclass
class Answer:
    """Status and content; 0 where the connection was hung up."""

    status: int
    content: Any


@dataclass
class Side:
    """One of the two, and the names its silences go by here."""

    url: str
    silences: dict[str, str] = field(default_factory=dict)

    def ask(self, call: Call) -> Answer:
        body = call.body if call.body is None or isinstance(call.body, bytes) else json.dumps(call.body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + call.path, body, headers, method=call.method)
        try:
            with urllib.request.urlopen(request, timeout=20) as found:
                return Answer(found.status, _content(found.read()))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, _content(refusal.read()))
        except (RemoteDisconnected, ConnectionResetError):
            return Answer(0, None)

    def named(self, silence_id: str) -> str:
        return self.silences.get(silence_id, silence_id)


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()


@dataclass
class Both:
    """Alertmanager and Tocsin, both told of the same alerts and silences; `wrong` is what they answered differently."""

    theirs: Side
    ours: Side
    wrong: list[str] = field(default_factory=list)
    asked: int = 0

    def ask(self, call: Call) -> None:
        self.asked += 1
        theirs, ours = self.theirs.ask(call), self.ours.ask(call)
        if call.delta is not None:
            expected = (call.theirs, call.ours)
        else:
            expected = (theirs.status, theirs.status)
            self._same(call, theirs, ours)
        if (theirs.status, ours.status) != expected:
            self.wrong.append(f"{call.name}: {theirs.status} and {ours.status}: {theirs.content} and {ours.content}")
        for side, answer in ((self.theirs, theirs), (self.ours, ours)):
            if isinstance(answer.content, dict) and "silenceID" in answer.content:
                side.silences[answer.content["silenceID"]] = call.name

    def _same(self, call: Call, theirs: Answer, ours: Answer) -> None:
        if theirs.status != 200:
            same = _mistake(theirs.content) == _mistake(ours.content)
        elif (call.method == "GET" and "/alerts" in call.path) or ("/silence" in call.path and call.method == "GET"):
            same = close(normal(theirs.content, self.theirs), normal(ours.content, self.ours))
        else:
            same = isinstance(theirs.content, dict) or theirs.content == ours.content
        if not same:
            self.wrong.append(f"{call.name}:\n  theirs {theirs.content}\n  ours   {ours.content}")


def _mistake(content: Any) -> Any:
    """A mistake's kind: go-openapi's number, or that it is a text; what it says is in everybody's own words."""
    return content.get("code") if isinstance(content, dict) else type(content).__name__


def normal(content: Any, side: Side) -> Any:
    """An answer with what differs by nature made equal: ids of silences by what asked for them, no field 0.25 lacks."""
    match content:
        case {"silencedBy": silenced_by, **status}:
            status.pop("mutedBy", None)
            return {**status, "silencedBy": sorted(side.named(one) for one in silenced_by)}
        case {"id": str(silence_id), "matchers": _}:
            return {**{key: value for key, value in content.items() if key != "id"}, "id": side.named(silence_id)}
        case dict():
            return {key: normal(value, side) for key, value in content.items()}
        case list():
            found = [normal(value, side) for value in content if not _one_sided(value)]
            return (
                [value for value in found if value.get("alerts") != []]
                if all(isinstance(v, dict) for v in found)
                else found
            )
        case _:
            return content


def _one_sided(value: Any) -> bool:
    """Alerts and silences that only one of the two took, by a difference that was named."""
    if not isinstance(value, dict):
        return False
    labels = value.get("labels", {})
    names = {matcher.get("name") for matcher in value.get("matchers", ())}
    return bool({"only_here", "only_there"} & labels.keys()) or "only-here" in names


def close(theirs: Any, ours: Any) -> bool:
    """Whether two answers are equal, instants of the two clocks within TOLERANCE."""
    match theirs, ours:
        case dict(), dict():
            return theirs.keys() == ours.keys() and all(_close(key, theirs[key], ours[key]) for key in theirs)
        case list(), list():
            return len(theirs) == len(ours) and all(map(close, theirs, ours))
        case _:
            return bool(theirs == ours)


def _close(key: str, theirs: Any, ours: Any) -> bool:
    if key in ("startsAt", "endsAt", "updatedAt"):
        return abs(datetime.fromisoformat(theirs) - datetime.fromisoformat(ours)) < TOLERANCE
    return close(theirs, ours)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both of them, told the same."""
    folder: Path = tmp_path_factory.mktemp("engine")
    url = f"sqlite:///{folder}/tocsin.db"
    engine = EngineProcess({"TOCSIN_DATABASE_URL": url}, folder=folder)
    with AlertmanagerServer(CONFIGURATION) as theirs, engine:
        with closing(connection(url)) as database:
            for statement in SQL.split(";"):
                database.execute(statement)
        both = Both(Side(theirs.url), Side(f"{engine.url}/alertmanager"))
        for call in (*POSTS, *SILENCES):
            both.ask(call)
        yield both


def test_posts_good_and_bad_are_answered_alike(both: Both) -> None:
    assert both.wrong == []


def test_what_is_read_is_the_same_field_by_field(both: Both) -> None:
    both.wrong.clear()
    for call in GETS:
        both.ask(call)
    assert both.wrong == []
    assert both.asked >= 150


def test_a_silence_is_changed_in_place_or_ended_and_made_anew_alike(both: Both) -> None:
    """Each step on both sides: the new end, the new start, other matchers, an end that is undone."""
    steps: list[list[Any]] = []
    for side in (both.theirs, both.ours):
        body = {**SILENCE, "matchers": one("alertname", "Edited")}
        steps.append(_edited(side, body))
    assert steps[0] == steps[1]
    assert any(step == "the same id" for step in steps[0])
    assert any(step == "a new id" for step in steps[0])


def test_a_hundred_gets_at_once_are_all_answered(both: Both) -> None:
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(both.ours.ask, [get("/api/v2/alerts"), get("/api/v2/alerts/groups")] * 50))
    assert [answer.status for answer in answers] == [200] * 100
    assert len({json.dumps(answer.content) for answer in answers}) == 2


def _edited(side: Side, body: dict[str, Any]) -> list[Any]:
    made = _post(side, body)
    done: list[Any] = []
    for change in (
        {"endsAt": at(90), "comment": "longer"},
        {"endsAt": at(30)},
        {"createdBy": "you"},
        {"startsAt": at(-60)},
        {"matchers": one("alertname", "Other")},
        {"startsAt": at(10)},
        {"startsAt": at(20)},
        {"startsAt": at(-20)},
    ):
        stands = side.ask(get(f"/api/v2/silence/{made}")).content
        new = _post(side, {**stands, **change})
        done.append("the same id" if new == made else "a new id")
        done.append(_told(side, made))
        made = new
    done.append([side.ask(Call("", "DELETE", f"/api/v2/silence/{made}")).status for _ in "ab"])
    done.append(_told(side, made))
    done.append(_post(side, {**side.ask(get(f"/api/v2/silence/{made}")).content, "endsAt": at(90)}) == made)
    return done


def _post(side: Side, body: Mapping[str, Any]) -> str:
    answer = side.ask(Call("", "POST", "/api/v2/silences", dict(body)))
    assert answer.status == 200, answer.content
    return str(answer.content["silenceID"])


def _told(side: Side, silence_id: str) -> tuple[Any, ...]:
    found = side.ask(get(f"/api/v2/silence/{silence_id}")).content
    return found["status"], found["comment"], found["createdBy"], found["matchers"]
