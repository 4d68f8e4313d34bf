"""The HTTP application: middleware and route table, nothing else."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Mount, Router

from octavia.api import capabilities, health, jobs, problems, results
from octavia.api.access import RequestLog
from octavia.api.binding import LoopbackOnly, check_host
from octavia.api.early import EarlyAnswer
from octavia.api.operations import route
from octavia.api.schemas import API
from octavia.api.services import Services
from octavia.errors import OctaviaError
from octavia.jobs.database import Database
from octavia.queues import TaskBroker
from octavia.settings import Settings
from octavia.storage import Storage


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    storage: Storage | None = None,
    broker: TaskBroker | None = None,
) -> Starlette:
    """The application. Parts that are not given are made from the settings, and closed with it.

    Raises:
      InputError: ``host_not_allowed``: the settings want it to listen where other machines can reach it.
    """
    check_host(settings.host)
    services = Services(settings, database=database, storage=storage, broker=broker)
    app = Starlette(
        routes=[
            Mount(API, Router(_api_routes(), redirect_slashes=False)),
            route("/healthz", get=health.healthz),
            route("/readyz", get=health.readyz),
        ],
        middleware=[Middleware(EarlyAnswer), Middleware(RequestLog), Middleware(LoopbackOnly)],
        exception_handlers={
            OctaviaError: problems.on_octavia_error,
            HTTPException: problems.on_http_error,
            ClientDisconnect: problems.on_disconnect,
        },
        lifespan=services.lifespan,
    )
    app.state.services = services
    app.router.redirect_slashes = False
    return app


def _api_routes() -> list[BaseRoute]:
    return [
        route("/jobs", get=jobs.list_jobs, post=jobs.submit_job),
        route("/jobs/{job_id}", get=jobs.show_job),
        route("/jobs/{job_id}/status", get=jobs.show_status),
        route("/jobs/{job_id}/process", post=jobs.process_job),
        route("/jobs/{job_id}/process-async", post=jobs.process_job_async),
        route("/jobs/{job_id}/cancel", post=jobs.cancel_job),
        route("/jobs/{job_id}/retry", post=jobs.retry_job),
        route("/jobs/{job_id}/transcript.{format}", get=results.transcript),
        route("/jobs/{job_id}/translation.{format}", get=results.translation),
        route("/jobs/{job_id}/audio.{format}", get=results.audio),
        route("/jobs/{job_id}/artifacts", get=results.list_artifacts),
        route("/jobs/{job_id}/artifacts/{name}", get=results.artifact),
        route("/languages", get=capabilities.list_languages),
        route("/voices", get=capabilities.list_voices),
        route("/models", get=capabilities.list_models),
    ]
