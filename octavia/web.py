"""The HTTP application: middleware and route table, nothing else."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route, Router

from octavia.api import capabilities, health, jobs, problems, results
from octavia.api.access import RequestLog
from octavia.api.binding import LoopbackOnly, check_host
from octavia.api.early import EarlyAnswer
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
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
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


def _api_routes() -> list[Route]:
    return [
        Route("/jobs", jobs.Jobs),
        Route("/jobs/{job_id}", jobs.show_job),
        Route("/jobs/{job_id}/status", jobs.show_status),
        Route("/jobs/{job_id}/process", jobs.process_job, methods=["POST"]),
        Route("/jobs/{job_id}/process-async", jobs.process_job_async, methods=["POST"]),
        Route("/jobs/{job_id}/cancel", jobs.cancel_job, methods=["POST"]),
        Route("/jobs/{job_id}/retry", jobs.retry_job, methods=["POST"]),
        Route("/jobs/{job_id}/transcript.{format}", results.transcript),
        Route("/jobs/{job_id}/translation.{format}", results.translation),
        Route("/jobs/{job_id}/audio.{format}", results.audio),
        Route("/jobs/{job_id}/artifacts", results.list_artifacts),
        Route("/jobs/{job_id}/artifacts/{name}", results.artifact),
        Route("/languages", capabilities.list_languages),
        Route("/voices", capabilities.list_voices),
        Route("/models", capabilities.list_models),
    ]
