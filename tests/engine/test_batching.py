"""Which datasources may be asked several queries in one request."""

from __future__ import annotations

import pytest

from engine.querying import may_batch
from rules.datasource import Datasource, DatasourceKind


@pytest.mark.parametrize(
    ("kind", "chosen", "may"),
    [
        (DatasourceKind.PROMETHEUS, ("*",), True),
        (DatasourceKind.THANOS, ("*",), True),
        (DatasourceKind.MIMIR, ("*",), True),
        (DatasourceKind.VICTORIAMETRICS, ("*",), False),
        (DatasourceKind.VICTORIAMETRICS, ("*", "one"), True),
        (DatasourceKind.PROMETHEUS, ("other",), False),
        (DatasourceKind.PROMETHEUS, ("none",), False),
        (DatasourceKind.LOKI, ("*", "one"), False),
        (DatasourceKind.VICTORIALOGS, ("one",), False),
    ],
)
def test_a_datasource_is_chosen_by_its_name_or_its_kind(
    kind: DatasourceKind, chosen: tuple[str, ...], may: bool
) -> None:
    assert may_batch(Datasource(name="one", kind=kind), chosen) is may
