"""All metrics. Names, units and suffixes are Prometheus'; the values of each label are few and known.

Counters and histograms say what a process has done. Figures are gauges that all processes read from one row of the
database (``octavia/jobs/status/figures.py``), or of this machine.
"""

from dataclasses import dataclass
from typing import Final

from prometheus_client import Gauge

from octavia.metrics.measures import REGISTRY, Measure

_TO_TWO_HOURS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 5400, 7200)
_OF_REQUESTS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_FACTORS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5, 10)

# Jobs
JOBS_SUBMITTED: Final = Measure("octavia_jobs_submitted_total", "Jobs created, without later runs of them.", ["type"])
JOBS_FINISHED: Final = Measure(
    "octavia_jobs_finished_total",
    "Runs of jobs that ended, once each: completed, failed or canceled; code is that of the error, if failed.",
    ["type", "outcome", "code"],
)

# Attempts of tasks
ATTEMPTS: Final = Measure(
    "octavia_attempts_total",
    "Attempts of tasks that ended: completed, retrying, failed, canceled or given_back (which costs no try).",
    ["stage", "outcome"],
)
RETRIES: Final = Measure(
    "octavia_retries_total", "Attempts that failed and are tried again, by the code of the error.", ["stage", "code"]
)
STAGE_SECONDS: Final = Measure(
    "octavia_stage_duration_seconds", "Seconds of each attempt, from claim to end.", ["stage", "outcome"], _TO_TWO_HOURS
)
QUEUE_WAIT: Final = Measure(
    "octavia_queue_wait_seconds",
    "Seconds that a task waited in its queue; tries after a failure, which wait on purpose, are left out.",
    ["stage"],
    _TO_TWO_HOURS,
)
REAL_TIME_FACTOR: Final = Measure(
    "octavia_real_time_factor",
    "Seconds of work for each second of media, of completed attempts; model is empty where a stage has none.",
    ["stage", "model"],
    _FACTORS,
)
AUDIO_SECONDS: Final = Measure(
    "octavia_audio_seconds_total", "Seconds of media that completed attempts worked on.", ["stage"]
)
TIME_LIMITS: Final = Measure(
    "octavia_time_limits_total",
    "Attempts past a time limit: soft, which they noticed, or hard, for which they were killed.",
    ["stage", "kind"],
)

# Worker processes
WORKER_DEATHS: Final = Measure(
    "octavia_worker_deaths_total",
    "Worker processes that ended unasked: memory (SIGKILL, most likely the kernel's), signal (another one), exit (a "
    "code other than 0), hard_limit. queue is all without a broker.",
    ["queue", "cause"],
)
WORKER_PROCESSES: Final = Gauge(
    "octavia_worker_processes",
    "This supervisor's worker processes: starting, idle, working, failing (they end as soon as they start).",
    ["queue", "state"],
    registry=REGISTRY,
)
WORKER_RESIDENT: Final = Gauge(
    "octavia_worker_resident_bytes", "Memory of this supervisor's worker processes.", ["queue"], registry=REGISTRY
)
MODELS_LOADED: Final = Gauge(
    "octavia_models_loaded", "Models that this supervisor's worker processes hold in memory.", registry=REGISTRY
)
MODEL_LOADS: Final = Measure("octavia_model_loads_total", "Models loaded into a process.", ["model"])
MODEL_LOAD_SECONDS: Final = Measure(
    "octavia_model_load_seconds", "Seconds to load a model, fetching it included.", ["model"], _TO_TWO_HOURS
)
MODEL_HITS: Final = Measure("octavia_model_cache_hits_total", "Uses of a model that was loaded already.")
MODEL_EVICTIONS: Final = Measure("octavia_model_cache_evictions_total", "Models unloaded to make room, or unused.")

