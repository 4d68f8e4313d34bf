"""Whether this process lives, and whether it could serve a job now."""

from collections.abc import Callable
from typing import Any

import anyio
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse

from octavia.api.services import Services, services
from octavia.errors import OctaviaError

log = structlog.get_logger()

_SECONDS = 4.0


async def healthz(request: Request) -> JSONResponse:
    """``GET /healthz``: this process answers."""
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


async def readyz(request: Request) -> JSONResponse:
    """``GET /readyz``: database, broker and storage, each with its own result; 503 unless all are well."""
    found: dict[str, dict[str, Any]] = {}
    async with anyio.create_task_group() as group:
        parts = services(request)
        for name, check in _checks(parts).items():
            group.start_soon(_run, parts, found, name, check)
    ready = all(result["status"] == "ok" for result in found.values())
    if not ready:
        log.warning("not_ready", failing=[name for name, result in found.items() if result["status"] != "ok"])
    return JSONResponse(
        {"status": "ok" if ready else "unavailable", "checks": dict(sorted(found.items()))},
        200 if ready else 503,
        headers={"cache-control": "no-store"},
    )


def _checks(parts: Services) -> dict[str, Callable[[], None] | None]:
    """What to call in a thread; None for what this deployment does without."""
    return {
        "database": parts.database.check,
        "broker": parts.broker.check if parts.broker is not None else None,
        "storage": parts.storage.check,
    }


async def _run(parts: Services, found: dict[str, dict[str, Any]], name: str, check: Callable[[], None] | None) -> None:
    if check is None:
        found[name] = {"status": "ok", "detail": "embedded"}
        return
    try:
        await parts.check(check, _SECONDS)
        found[name] = {"status": "ok"}
    except TimeoutError:
        found[name] = {"status": "failed", "code": "timeout", "detail": f"No answer within {_SECONDS:.0f} s."}
    except OctaviaError as error:
        found[name] = {"status": "failed", "code": error.code, "detail": error.message, "hint": error.hint}
