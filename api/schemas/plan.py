"""The plan as it is answered."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel

from api.schemas.fields import example
from engine.core.planning import Means
from engine.plans import PlannedQuery


class PlannedQueryOut(BaseModel):
    """One query and the rules it answers. Queries of a unit with the same `batch` ride in one request."""

    unit: str
    datasource: str
    query: str
    means: Means
    rules: list[str]
    labels: list[str]
    batch: int | None
    why: str

    @classmethod
    def of(cls, planned: PlannedQuery) -> Self:
        """The domain's value as it is answered."""
        return cls(
            unit=planned.unit,
            datasource=planned.datasource,
            query=planned.query,
            means=planned.means,
            rules=list(planned.rules),
            labels=list(planned.labels),
            batch=planned.batch,
            why=planned.why,
        )


class PlanOut(BaseModel):
    """How the enabled rules are asked: `requests` in all for `rules`, and every query, those for the most rules first."""

    model_config = example(
        {
            "rules": 2,
            "requests": 1,
            "queries": [
                {
                    "unit": "default/60/0/12",
                    "datasource": "default",
                    "query": '(m{s=~"a|b"}\n) > 1',
                    "means": "union",
                    "rules": ["a", "b"],
                    "labels": ["s"],
                    "batch": None,
                    "why": "they differ only in the value of s, which stays on what they return",
                }
            ],
        }
    )

    rules: int
    requests: int
    queries: list[PlannedQueryOut]

    @classmethod
    def of(cls, found: list[PlannedQuery]) -> Self:
        """All queries, with their sums."""
        batches = {(one.unit, one.batch) for one in found if one.batch is not None}
        return cls(
            rules=sum(len(one.rules) for one in found),
            requests=len(batches) + sum(one.batch is None for one in found),
            queries=[PlannedQueryOut.of(one) for one in found],
        )
