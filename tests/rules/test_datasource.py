"""A datasource as declared."""

from __future__ import annotations

from rules.datasource import DEFAULT_DATASOURCE, Datasource, DatasourceKind


def test_a_datasource_speaks_prometheus_unless_it_says_otherwise() -> None:
    declared = Datasource(name=DEFAULT_DATASOURCE)
    assert (declared.kind, declared.urls, dict(declared.auth)) == (DatasourceKind.PROMETHEUS, (), {})


def test_the_words_for_its_kind_are_those_the_database_takes() -> None:
    assert {kind.value for kind in DatasourceKind} == {
        "prometheus",
        "victoriametrics",
        "thanos",
        "mimir",
        "loki",
        "victorialogs",
    }
