"""docs/sql.md is true: its examples run in the real shells, its refusals are the databases' own, and no column is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import JSON, Boolean, Column, Float, Integer, Text, select
from sqlalchemy.schema import DefaultClause

from engine.store import declarations
from engine.store.database import Database
from engine.store.definitions import DefinitionFeed, Definitions
from engine.store.tables import definition_changes, metadata, severities
from engine.store.types import Instant, present, random_id
from migrations import checks
from tests.store.test_shells import SEED, shell, typed

PAGE: Final = (Path(__file__).parents[2] / "docs" / "sql.md").read_text("utf-8")
DEFINITIONS: Final = tuple(
    value.name for value in (getattr(declarations, name) for name in metadata.tables if hasattr(declarations, name))
)
EVERY: Final = ("team", "origin", "version", "created_at", "updated_at")
KINDS: Final = ((Boolean, "yes/no"), (Float, "number"), (Instant, "time"), (Integer, "whole number"), (Text, "text"))
DIALECTS: Final = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the words after it, and its text."""

    language: str
    words: tuple[str, ...]
    text: str

    def suits(self, dialect: str) -> bool:
        """Whether it is for this database; one that names none is for both."""
        return not set(self.words) & set(DIALECTS) or dialect in self.words


@dataclass(frozen=True, slots=True)
class Refusal:
    """An `UPDATE … SET change` that is refused, and what each database says."""

    table: str
    change: str
    says: Mapping[str, str]


def fenced() -> list[Block]:
    found = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [Block(language, tuple(words.split()), text) for language, words, text in found]


def marked(*words: str) -> list[Block]:
    return [block for block in fenced() if set(words) <= set(block.words)]


def sections() -> dict[str, str]:
    _, *parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the tables under this heading row, without their backticks."""
    tables = re.findall(rf"^{re.escape(heading)}\n\|[-|]+\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    lines = "".join(tables).splitlines()
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def columns(text: str) -> list[list[str]]:
    return rows(text, "| column | type | default | meaning |")


def refusals() -> Iterator[Refusal]:
    for table in DEFINITIONS:
        for change, sqlite, postgresql in rows(sections()[table], "| such as | SQLite says | PostgreSQL says |"):
            yield Refusal(table, change, {"sqlite": sqlite, "postgresql": postgresql})


def in_force(database: Database) -> Definitions:
    """What the engine's feed makes of the database."""
    with database.read() as connection:
        return DefinitionFeed().refresh(connection)


def dialect_of(database: Database) -> str:
    return database.engine.dialect.name


def assert_taken(database: Database, statement: str) -> None:
    typed(database, statement)
    definitions = in_force(database)
    assert (definitions.problems, definitions.quarantined) == ((), {}), statement


EXAMPLES: Final = [block for block in fenced() if "example" in block.words]


@pytest.mark.parametrize(
    "statement", [pytest.param(one.text, id=one.text.splitlines()[0][:60]) for one in EXAMPLES if one.suits("sqlite")]
)
def test_an_example_works_on_a_fresh_sqlite_file(sqlite: Database, statement: str) -> None:
    assert_taken(sqlite, statement)


@pytest.mark.peer("postgresql")
def test_the_examples_work_one_after_the_other_on_a_fresh_postgresql(postgresql: Database) -> None:
    for block in EXAMPLES:
        if block.suits("postgresql"):
            assert_taken(postgresql, block.text)


def test_the_examples_are_where_a_reader_looks_for_them() -> None:
    assert any(block.text == SEED for block in EXAMPLES)
    assert {block.words[-1] for block in marked("minimal")} == set(DEFINITIONS)
    for table in DEFINITIONS:
        inserts = [block for block in EXAMPLES if f"INSERT INTO {table} " in block.text]
        assert len(inserts) >= (1 if table == "severities" else 2), table


def test_no_insert_of_the_page_goes_untried() -> None:
    tried = {"example", "refused", "quarantined", "query", "status"}
    assert [block.text for block in fenced() if block.language == "sql" and not tried & set(block.words)] == []


def own_row(table: str) -> str:
    """The condition that finds what the least example inserted."""
    return "rank = 50" if table == "severities" else "origin = 'sql'"


def test_what_a_constraint_refuses_is_answered_in_the_words_of_the_page(database: Database) -> None:
    for block in marked("minimal"):
        typed(database, block.text)
    wrong = []
    for refusal in refusals():
        done = shell(database, f"UPDATE {refusal.table} SET {refusal.change} WHERE {own_row(refusal.table)};")
        if done.returncode == 0 or refusal.says[dialect_of(database)] not in done.stderr:
            wrong.append((refusal, done.stderr))
    assert wrong == []


