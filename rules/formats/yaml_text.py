"""YAML behind one door: a text as a tree of nodes that know their line and column, and values as a text.

No tag makes an object. Nesting is bounded, and so is what a file says once its aliases are written out, so that a small
file cannot grow into a large one; nodes are shared, not copied. Scalars are kept as text, for the reader to understand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import yaml

from rules.errors import YamlError

DEEPEST: Final = 50
"""Levels of nesting; a rule file has six."""
MOST_NODES: Final = 5_000_000
"""Scalars, lists and mappings after aliases are written out; 20,000 rules have half a million."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_CORE: Final = "tag:yaml.org,2002:"
_TAGS: Final = frozenset({None, "!", *(_CORE + name for name in ("str", "int", "float", "bool", "null", "seq", "map"))})
_NULL_TAG: Final = _CORE + "null"
_TEXT_TAG: Final = _CORE + "str"
_MERGE: Final = "<<"


class Kind(StrEnum):
    """What a node is; the word says it in messages."""

    SCALAR = "text"
    LIST = "list"
    MAPPING = "mapping"


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """One node; `line` and `column` count from 1. `size` is the number of nodes in it, with aliases written out.

    A mapping's `items` are its keys and values in turn. `quoted` tells the text `"5"` from the number `5`.
    """

    kind: Kind
    line: int
    column: int
    text: str = ""
    quoted: bool = False
    is_null: bool = False
    items: list[Node] = field(default_factory=list)
    size: int = 1
    open: bool = False

    def pairs(self, levels: int = DEEPEST) -> Iterator[tuple[Node, Node]]:
        """Keys and values in their order, with what `<<` merges in, so many levels deep, behind the mapping's own."""
        merged = []
        for key, value in zip(self.items[::2], self.items[1::2], strict=True):
            if key.text == _MERGE and not key.quoted:
                merged.append(value)
            else:
                yield key, value
        for value in merged:
            yield from _merged(value, levels - 1)


def _merged(value: Node, levels: int) -> Iterator[tuple[Node, Node]]:
    for one in value.items if value.kind is Kind.LIST else [value]:
        if one.kind is not Kind.MAPPING:
            raise YamlError("<< takes a mapping, or a list of mappings", line=one.line, column=one.column)
        if levels < 0:
            raise YamlError(f"<< goes more than {DEEPEST} levels deep", line=one.line, column=one.column)
        yield from one.pairs(levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The first document of a text, `None` when there is nothing in it, and the line on which a second one begins."""

    root: Node | None
    second: int | None


def compose(text: str) -> Document:
    """The first document of the text. Raises YamlError."""
    try:
        return _Composer().document(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlError(f"is no YAML: {problem}", line=line, column=column) from error
    except UnicodeError as error:
        raise YamlError("is no Unicode text", line=1, column=1) from error


def dump(value: object) -> str:
    """The value as YAML of as many lines as it has members; text of several lines as a block."""
    return str(yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=1 << 30))


class _Writer(_DUMPER):  # type: ignore[misc]  # The class is chosen at run time.
    """Writes text of several lines as a block, where YAML can."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - every place shows its value
        return True


def _text(writer: Any, text: str) -> Any:
    """Plain lines as a block; what has anything odd about its line breaks in one line, with escapes."""
    lines = text.removesuffix("\n").split("\n")
    if not all(line.isprintable() for line in lines):
        style = '"'
    elif text == lines[0]:
        style = None
    else:
        style = "|" if lines[0] and not lines[0].startswith(" ") and lines[-1] else '"'
    return writer.represent_scalar(_TEXT_TAG, text, style=style)


_Writer.add_representer(str, _text)


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


class _Composer:
    """Puts the tree together from the parser's events, without recursion."""

    def __init__(self) -> None:
        self.anchors: dict[str, Node] = {}
        self.above: list[Node] = []

    def document(self, text: str) -> Document:
        root: Node | None = None
        documents = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    return Document(root=root, second=_place(event)[0])
            node = self._node(event)
            root = node if root is None else root
        return Document(root=root, second=None)

    def _node(self, event: Any) -> Node | None:
        """The node that the event begins or names."""
        match event:
            case yaml.ScalarEvent():
                node = self._scalar(event)
            case yaml.SequenceStartEvent():
                node = self._opened(self._made(event, Kind.LIST))
            case yaml.MappingStartEvent():
                node = self._opened(self._made(event, Kind.MAPPING))
            case yaml.AliasEvent():
                node = self._named(event)
                self._hang(node)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close()
                return None
            case _:
                return None
        return node

    def _scalar(self, event: Any) -> Node:
        node = self._made(event, Kind.SCALAR)
        node.text, node.quoted = event.value, bool(event.style) or event.tag == _TEXT_TAG
        node.is_null = event.tag == _NULL_TAG or (not node.quoted and event.value in _NULLS)
        return node

    def _made(self, event: Any, kind: Kind) -> Node:
        line, column = _place(event)
        if event.tag not in _TAGS:
            raise YamlError(f"the tag {event.tag[:80]!r} has no meaning here; leave it out", line=line, column=column)
        node = Node(kind=kind, line=line, column=column)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        if kind is Kind.SCALAR:
            self._hang(node)
        return node

    def _opened(self, node: Node) -> Node:
        if len(self.above) >= DEEPEST:
            raise YamlError(f"is nested more than {DEEPEST} levels deep", line=node.line, column=node.column)
        node.open = True
        self.above.append(node)
        return node

    def _close(self) -> None:
        node = self.above.pop()
        node.open = False
        self._hang(node)

    def _named(self, event: Any) -> Node:
        line, column = _place(event)
        found = self.anchors.get(event.anchor)
        if found is None:
            raise YamlError(f"*{event.anchor} is not defined above", line=line, column=column)
        if found.open:
            raise YamlError(f"&{event.anchor} contains itself", line=line, column=column)
        return found

    def _hang(self, node: Node) -> None:
        """Put a finished node where it belongs."""
        if not self.above:
            return
        parent = self.above[-1]
        parent.items.append(node)
        parent.size += node.size
        if parent.size > MOST_NODES:
            message = f"says more than {MOST_NODES} things when its aliases are written out; make several files of it"
            raise YamlError(message, line=node.line, column=node.column)
