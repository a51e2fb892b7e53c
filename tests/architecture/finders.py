"""One finder per rule of the house: each yields the nodes of a tree that break it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.sources import dotted, imported_names

CLOCK = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.sleep")
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv")
REPLACING = ("unittest.mock", "mock", "pytest_mock")


def _ends_in(name: str, endings: tuple[str, ...]) -> bool:
    return any(f".{name}".endswith(f".{ending}") for ending in endings)


def _uses(tree: ast.AST, names: tuple[str, ...]) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _ends_in(dotted(node), names))
    yield from (node for name, node in imported_names(tree) if name in names)


def clock_reads(tree: ast.AST) -> Iterator[ast.AST]:
    """Where the present is read, or waited in, other than through the clock that was passed in."""
    return _uses(tree, CLOCK)


def environment_reads(tree: ast.AST) -> Iterator[ast.AST]:
    """Where the process environment is read."""
    return _uses(tree, ENVIRONMENT)


def catch_alls(tree: ast.AST) -> Iterator[ast.AST]:
    """Handlers that would swallow a bug: `except:`, `except Exception`, `except BaseException`, alone or in a tuple."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type):
            yield node


def _catches_all(caught: ast.expr | None) -> bool:
    match caught:
        case None:
            return True
        case ast.Tuple(elts=elements):
            return any(_catches_all(element) for element in elements)
        case _:
            return _ends_in(dotted(caught), ("Exception", "BaseException"))


def missing_docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    """The module itself, when it does not say what it is for."""
    if isinstance(tree, ast.Module) and not ast.get_docstring(tree):
        yield tree


def replacements(tree: ast.AST) -> Iterator[ast.AST]:
    """Where a test swaps the insides of something for a stand-in, rather than passing one in."""
    yield from (node for name, node in imported_names(tree) if _begins_with(name, REPLACING))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "setattr" and dotted(node.value).startswith("monkey"):
            yield node


def _begins_with(name: str, packages: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)