def test_a_refused_statement_is_answered_in_the_words_of_the_page(database: Database) -> None:
    blocks = fenced()
    refused = [place for place, block in enumerate(blocks) if "refused" in block.words]
    assert refused
    for place in refused:
        first = "PRAGMA foreign_keys = ON;\n" if database.is_sqlite else ""
        done = shell(database, first + blocks[place].text)
        (answer,) = (one.text.strip() for one in blocks[place + 1 : place + 3] if dialect_of(database) in one.words)
        assert done.returncode != 0
        assert answer in done.stderr


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("table", [name for name in DEFINITIONS if hasattr(checks, name)])
def test_every_constraint_has_its_refusal(table: str, dialect: str) -> None:
    named = {f"ck_{table}_{check.name}" for check in getattr(checks, table)(dialect)}
    told = {refusal.says[dialect] for refusal in refusals() if refusal.table == table}
    kept = ("version", "created_at", "updated_at") if table != "severities" else ()
    assert named - told == {f"ck_{table}_{name}" for name in kept}


def kind_of(column: Column[Any]) -> str:
    if isinstance(column.type, JSON):
        return "JSON"
    return next(word for kind, word in KINDS if isinstance(column.type, kind))


def default_of(column: Column[Any]) -> str:
    """The default as the page writes it."""
    given = column.server_default
    if not isinstance(given, DefaultClause):
        number = column.primary_key and isinstance(column.type, Integer) and column.table is definition_changes
        return "counted" if number else "NULL" if column.nullable else "required"
    if isinstance(given.arg, random_id):
        return "random"
    if isinstance(given.arg, present):
        return "now"
    text = str(given.arg).strip("'")
    return text or "''"


def documented(table: str) -> list[list[str]]:
    if table in DEFINITIONS:
        return columns(sections()[table])
    heading = f"| column of `{table}` | type | default | meaning |"
    return rows(PAGE, heading) or columns(sections()["Versions, authors and the record"])


@pytest.mark.parametrize("table", [*DEFINITIONS, "definition_changes", "change_author", "rule_status"])
def test_every_column_stands_in_the_page_with_its_type_and_default(table: str) -> None:
    found = {
        name: (kind.removesuffix(" list").removesuffix(" object"), default)
        for name, kind, default, _ in documented(table)
    }
    own = [column for column in metadata.tables[table].c if table not in DEFINITIONS or column.name not in EVERY]
    assert found == {column.name: (kind_of(column), default_of(column)) for column in own}
    assert all(meaning.endswith(".") for *_, meaning in documented(table))


def test_the_columns_every_table_has_stand_in_the_page() -> None:
    shared = columns(sections()["How to read the tables"])
    assert [name for name, *_ in shared] == list(EVERY)
    for table in DEFINITIONS:
        assert table == "severities" or set(EVERY) <= set(metadata.tables[table].c.keys())


def test_every_other_table_is_named_as_the_engines_own() -> None:
    told = set(re.findall(r"`(\w+)`", sections()["The engine's own tables"]))
    assert told == metadata.tables.keys() - {*DEFINITIONS, "definition_changes", "change_author", "rule_status"}


def test_a_row_that_cannot_be_evaluated_is_set_aside_with_the_problem_of_the_page(database: Database) -> None:
    (bad,) = marked("quarantined")
    typed(database, bad.text)
    (told,) = (block.text for block in marked("status") if block.language == "text")
    health, shown = told.split("|", 1)
    (problem,) = in_force(database).quarantined["slow"]
    assert health == "quarantined"
    assert json.loads(shown) == [
        {
            "severity": problem.severity.value,
            "field": problem.field,
            "message": problem.message,
            "position": problem.position,
        }
    ]


def test_the_record_answers_as_the_page_says(database: Database) -> None:
    (edit,) = (one for one in EXAMPLES if one.words[-1] == dialect_of(database) and "UPDATE routes" in one.text)
    (query,) = (block for block in marked("query") if block.language == "sql")
    (answer,) = (block for block in marked("query") if block.language == "text")
    typed(database, edit.text)
    assert typed(database, query.text) == answer.text.strip()


def test_a_severity_that_is_typed_has_its_rank(database: Database) -> None:
    typed(database, marked("minimal", "severities")[0].text)
    with database.read() as connection:
        assert connection.execute(select(severities.c.rank).where(severities.c.name == "emergency")).scalar() == 50
