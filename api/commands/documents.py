"""Files of objects, YAML or JSON: what `apply` reads, and what `-o yaml` writes so that it can be read again.

YAML is read as its version 1.2 means it, where `on`, `17:00` and a date are texts: Alertmanager's files mean them so, and
the API takes times and durations as text.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from api.commands.failures import UsageError

STDIN: Final = "-"
LARGEST: Final = 64 << 20

_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
_FRACTION: Final = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$")
_DIGITS: Final = list("-+.0123456789")


class _Loader(yaml.CSafeLoader):
    """Reads YAML 1.2's plain values, and refuses a key that is given twice."""

    yaml_implicit_resolvers: Any = {}  # noqa: RUF012 - the library's own class attribute

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key in keys:
                problem = f"the key {key!r} is given twice in one object; keep one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if key is not None:
                keys.add(key)
        return super().construct_mapping(node, deep=deep)


class _Writer(yaml.CSafeDumper):
    """Puts in quotes whatever either version of YAML would read as something else than text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - every place shows its value
        return True


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FRACTION, _DIGITS)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<$"), ["<"])
_Writer.add_implicit_resolver("tag:yaml.org,2002:float", _FRACTION, _DIGITS)


def to_yaml(value: Any) -> str:
    """The value as YAML, fields in their order."""
    return yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120)


def read(files: Sequence[str]) -> list[dict[str, Any]]:
    """The objects in these files, `-` being stdin, in their order. Raises UsageError naming file and place."""
    objects = [one for name in files for one in _objects(name, parse(_text(name), name))]
    if not objects:
        raise UsageError(f"{', '.join(files)}: no object in it")
    return objects


def parse(text: str, name: str) -> list[Any]:
    """The documents of a text: one of JSON, any number of YAML. Raises UsageError."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, name))]
        except json.JSONDecodeError:
            pass  # YAML's flow style begins alike.
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise UsageError(f"{_shown(name)}: {_where(error)}") from error
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{_shown(name)}: cannot be read as YAML: {error}") from error


def _text(name: str) -> str:
    try:
        content = sys.stdin.buffer.read(LARGEST + 1) if name == STDIN else _file(Path(name))
    except OSError as error:
        raise UsageError(f"{name}: {(error.strerror or str(error)).lower()}") from error
    if len(content) > LARGEST:
        raise UsageError(f"{_shown(name)}: more than {LARGEST >> 20} MiB; apply it in parts")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{_shown(name)}: is not UTF-8 at byte {error.start}") from error


def _file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _objects(name: str, documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        for one in document if isinstance(document, list) else [document]:
            if one is None and not isinstance(document, list):
                continue  # An empty document, as after a last `---`.
            if not isinstance(one, dict):
                raise UsageError(
                    f"{_shown(name)}: has {type(one).__name__} {str(one)[:40]!r} where an object should be"
                )
            yield one


def _once(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise UsageError(f"{_shown(name)}: the key {twice!r} is given twice in one object; keep one of them")
    return found


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)


def _shown(name: str) -> str:
    return "stdin" if name == STDIN else name
