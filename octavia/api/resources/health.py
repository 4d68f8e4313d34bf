"""``/healthz`` and ``/readyz``: this process is alive, and it can accept jobs."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Literal

import anyio
import structlog
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import Context, context_of
from octavia.api.http.bodies import answer
from octavia.api.http.operations import operation
from octavia.api.http.problems import RETRY_AFTER_SECONDS
from octavia.api.submission.room import Congestion, congestion_of
from octavia.errors import OctaviaError, Unavailable
from octavia.jobs.access import limits
from octavia.jobs.status import workers

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
    """The API's readiness to accept jobs, and that of each part it needs."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, CheckOut]


@operation("Check that the process is alive", tag="Service", scope=None, answers={200: HealthOut})
async def healthz(request: Request) -> Response:
    """``GET /healthz``: this process answers."""
    return answer(HealthOut())


@operation("Check that the API can accept jobs", tag="Service", scope=None, answers={200: ReadyOut, 503: ReadyOut})
async def readyz(request: Request) -> Response:
    """``GET /readyz``: database, queue, broker and storage, each with its own result; 503 unless all are well."""
    found: dict[str, CheckOut] = {}
    context, congestion = context_of(request), congestion_of(request)
    async with anyio.create_task_group() as group:
        for name, check in _CHECKS.items():
            group.start_soon(_run, found, name, partial(check, context, congestion), context.check_seconds)
    ready = all(result.status == "ok" for result in found.values())
    body = ReadyOut(status="ok" if ready else "unavailable", checks=dict(sorted(found.items())))
    headers = {} if ready else {"retry-after": str(RETRY_AFTER_SECONDS)}
    return answer(body, 200 if ready else 503, headers=headers, exclude_none=True)


async def _check_database(context: Context, _: Congestion) -> None:
    await context.check(context.database.check)


async def _check_queue(context: Context, congestion: Congestion) -> None:
    try:
        await congestion.check_queue(
            lambda most: context.check(partial(limits.count_queued_jobs, context.database, most))
        )
        await context.check(partial(workers.check, context.database))
    except (Unavailable, TimeoutError) as error:
        # A database that does not answer is reported by its own check.
        if getattr(error, "code", None) in ("queue_full", "workers_failing"):
            raise


async def _check_broker(context: Context, congestion: Congestion) -> str | None:
    if context.broker is None:
        return "embedded"
    await context.check(context.broker.check)
    congestion.check_alarm()
    return None


async def _check_storage(context: Context, congestion: Congestion) -> None:
    await congestion.check_space(lambda: context.check(context.storage.free))
    await context.check(context.storage.check)


_CHECKS: Final[dict[str, Callable[[Context, Congestion], Awaitable[str | None]]]] = {
    "database": _check_database,
    "queue": _check_queue,
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
