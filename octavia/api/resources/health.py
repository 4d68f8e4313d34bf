"""``/healthz`` and ``/readyz``: this process is alive, and it can accept jobs."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Literal

import anyio
import structlog
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http.bodies import answer
from octavia.api.http.operations import operation
from octavia.api.http.problems import RETRY_AFTER_SECONDS
from octavia.api.live.hub import hub_of
from octavia.api.resources.served_queues import served_queues_of
from octavia.api.submission.room import congestion_of
from octavia.background import Turns
from octavia.errors import OctaviaError, Unavailable
from octavia.jobs.access import limits
from octavia.jobs.status import queues, workers
from octavia.jobs.tables.states import Queue

log = structlog.get_logger()


class HealthOut(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class CheckOut(BaseModel):
    """The state of one part that the API needs to accept a job; ``code`` and ``hint`` describe a failure.

    Messages of drivers are only logged: they may name hosts and users, and anybody may call this.
    """

    status: Literal["ok", "failed"]
    code: str | None = None
    detail: str | None = None
    hint: str | None = None


class ReadyOut(BaseModel):
    """The API's readiness to accept jobs, that of each part it needs, and the living workers of each queue."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, CheckOut]
    workers: dict[str, int]


@operation("Check that the process is alive", tag="Service", scope=None, answers={200: HealthOut})
async def healthz(request: Request) -> Response:
    """``GET /healthz``: this process answers."""
    return answer(HealthOut())


@operation("Check that the API can accept jobs", tag="Service", scope=None, answers={200: ReadyOut, 503: ReadyOut})
async def readyz(request: Request) -> Response:
    """``GET /readyz``: each part that jobs need, with its own result; 503 unless all are well."""
    found: dict[str, CheckOut] = {}
    seconds = context_of(request).check_seconds
    async with anyio.create_task_group() as group:
        for name, check in _CHECKS.items():
            group.start_soon(_run, found, name, partial(check, request), seconds)
    ready = all(result.status == "ok" for result in found.values())
    body = ReadyOut(
        status="ok" if ready else "unavailable",
        checks=dict(sorted(found.items())),
        workers={queue.value: amount for queue, amount in served_queues_of(request).living.items()},
    )
    headers = {} if ready else {"retry-after": str(RETRY_AFTER_SECONDS)}
    return answer(body, 200 if ready else 503, headers=headers, exclude_none=True)


async def _check_background(request: Request) -> None:
    if hub_of(request).closed:
        raise Unavailable("This server is stopping.", hint="Send the request to another server, or again later.")
    background: list[Turns] = request.app.state.background
    broken = [turns.name for turns in background if turns.broken]
    if broken:
        names = ", ".join(broken)
        raise Unavailable(
            f"Work in the background fails again and again: {names}.",
            code="background_failed",
            hint=f"See the log for {', '.join(f'{name}_failed' for name in broken)}, and report it.",
        )


async def _check_database(request: Request) -> None:
    context = context_of(request)
    await context.check(context.database.check)


async def _check_queue(request: Request) -> None:
    context = context_of(request)
    try:
        await congestion_of(request).check_queue(
            lambda most: context.check(partial(limits.count_queued_jobs, context.database, most))
        )
    except (Unavailable, TimeoutError) as error:
        # A database that does not answer is reported by its own check.
        if getattr(error, "code", None) == "queue_full":
            raise


async def _check_workers(request: Request) -> str | None:
    context, served = context_of(request), served_queues_of(request)
    try:
        _, paused = await context.check(partial(queues.read_pauses, context.database, context.settings.patience))
        await served.count()
        await context.check(partial(workers.check, context.database))
    except (Unavailable, TimeoutError) as error:
        # As for the queue.
        if getattr(error, "code", None) == "workers_failing":
            raise
        return None
    served.check(paused)
    # A queue that stands because an operator wants that is no fault: jobs are accepted, and wait.
    return f"paused: {', '.join(queue for queue in Queue if queue in paused)}" if paused else None


async def _check_broker(request: Request) -> str | None:
    context = context_of(request)
    if context.check_broker is None:
        return "embedded"
    await context.check(context.check_broker)
    congestion_of(request).check_alarm()
    return None


async def _check_storage(request: Request) -> None:
    context = context_of(request)
    await context.check(congestion_of(request).space.check)
    await context.check(context.storage.check)


_CHECKS: Final[dict[str, Callable[[Request], Awaitable[str | None]]]] = {
    "background": _check_background,
    "database": _check_database,
    "queue": _check_queue,
    "workers": _check_workers,
    "broker": _check_broker,
    "storage": _check_storage,
}
"""Checks by name. Each returns an optional remark, or raises if its part has failed."""


async def _run(
    found: dict[str, CheckOut], name: str, check: Callable[[], Awaitable[str | None]], seconds: float
) -> None:
    try:
        found[name] = CheckOut(status="ok", detail=await check())
    except TimeoutError:
        log.warning("not_ready", failing=name, code="timeout")
        hint = f"It gave no answer within {seconds:.0f} s: see whether it is overloaded."
        found[name] = CheckOut(status="failed", code="timeout", hint=hint)
    except OctaviaError as error:
        log.warning("not_ready", failing=name, code=error.code, detail=str(error))
        found[name] = CheckOut(status="failed", code=error.code, hint=error.hint)
    except Exception:
        log.exception("not_ready", failing=name, code="internal_error")
        hint = "The check itself went wrong: its log says why. Report it."
        found[name] = CheckOut(status="failed", code="internal_error", hint=hint)
