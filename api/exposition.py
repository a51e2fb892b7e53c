"""`ALERTS` and `ALERTS_FOR_STATE` as Prometheus writes them of its own rules, to be scraped: dashboards ask for these series.

Off unless a setting says how many alerts are shown at most, since every alert is two series in the Prometheus that scrapes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from api.backend import Backend
from api.problems import ApiProblem
from engine.core.alert import Alert
from engine.store import alerts
from rules.labels import Labels

router = APIRouter(tags=["health"])

SETTING: Final = "TOCSIN_METRICS_ALERTS"
_OFF: Final = f"this page is off: set {SETTING} to the number of alerts it may show, such as 10000"


def alert_series(request: Request, accept: Annotated[str, Header(include_in_schema=False)] = "") -> Response:
    """`ALERTS` and `ALERTS_FOR_STATE` of the rules' pending and firing alerts, for Prometheus to scrape; 404 unless it is on."""
    service: Backend = request.app.state.service
    most = service.settings.metrics_alerts
    if most < 1:
        raise ApiProblem(status=404, name="not-found", detail=_OFF)
    with service.database.read() as connection:
        shown = alerts.of_rules(connection, limit=most)
        total = alerts.count_of_rules(connection)
    encode, content_type = choose_encoder(accept)
    return Response(encode(_Families(shown, total=max(total, len(shown)))), headers={"Content-Type": content_type})


class _Families(Collector):
    """The alerts as families of metrics; of several with the same labels and state the first one counts."""

    def __init__(self, shown: Sequence[Alert], *, total: int) -> None:
        self._shown = shown
        self._total = total

    def collect(self) -> Iterable[Metric]:
        yield from _series(self._shown)
        yield _number("tocsin_alerts_shown", "Alerts that this page shows.", len(self._shown))
        left_out = f"Alerts that this page leaves out, since {SETTING} allows no more; firing ones are shown first."
        yield _number("tocsin_alerts_left_out", left_out, self._total - len(self._shown))


def _series(shown: Sequence[Alert]) -> Iterator[Metric]:
    states = Metric("ALERTS", "Pending and firing alerts.", "gauge")
    since = Metric("ALERTS_FOR_STATE", "Since when an alert is active, in Unix time.", "gauge")
    seen: set[Labels] = set()
    for alert in shown:
        if alert.labels in seen or alert.active_at is None:
            continue
        seen.add(alert.labels)
        labels = dict(alert.labels)
        states.add_sample("ALERTS", {**labels, "alertstate": alert.state.value}, 1)
        since.add_sample("ALERTS_FOR_STATE", labels, alert.active_at.timestamp())
    yield from (states, since)


def _number(name: str, meaning: str, value: int) -> Metric:
    metric = Metric(name, meaning, "gauge")
    metric.add_sample(name, {}, value)
    return metric


router.add_api_route(
    "/metrics/alerts",
    alert_series,
    methods=["GET"],
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        404: {"description": "It is not on: TOCSIN_METRICS_ALERTS is 0."},
    },
    response_class=PlainTextResponse,
)
router.add_api_route("/metrics/alerts", alert_series, methods=["HEAD"], include_in_schema=False)
