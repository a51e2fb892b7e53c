"""A datasource: where a rule's query is asked, by reference. Resolving `env:` and `file:` references is the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rules.rule import Language

DEFAULT_DATASOURCE: Final = "default"
"""The datasource of every rule that names none; a fresh database has it."""


class DatasourceKind(StrEnum):
    """The servers a rule can ask; all of them answer a query as Prometheus does, whatever it is written in."""

    PROMETHEUS = "prometheus"
    VICTORIAMETRICS = "victoriametrics"
    THANOS = "thanos"
    MIMIR = "mimir"
    LOKI = "loki"
    VICTORIALOGS = "victorialogs"

    @property
    def language(self) -> Language:
        """What it is asked in."""
        return _LANGUAGES.get(self, Language.PROMQL)


_LANGUAGES: Final = {DatasourceKind.LOKI: Language.LOGQL, DatasourceKind.VICTORIALOGS: Language.LOGSQL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasource:
    """One place to ask. `urls` are tried in order, so that a replica answers when the first cannot.

    A URL and any value of `auth`, `headers` and `tls` may be a reference (`env:NAME`, `file:PATH`), so a secret need not
    stand in the database. `tenant` is the tenant's name for servers that keep several apart; `''` sends none. `headers` are
    sent with every query; `tls` has the names of Prometheus' `tls_config`.
    """

    name: str
    urls: tuple[str, ...] = ()
    kind: DatasourceKind = DatasourceKind.PROMETHEUS
    tenant: str = ""
    auth: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: Mapping[str, str] = field(default_factory=dict)
    team: str = ""
    origin: str = "sql"
    version: int = 1
