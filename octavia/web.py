"""The HTTP application: its middleware and routes."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Mount, Router, WebSocketRoute

from octavia.api.assembly import Assembly
from octavia.api.authentication import Authentication
from octavia.api.binding import LoopbackOnly, check_host, keys_required
from octavia.api.http import problems
from octavia.api.http.operations import route
from octavia.api.http.paths import RootPath
from octavia.api.http.request_log import RequestLog
from octavia.api.http.request_spans import RequestSpans
from octavia.api.http.security import SecurityHeaders
from octavia.api.http.size_limits import SizeLimits
from octavia.api.http.slashes import Slashes
from octavia.api.http.slow_clients.body_timeouts import BodyTimeouts
from octavia.api.http.slow_clients.early_answer import EarlyAnswer
from octavia.api.http.slow_clients.stopping import Stopping
from octavia.api.live import sse, websocket
from octavia.api.openai import errors as openai
from octavia.api.openai import models, recordings, speech
from octavia.api.operator import (
    actions,
    dead_letters,
    events,
    filter_words,
    overview,
    pauses,
    queues,
    statistics,
    upkeep,
    workers,
)
from octavia.api.operator import jobs as operated_jobs
from octavia.api.pages import shell
from octavia.api.resources import (
    capabilities,
    health,
    job_log,
    jobs,
    keys,
    metrics,
    pages,
    playing,
    results,
    sessions,
    utterances,
    webhooks,
)
from octavia.brokers.queues import TaskBroker
from octavia.errors import OctaviaError
from octavia.header_lines import read_in_linear_time
from octavia.jobs.tables.database import Database
from octavia.links import API
from octavia.settings import Settings
from octavia.storage import Storage


def create_app(
    settings: Settings,
    *,
    database: Database | None = None,
    storage: Storage | None = None,
    broker: TaskBroker | None = None,
) -> Starlette:
    """Return the application. Parts that are not given are made from the settings, and closed with it.

    Raises:
      InputError: ``host_not_allowed``: keys are off, but other machines could reach the host in the settings.
    """
    check_host(settings)
    read_in_linear_time()
    assembly = Assembly(settings, database=database, storage=storage, broker=broker)
    app = Starlette(
        routes=[
            Mount(API, Router(_api_routes(), redirect_slashes=False)),
            Mount(openai.PREFIX, Router(_openai_routes(), redirect_slashes=False)),
            route("/openapi.json", get=pages.show_openapi),
            route("/docs", get=pages.show_docs),
            route("/docs/{file}", get=pages.show_docs_file),
            route("/operator", get=shell.show_operator),
            route("/pages/{version}/{name:path}", get=shell.show_page_file),
            route("/problems", get=pages.list_problems),
            route("/problems/{code}", get=pages.show_problem),
            route("/metrics", get=metrics.show_metrics),
            route("/healthz", get=health.healthz),
            route("/readyz", get=health.readyz),
        ],
        middleware=_middleware(settings, assembly.stopping),
        exception_handlers={
            OctaviaError: problems.on_octavia_error,
            HTTPException: problems.on_http_error,
            ClientDisconnect: problems.on_disconnect,
        },
        lifespan=assembly.lifespan,
    )
    assembly.install(app)
    app.state.error_formats = (openai.FORMAT,)
    app.router.redirect_slashes = False
    return app


def _middleware(settings: Settings, stopping: Stopping) -> list[Middleware]:
    required = keys_required(settings)
    pause, rate = settings.body_timeout_seconds, settings.body_bytes_per_second
    return [
        Middleware(SecurityHeaders),
        Middleware(Slashes),
        Middleware(RootPath, root=settings.root_path, trusted=settings.trusted_networks),
        Middleware(EarlyAnswer),
        *([Middleware(RequestSpans)] if settings.otlp_endpoint else []),
        Middleware(RequestLog),
        Middleware(SizeLimits),
        *([] if required else [Middleware(LoopbackOnly)]),
        Middleware(Authentication, required=required),
        Middleware(BodyTimeouts, pause=pause, bytes_per_second=rate, stopping=stopping),
    ]


def _api_routes() -> list[BaseRoute]:
    return [
        route("/jobs", get=jobs.list_jobs, post=jobs.submit_job),
        route("/jobs/{job_id}", get=jobs.show_job, delete=jobs.delete_job),
        route("/jobs/{job_id}/status", get=jobs.show_status),
        route("/jobs/{job_id}/log", get=job_log.show_log),
        route("/jobs/{job_id}/events", get=sse.watch_events),
        WebSocketRoute("/jobs/{job_id}/ws", websocket.watch_socket),
        route("/jobs/{job_id}/process", post=jobs.process_job),
        route("/jobs/{job_id}/process-async", post=jobs.process_job_async),
        route("/jobs/{job_id}/cancel", post=jobs.cancel_job),
        route("/jobs/{job_id}/retry", post=jobs.retry_job),
        route("/jobs/{job_id}/transcript.{format}", get=results.transcript),
        route("/jobs/{job_id}/translation.{format}", get=results.translation),
        route("/jobs/{job_id}/bilingual.{format}", get=results.bilingual),
        route("/jobs/{job_id}/audio", get=playing.play),
        route("/jobs/{job_id}/audio.{format}", get=results.audio),
        route("/jobs/{job_id}/video", get=results.video),
        route("/jobs/{job_id}/artifacts", get=results.list_artifacts),
        route("/jobs/{job_id}/artifacts.zip", get=results.archive),
        route("/jobs/{job_id}/artifacts/{name:path}", get=results.artifact),
        route("/jobs/{job_id}/utterances", get=utterances.list_utterances, patch=utterances.mend_utterances),
        route("/jobs/{job_id}/utterances/{utterance_id}", patch=utterances.mend_utterance),
        route("/jobs/{job_id}/webhooks", get=webhooks.list_webhooks),
        route("/jobs/{job_id}/webhooks/{delivery_id}/redeliver", post=webhooks.redeliver),
        route("/webhooks", get=webhooks.list_all_webhooks),
        route("/webhooks/{delivery_id}/redeliver", post=webhooks.redeliver_any),
        route("/languages", get=capabilities.list_languages),
        route("/voices", get=capabilities.list_voices),
        route("/models", get=capabilities.list_models),
        route("/keys", get=keys.list_keys, post=keys.create_key),
        route("/keys/{key_id}", delete=keys.revoke_key),
        route("/session", get=sessions.show_session, post=sessions.sign_in, delete=sessions.sign_out),
        *_operator_routes(),
    ]


def _operator_routes() -> list[BaseRoute]:
    return [
        route("/operator/overview", get=overview.show_overview),
        route("/operator/events", get=events.watch_overview),
        route("/operator/jobs", get=operated_jobs.list_operated_jobs),
        route("/operator/jobs/{job_id}", get=operated_jobs.show_operated_job),
        route("/operator/statistics", get=statistics.show_statistics),
        route("/operator/failures", get=statistics.show_failures),
        route("/operator/workers", get=workers.list_workers),
        route("/operator/filter-words", get=filter_words.list_filter_words),
        route("/operator/actions", get=actions.list_actions, post=actions.order_action),
        *_operator_queue_routes(),
    ]


def _operator_queue_routes() -> list[BaseRoute]:
    return [
        route("/operator/queues", get=queues.list_queues),
        route("/operator/pauses", get=pauses.show_pauses, post=pauses.create_pause),
        route("/operator/pauses/{pause_id}", delete=pauses.delete_pause),
        route("/operator/dead-letters", get=dead_letters.list_dead_letters),
        route("/operator/dead-letters/requeue", post=dead_letters.requeue_dead_letters),
        route("/operator/dead-letters/purge", post=dead_letters.purge_dead_letters),
        route("/operator/dead-letters/{letter_id}", get=dead_letters.show_dead_letter),
        route("/operator/scheduler", get=upkeep.show_scheduler),
        route("/operator/outbox", get=upkeep.show_outbox),
    ]


def _openai_routes() -> list[BaseRoute]:
    return [
        route("/audio/transcriptions", post=recordings.create_transcription),
        route("/audio/translations", post=recordings.create_translation),
        route("/audio/speech", post=speech.create_speech),
        route("/models", get=models.list_models),
        route("/models/{model_id}", get=models.show_model),
    ]
