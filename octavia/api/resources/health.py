"""Whether this process lives, and whether it could take a job now."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Literal

import anyio
import structlog
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.http.answers import answer
from octavia.api.http.operations import operation
from octavia.api.http.problems import RETRY_AFTER_SECONDS
from octavia.api.services import Services, services
from octavia.errors import OctaviaError, Unavailable
from octavia.jobs.access import limits

log = structlog.get_logger()

_SECONDS = 4.0
_EMBEDDED: Final = "embedded"


class HealthOut(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class CheckOut(BaseModel):
    """One of the things that the API needs to take a job; ``code`` and ``hint`` say what is wrong with it.

    What a driver says of it is in the log: it may name hosts and users, and anybody may ask here.
    """

    status: Literal["ok", "failed"]
    code: str | None = None
    detail: str | None = None
    hint: str | None = None


class ReadyOut(BaseModel):
    """Whether the API can take jobs, and each thing that it needs for that."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, CheckOut]


@operation("Whether the process lives", scope=None, answers={200: HealthOut})
async def healthz(request: Request) -> Response:
    """``GET /healthz``: this process answers."""
    return answer(HealthOut())


@operation("Whether it can take jobs", scope=None, answers={200: ReadyOut, 503: ReadyOut})
async def readyz(request: Request) -> Response:
    """``GET /readyz``: database, queue, broker and storage, each with its own result; 503 unless all are well."""
    found: dict[str, CheckOut] = {}
    parts = services(request)
    async with anyio.create_task_group() as group:
        for name, check in _CHECKS.items():
            group.start_soon(_run, found, name, partial(check, parts))
    ready = all(result.status == "ok" for result in found.values())
    body = ReadyOut(status="ok" if ready else "unavailable", checks=dict(sorted(found.items())))
    headers = {} if ready else {"retry-after": str(RETRY_AFTER_SECONDS)}
    return answer(body, 200 if ready else 503, headers=headers, exclude_none=True)


async def _check_database(parts: Services) -> None:
    await parts.check(parts.database.check, _SECONDS)


async def _check_queue(parts: Services) -> None:
    try:
        await parts.congestion.check_queue(
            lambda most: parts.check(partial(limits.queued_jobs, parts.database, most), _SECONDS)
        )
    except (Unavailable, TimeoutError) as error:
        # What keeps the database from answering is another check's to tell.
        if getattr(error, "code", None) == "queue_full":
            raise


async def _check_broker(parts: Services) -> str | None:
    if parts.broker is None:
        return _EMBEDDED
    await parts.check(parts.broker.check, _SECONDS)
    parts.check_alarm()
    return None


async def _check_storage(parts: Services) -> None:
    await parts.congestion.check_room(lambda: parts.check(parts.storage.free, _SECONDS))
    await parts.check(parts.storage.check, _SECONDS)


_CHECKS: Final[dict[str, Callable[[Services], Awaitable[str | None]]]] = {
    "database": _check_database,
    "queue": _check_queue,
    "broker": _check_broker,
    "storage": _check_storage,
}
"""By name; each returns what there is to say although all is well."""


async def _run(found: dict[str, CheckOut], name: str, check: Callable[[], Awaitable[str | None]]) -> None:
    try:
        found[name] = CheckOut(status="ok", detail=await check())
    except TimeoutError:
        log.warning("not_ready", failing=name, code="timeout")
        hint = f"It gave no answer within {_SECONDS:.0f} s: see whether it is overloaded."
        found[name] = CheckOut(status="failed", code="timeout", hint=hint)
    except OctaviaError as error:
        log.warning("not_ready", failing=name, code=error.code, detail=str(error))
        found[name] = CheckOut(status="failed", code=error.code, hint=error.hint)
