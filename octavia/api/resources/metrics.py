"""``/metrics``: what Prometheus reads, of this API process and of the database."""

from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.operations import operation
from octavia.exporting import Exporter
from octavia.jobs.access.keys import Scope
from octavia.metrics.formats import encoded


@operation(
    "Show metrics to Prometheus",
    tag="Service",
    scope=Scope.OPERATE,
    answers={200: "text/plain"},
)
async def show_metrics(request: Request) -> Response:
    """``GET /metrics``: this process's metrics, and the figures of the database, which every process shows alike.

    As OpenMetrics if ``Accept`` asks for that.
    """
    exporter: Exporter = request.app.state.exporter
    body, media_type = await context_of(request).check(
        lambda: encoded(request.headers.get("accept", ""), exporter.registry)
    )
    return Response(body, headers={"content-type": media_type, "cache-control": "no-store"})
