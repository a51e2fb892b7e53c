"""Our reader of rule files against the real `promtool check rules`: the two take and refuse the same files.

Left out is what Debian's promtool is too old for (group labels, query_offset, names that are no ASCII words), and what Tocsin
refuses on purpose, because no rule can be evaluated so: a range vector or a string as expr.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from rules.formats.prometheus_yaml import parse
from tests.peers.require import find_binary, require_peer

pytestmark = pytest.mark.peer("promtool")

RULE: Final = "alert: a, expr: up > 1"


def rule(text: str) -> str:
    return f"groups:\n- name: g\n  rules:\n  - {text}\n"


CASES: Final = {
    "nothing": "",
    "null": "~",
    "only a comment": "# nothing\n",
    "empty mapping": "{}",
    "list": "[]",
    "text": "hello",
    "groups null": "groups:",
    "groups empty": "groups: []",
    "groups text": "groups: x",
    "groups mapping": "groups: {}",
    "unknown at the top": "groups: []\nrules: []",
    "group null": "groups: [~]",
    "group text": "groups: [x]",
    "group without rules": "groups: [{name: a}]",
    "group rules null": "groups: [{name: a, rules: ~}]",
    "group rules mapping": "groups: [{name: a, rules: {}}]",
    "group without name": "groups: [{rules: []}]",
    "group name empty": "groups: [{name: '', rules: []}]",
    "group name a number": "groups: [{name: 5, rules: []}]",
    "group name a list": "groups: [{name: [a], rules: []}]",
    "group name twice": "groups: [{name: a}, {name: a}]",
    "group unknown field": "groups: [{name: a, every: 5m}]",
    "interval": "groups: [{name: a, interval: 1m30s}]",
    "interval zero": "groups: [{name: a, interval: 0s}]",
    "interval bare zero": "groups: [{name: a, interval: 0}]",
    "interval bare number": "groups: [{name: a, interval: 30}]",
    "interval fraction": "groups: [{name: a, interval: 1.5m}]",
    "interval negative": "groups: [{name: a, interval: -1m}]",
    "interval empty text": "groups: [{name: a, interval: ''}]",
    "interval null": "groups: [{name: a, interval: ~}]",
    "interval too long": "groups: [{name: a, interval: 300y}]",
    "limit": "groups: [{name: a, limit: 5}]",
    "limit negative": "groups: [{name: a, limit: -5}]",
    "limit a text": "groups: [{name: a, limit: '5'}]",
    "limit a word": "groups: [{name: a, limit: many}]",
    "limit null": "groups: [{name: a, limit: ~}]",
    "rule": rule(f"{{{RULE}}}"),
    "rule null": rule("~"),
    "rule text": rule("x"),
    "rule empty": rule("{}"),
    "rule unknown field": rule(f"{{{RULE}, severity: x}}"),
    "rule twice": rule(f"{{{RULE}}}\n  - {{{RULE}}}"),
    "neither": rule("{expr: up}"),
    "both": rule(f"{{{RULE}, record: b}}"),
    "alert empty": rule("{alert: '', expr: up > 1}"),
    "alert a number": rule("{alert: 5, expr: up > 1}"),
    "alert with blanks": rule("{alert: High CPU, expr: up > 1}"),
    "no expr": rule("{alert: a}"),
    "expr empty": rule("{alert: a, expr: ''}"),
    "expr broken": rule("{alert: a, expr: sum(}"),
    "expr a number": rule("{alert: a, expr: 5}"),
    "expr bool": rule("{alert: a, expr: up == bool 1}"),
    "expr bad regex": rule("{alert: a, expr: 'up{a=~\"(\"}'}"),
    "expr with comment": rule('{alert: a, expr: "up > 1 # so"}'),
    "expr empty selector": rule("{alert: a, expr: '{}'}"),
    "expr unknown function": rule("{alert: a, expr: foo(up)}"),
    "for": rule(f"{{{RULE}, for: 1h5m}}"),
    "for a number": rule(f"{{{RULE}, for: 300}}"),
    "for wrong order": rule(f"{{{RULE}, for: 5m1h}}"),
    "keep firing": rule(f"{{{RULE}, keep_firing_for: 1d}}"),
    "keep firing wrong": rule(f"{{{RULE}, keep_firing_for: soon}}"),
    "labels": rule(f"{{{RULE}, labels: {{team: db, n: 5, b: true, d: 2026-01-01, e: ~}}}}"),
    "labels null": rule(f"{{{RULE}, labels: ~}}"),
    "labels list": rule(f"{{{RULE}, labels: [a]}}"),
    "labels nested": rule(f"{{{RULE}, labels: {{a: {{b: c}}}}}}"),
    "label name empty": rule(f"{{{RULE}, labels: {{'': x}}}}"),
    "label metric name": rule(f"{{{RULE}, labels: {{__name__: x}}}}"),
    "label twice": rule(f"{{{RULE}, labels: {{a: x, a: y}}}}"),
    "label template": rule(f"{{{RULE}, labels: {{a: '{{{{ $labels.b }}}}'}}}}"),
    "label template open": rule(f"{{{RULE}, labels: {{a: '{{{{ $labels.b'}}}}"),
    "label template unknown function": rule(f"{{{RULE}, labels: {{a: '{{{{ nope 1 }}}}'}}}}"),
    "annotations": rule(f"{{{RULE}, annotations: {{summary: 'at {{{{ $value | humanize }}}}'}}}}"),
    "annotation unknown variable": rule(f"{{{RULE}, annotations: {{summary: '{{{{ $nope }}}}'}}}}"),
    "annotation with an end too many": rule(f"{{{RULE}, annotations: {{summary: '{{{{ end }}}}'}}}}"),
    "annotation name empty": rule(f"{{{RULE}, annotations: {{'': x}}}}"),
    "record": rule("{record: 'a:b', expr: sum(up), labels: {a: b}}"),
    "record for": rule("{record: a, expr: up, for: 1m}"),
    "record for zero": rule("{record: a, expr: up, for: 0s}"),
    "record keep firing": rule("{record: a, expr: up, keep_firing_for: 1m}"),
    "record annotations": rule("{record: a, expr: up, annotations: {a: b}}"),
    "record annotations empty": rule("{record: a, expr: up, annotations: {}}"),
    "record braces": rule("{record: 'a{b}', expr: up}"),
    "record broken": rule("{record: a, expr: sum(}"),
    "key twice at the top": "groups: []\ngroups: []",
    "key twice in a rule": rule(f"{{{RULE}, alert: b}}"),
    "second document": rule(f"{{{RULE}}}") + "---\nnonsense: true\n",
    "first document empty": "---\n",
    "anchor": f"groups: [{{name: a, rules: [&r {{{RULE}}}, *r]}}]",
    "merge": f"groups: [{{name: a, rules: [&r {{{RULE}}}, {{<<: *r, alert: b}}]}}]",
    "anchor missing": "groups: *nowhere",
    "anchor in itself": "groups: &a [*a]",
    "no yaml": "groups: [",
    "tab": "groups:\n\t- name: a",
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bool]:
    """Whether promtool takes each file (a rule that is there twice is but lint to it); one process looks at all of them."""
    require_peer("promtool")
    folder = tmp_path_factory.mktemp("rules")
    files = {name: folder / f"{at}.yml" for at, name in enumerate(CASES)}
    for name, file in files.items():
        file.write_text(CASES[name], encoding="utf-8")
    command = [str(find_binary("promtool")), "check", "rules", *map(str, files.values())]
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60).stdout
    checked = {Path(part.split("\n", 1)[0]).name: part for part in output.decode().split("Checking ")[1:]}
    return {name: _taken(checked[file.name]) for name, file in files.items()}


def _taken(part: str) -> bool:
    return "FAILED" not in part or "lint error" in part


@pytest.mark.parametrize("name", CASES)
def test_promtool_and_tocsin_agree_about_a_file(name: str, verdicts: dict[str, bool]) -> None:
    errors = parse(CASES[name]).errors
    assert (not errors) == verdicts[name], errors
