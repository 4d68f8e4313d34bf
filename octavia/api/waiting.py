"""Waiting for a job to end without holding a thread or a database connection meanwhile."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import anyio
from anyio import CancelScope

from octavia.api.services import Services
from octavia.jobs import queries
from octavia.jobs.records import JobRecord

_GONE_SECONDS: Final = 1.0
"""How often a waiting client is asked whether it is still there."""


async def until_ended(
    parts: Services, job_id: UUID, owner: str, seconds: float, gone: Callable[[], Awaitable[bool]]
) -> JobRecord:
    """The job once it has ended, or as it is after ``seconds``, when the client is ``gone``, or when the API stops.

    Raises:
      NotFound: It was deleted meanwhile.
    """
    job = await parts.db(queries.get, job_id, owner)
    if job.status.ended or seconds <= 0:
        return job
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when, gone, tasks.cancel_scope)
            async with parts.live.watch(job_id, after=job.event_seq) as watch:
                async for _ in watch:
                    pass
            tasks.cancel_scope.cancel()
    return await parts.db(queries.get, job_id, owner)


async def _cancel_when(gone: Callable[[], Awaitable[bool]], waiting: CancelScope) -> None:
    while True:
        if await gone():
            waiting.cancel()
            return
        await anyio.sleep(_GONE_SECONDS)
