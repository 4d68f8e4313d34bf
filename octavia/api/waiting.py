"""Waiting for a job to end without holding a thread or a database connection meanwhile."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import anyio

from octavia.api.services import Services
from octavia.jobs import queries
from octavia.jobs.records import JobRecord

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


async def until_ended(
    parts: Services, job_id: UUID, owner: str, seconds: float, gone: Callable[[], Awaitable[bool]]
) -> JobRecord:
    """The job once it has ended, or as it is after ``seconds`` or when the client is ``gone``.

    Raises:
      NotFound: It was deleted meanwhile.
    """
    deadline = anyio.current_time() + seconds
    pause = _FIRST_PAUSE
    while True:
        job = await parts.db(queries.get, job_id, owner)
        left = deadline - anyio.current_time()
        if job.status.ended or left <= 0 or await gone():
            return job
        await anyio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
