"""Waiting for a job to end without holding a thread or a database connection meanwhile."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import anyio
from anyio import CancelScope

from octavia.api.context import Context
from octavia.api.http.identity import no_longer_valid
from octavia.api.live.hub import Hub
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord

_GONE_SECONDS: Final = 1.0
"""How often a waiting client is asked whether it is still there."""


async def until_ended(
    context: Context,
    hub: Hub,
    job_id: UUID,
    owner: str,
    seconds: float,
    gone: Callable[[], Awaitable[bool]],
    *,
    key: UUID | None = None,
) -> JobRecord:
    """The job once it has ended, or as it is after ``seconds``, when the client is ``gone``, or when the API stops.

    Parameters:
      key: The API key that the client came with.

    Raises:
      NotFound: It was deleted meanwhile.
      InputError: ``invalid_key``: the key was revoked or has expired meanwhile.
    """
    barred = False
    job = await context.db(queries.get, job_id, owner)
    if job.status.ended or seconds <= 0:
        return job
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when, gone, tasks.cancel_scope)
            async with hub.watch(job_id, after=job.event_seq, key=key) as watch:
                async for _ in watch:
                    pass
                barred = watch.barred
            tasks.cancel_scope.cancel()
    if barred:
        raise no_longer_valid()
    return await context.db(queries.get, job_id, owner)


async def _cancel_when(gone: Callable[[], Awaitable[bool]], waiting: CancelScope) -> None:
    while True:
        if await gone():
            waiting.cancel()
            return
        await anyio.sleep(_GONE_SECONDS)
