"""Text of matchers held against amtool: what the classic dialect takes is taken here too, and means the same.

Debian's amtool knows that dialect only, so what it refuses may be read here, by the UTF-8 dialect; tests/rules/test_matchers.py
has that one.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rules import matcher_syntax
from rules.errors import MatcherError
from rules.matchers import Matcher, parse_matchers
from tests.peers.require import find_binary

pytestmark = pytest.mark.peer("amtool")

GOOD = (
    *(
        'a="b"',
        "a=b",
        "a=",
        'a=""',
        "a!=b",
        "a=~b",
        "a!~b",
        ' a = "b" ',
        "\ta\n=\rb\f",
        "a=b c",
        "a=b=c",
        "_x:y=1",
        "A1=é",
    ),
    *(
        "{a=b}",
        '{a="b",c=~"d"}',
        "{a=b,}",
        "a=b,",
        "{}",
        "",
        "  ",
        "{ a = b , c != d }",
        "a=b,c=d",
        'a="b,c"',
        'a="{b}"',
    ),
    *(
        r'a="\""',
        r'a="\\"',
        r'a="\n"',
        r"a=\n",
        r"a=\\",
        r"a=\x",
        r'a="\x"',
        r'a="b\"c,d"',
        "a==b",
        "a=!b",
        "a=~",
    ),
    *(
        'a=~"b|c"',
        'a=~"(?i)x"',
        'a=~"[^]]"',
        'a=~".{2}"',
        'a!~"^$"',
        'a=~"\\\\d+"',
        "a=\u00a0b",
        'a="\u00a0"',
        "a=b\u2028",
    ),
    *("a=>b", "{a=b}}", "{a=b}{c=d}"),
)
BAD = (
    *(
        "a",
        "=b",
        '"a"=b',
        "a b=c",
        "1a=b",
        "a-b=c",
        "a.b=c",
        "é=b",
        "a~b",
        "a!b",
        "a,b=c",
        r"a=b\,c",
        "a=b,,c=d",
        ",a=b",
        ",",
    ),
    *('a="b', 'a=b"', 'a="b"c', 'a="b\\"', '"', "{a}", "{,}", "{a=b,,}", 'a="b""c"', "a=\"b'", 'a=~"("', 'a=~"["'),
    *('a=~"*"', 'a!~"a{2,1}"', 'a=~"\\\\p{Nope}"', 'a=~"(?=b)"', 'a=~"\\\\1"', 'a="b" c="d"', "{{a=b}}"),
)


def taken(texts: Sequence[str], folder: Path) -> list[str] | None:
    """The matchers of a route for each text as amtool shows them; `None` where it refuses the file."""
    routes = [{"receiver": f"r{at}", "matchers": [text]} for at, text in enumerate(texts)]
    receivers = [{"name": name} for name in ("root", *(route["receiver"] for route in routes))]
    file = folder / "alertmanager.yml"
    file.write_text(json.dumps({"route": {"receiver": "root", "routes": routes}, "receivers": receivers}))
    command = [str(find_binary("amtool")), "config", "routes", "show", f"--config.file={file}"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if told.returncode:
        return None
    return re.findall(r"^ +[└├]── (.*)  receiver: r\d+$", told.stdout, re.MULTILINE)


def shown(matchers: Sequence[Matcher]) -> str:
    """As amtool shows them: in order, with as few escapes as will do."""
    ordered = sorted(matchers, key=lambda one: (one.name, one.value, list("=!").index(one.operator.value[0])))
    written = (f'{one.name}{one.operator}"{_escaped(one.value)}"' for one in ordered)
    return f"{{{','.join(written)}}}" if matchers else "default-route"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def read(text: str) -> str | None:
    try:
        return shown(parse_matchers(text))
    except MatcherError:
        return None


def is_classic(text: str) -> bool:
    try:
        matcher_syntax._classic_parts(text)
    except matcher_syntax._NotClassicError:
        return False
    return True


def test_good_matchers_mean_what_amtool_takes_them_for(tmp_path: Path) -> None:
    assert taken(GOOD, tmp_path) == [read(text) for text in GOOD]


@pytest.mark.parametrize("text", BAD)
def test_what_amtool_refuses_is_refused_or_read_in_the_newer_dialect(text: str, tmp_path: Path) -> None:
    assert taken([text], tmp_path) is None
    assert read(text) is None or not is_classic(text)


@pytest.mark.parametrize("text", ["{a=b", "a=b}", 'a=~"x{2}', "{a=b,c=d"])
def test_braces_must_balance_here(text: str, tmp_path: Path) -> None:
    assert read(text) is None
    if '"' not in text:
        assert taken([text], tmp_path) is not None


PIECES = (
    "a",
    "b1",
    "é",
    " ",
    "=",
    "!=",
    "=~",
    "!~",
    '"',
    "\\",
    "\\n",
    ",",
    "{",
    "}",
    "(",
    "[x]",
    ".*",
    "\u00a0",
    "\n",
    "'",
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join) | st.sampled_from(GOOD + BAD))
def test_any_text_is_read_as_amtool_reads_it(tmp_path: Path, text: str) -> None:
    assume(text.startswith("{") == text.endswith("}"))
    found = taken([text], tmp_path)
    if found is None:
        assert read(text) is None or not is_classic(text)
    else:
        assert [read(text)] == found
