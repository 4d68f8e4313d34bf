"""Waiting for a job to end without holding a thread or a database connection meanwhile."""

from typing import Final
from uuid import UUID

import anyio
from anyio import CancelScope
from starlette.requests import Request

from octavia.api.context import context_of
from octavia.api.http.identity import key_id, no_longer_valid, owner
from octavia.api.live.hub import hub_of
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord

_DISCONNECT_POLL_SECONDS: Final = 1.0
"""Interval at which to check that a waiting client is still connected."""


async def until_ended(request: Request, job_id: UUID, seconds: float) -> JobRecord:
    """Wait until a job has ended, for at most ``seconds``, or until the client disconnects or the API stops.

    Returns:
      The job as it is then.

    Raises:
      NotFound: The client has no such job, or it was deleted meanwhile.
      InputError: ``invalid_key``: the client's key was revoked or has expired meanwhile.
    """
    context = context_of(request)
    key_invalid = False
    job = await context.db(queries.get, job_id, owner(request))
    if job.status.ended or seconds <= 0:
        return job
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_disconnected, request, tasks.cancel_scope)
            async with hub_of(request).watch(job_id, after=job.event_seq, key=key_id(request)) as watch:
                async for _ in watch:
                    pass
                key_invalid = watch.key_invalid
            tasks.cancel_scope.cancel()
    if key_invalid:
        raise no_longer_valid()
    return await context.db(queries.get, job_id, owner(request))


async def _cancel_when_disconnected(request: Request, waiting: CancelScope) -> None:
    while True:
        if await request.is_disconnected():
            waiting.cancel()
            return
        await anyio.sleep(_DISCONNECT_POLL_SECONDS)
