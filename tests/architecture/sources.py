"""The Python files of the checkout as syntax trees, and what can be found in one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ("rules", "engine", "api")
EVERYTHING = (*SOURCE, "migrations", "tests", "benchmarks")

Finder = Callable[[ast.AST], Iterator[ast.AST]]
"""Yields the nodes of a tree that break one rule of the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file: its path from the checkout's root with forward slashes, and its tree."""

    path: str
    tree: ast.Module


def sources(*folders: str) -> list[Source]:
    """All Python files below the named folders of the checkout, in order of path."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [
        Source(path=path.relative_to(ROOT).as_posix(), tree=ast.parse(path.read_text(encoding="utf-8")))
        for path in paths
    ]


def breaches(find: Finder, *folders: str, allowed: tuple[str, ...] = ()) -> list[str]:
    """`path:line` of all that `find` yields, less the files whose path begins with one of `allowed`."""
    return [
        f"{source.path}:{getattr(node, 'lineno', 1)}"
        for source in sources(*folders)
        if not source.path.startswith(allowed)
        for node in find(source.tree)
    ]


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute chain; a call or an index in the chain reads as `?`, as in `?.now`."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{dotted(node.value)}.{node.attr}"
        case _:
            return "?"


def imported_names(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Every name that is imported absolutely, dotted in full (`os.path`, `time.sleep`), with the statement it is in."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((alias.name, node) for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield from ((f"{module}.{alias.name}", node) for alias in node.names)