# Messages and webhooks
RELAY_PUBLISHED: Final = Measure(
    "octavia_relay_published_total", "Messages that RabbitMQ has confirmed to this process's relay.", ["queue"]
)
RELAY_ERRORS: Final = Measure(
    "octavia_relay_errors_total", "Messages that this process's relay could not publish; they are tried again."
)
WEBHOOK_DELIVERIES: Final = Measure(
    "octavia_webhook_deliveries_total",
    "Attempts to deliver a webhook: delivered, retrying, failed (given up), lost (another courier has it).",
    ["outcome"],
)

# HTTP
HTTP_REQUESTS: Final = Measure(
    "octavia_http_requests_total",
    "Requests by route; route is other for an unknown path, method other for an unusual one.",
    ["method", "route", "status"],
)
HTTP_SECONDS: Final = Measure(
    "octavia_http_request_duration_seconds",
    "Seconds from a request's headers to the beginning of its answer.",
    ["method", "route"],
    _OF_REQUESTS,
)
UPLOADS: Final = Measure("octavia_uploads_total", "Files that clients have uploaded completely.")
UPLOAD_BYTES: Final = Measure("octavia_upload_bytes_total", "Bytes of those files.")
WATCHERS: Final = Gauge(
    "octavia_watchers", "Clients that wait for a job's events: SSE, WebSocket, Prefer: wait.", registry=REGISTRY
)

# The process
BUILD_INFO: Final = Gauge(
    "octavia_build_info",
    "1; its labels tell the release and what this process does.",
    ["version", "role"],
    registry=REGISTRY,
)
PROCESS_RESIDENT: Final = Gauge(
    "octavia_process_resident_bytes",
    "Memory of this process, without its worker processes.",
    ["role"],
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A gauge whose values come from elsewhere; ``label`` names its only label, if it has one."""

    documentation: str
    label: str = ""


OF_DATABASE: Final = {
    "octavia_jobs": Figure("Jobs, without deleted ones.", "status"),
    "octavia_queue_depth": Figure("Tasks that wait for a worker, without those whose next try is not due.", "queue"),
    "octavia_queue_oldest_seconds": Figure("How long the oldest of them has waited.", "queue"),
    "octavia_queue_running": Figure("Tasks that a worker has in hand.", "queue"),
    "octavia_queue_unacked": Figure(
        "Messages that workers have and RabbitMQ still keeps: one for each running task.", "queue"
    ),
    "octavia_queue_workers": Figure("Living worker processes that serve it.", "queue"),
    "octavia_queue_paused": Figure("1 if it is paused or drained on every host.", "queue"),
    "octavia_workers_wanted": Figure("Worker processes that would end the work in hand within five minutes.", "queue"),
    "octavia_dead_letters": Figure("Messages that no worker could handle. 0 without a broker.", "queue"),
    "octavia_outbox_waiting": Figure("Due messages that are not with the broker. 0 without one.", "queue"),
    "octavia_outbox_lag_seconds": Figure("How long the oldest that no running task holds up has been due."),
    "octavia_scheduler_last_round_seconds": Figure("Seconds since a kind of periodic work was last done.", "actor"),
}
"""Figures from the database: one process computes them, all show the same."""

OF_THIS_PROCESS: Final = {
    "octavia_database_up": Figure("1 if the database answered this process when it last read the figures."),
    "octavia_figures_age_seconds": Figure("How old the figures from the database are."),
    "octavia_disk_free_bytes": Figure("Free space: data is OCTAVIA_DATA_DIR, storage a folder's disk.", "mount"),
    "octavia_certificate_expiry_seconds": Figure(
        "Seconds until the first of the certificates that OCTAVIA_BROKER_URL names expires; less than 0 afterwards."
    ),
}
"""Figures that each process finds for itself, at the same time."""


def label_owners() -> None:
    """Tell jobs apart by their owner."""
    JOBS_SUBMITTED.label_also("owner")
    JOBS_FINISHED.label_also("owner")


def models_loaded() -> float:
    """The number of models that this process itself holds."""
    return next(iter(MODELS_LOADED.collect())).samples[0].value
