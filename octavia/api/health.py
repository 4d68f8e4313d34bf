"""Whether this process lives, and whether it could serve a job now."""

from collections.abc import Callable
from typing import Literal

import anyio
import structlog
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.answers import answer
from octavia.api.operations import operation
from octavia.api.services import Services, services
from octavia.errors import OctaviaError

log = structlog.get_logger()

_SECONDS = 4.0


class HealthOut(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class CheckOut(BaseModel):
    """One of the things that the API needs; ``detail`` and ``hint`` say what is wrong with it."""

    status: Literal["ok", "failed"]
    code: str | None = None
    detail: str | None = None
    hint: str | None = None


class ReadyOut(BaseModel):
    """Whether the API can serve, and each thing that it needs for that."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, CheckOut]


@operation("Whether the process lives", scope=None, answers={200: HealthOut})
async def healthz(request: Request) -> Response:
    """``GET /healthz``: this process answers."""
    return answer(HealthOut())


@operation("Whether it can serve", scope=None, answers={200: ReadyOut, 503: ReadyOut})
async def readyz(request: Request) -> Response:
    """``GET /readyz``: database, broker and storage, each with its own result; 503 unless all are well."""
    found: dict[str, CheckOut] = {}
    async with anyio.create_task_group() as group:
        parts = services(request)
        for name, check in _checks(parts).items():
            group.start_soon(_run, parts, found, name, check)
    ready = all(result.status == "ok" for result in found.values())
    if not ready:
        log.warning("not_ready", failing=[name for name, result in found.items() if result.status != "ok"])
    body = ReadyOut(status="ok" if ready else "unavailable", checks=dict(sorted(found.items())))
    return answer(body, 200 if ready else 503, exclude_none=True)


def _checks(parts: Services) -> dict[str, Callable[[], None] | None]:
    """What to call in a thread; None for what this deployment does without."""
    return {
        "database": parts.database.check,
        "broker": parts.broker.check if parts.broker is not None else None,
        "storage": parts.storage.check,
    }


async def _run(parts: Services, found: dict[str, CheckOut], name: str, check: Callable[[], None] | None) -> None:
    if check is None:
        found[name] = CheckOut(status="ok", detail="embedded")
        return
    try:
        await parts.check(check, _SECONDS)
        found[name] = CheckOut(status="ok")
    except TimeoutError:
        found[name] = CheckOut(status="failed", code="timeout", detail=f"No answer within {_SECONDS:.0f} s.")
    except OctaviaError as error:
        found[name] = CheckOut(status="failed", code=error.code, detail=error.message, hint=error.hint)
