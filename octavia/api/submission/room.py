"""Refuses jobs while there is no room for them, and keeps room for those whose requests are arriving."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from uuid import UUID

from starlette.requests import HTTPConnection, Request

from octavia.api.context import context_of
from octavia.api.http.bodies import declared_size
from octavia.api.http.identity import Principal, principal
from octavia.api.submission.idempotency import Attempt
from octavia.errors import Unavailable
from octavia.jobs.access import limits
from octavia.storage import Reservation, Space

NO_ROOM: Final = (
    *("too_many_jobs", "queue_full", "broker_blocked"),
    *("storage_full", "storage_refused", "storage_unavailable"),
)
"""Codes of errors for jobs without room, found before the job is stored or while it is."""


class Congestion:
    """The number of waiting jobs, the free bytes, the broker's alarm, and the jobs whose requests are arriving.

    Parameters:
      max_queued: New jobs are refused while this many wait.
      space: The free bytes of the storage.
      fresh_seconds: How long the number of waiting jobs is cached; jobs that this process makes meanwhile are added.

    Attributes:
      check_alarm: Raises ``Unavailable`` (``broker_blocked``) while the broker has an alarm; does nothing without one.
    """

    def __init__(self, *, max_queued: int, space: Space, fresh_seconds: float = 1.0) -> None:
        self.check_alarm: Callable[[], None] = lambda: None
        self.space = space
        self._max_queued = max_queued
        self._counted = 0
        self._added = 0
        self._counted_at = -fresh_seconds
        self._fresh_seconds = fresh_seconds
        self._arriving: dict[UUID, set[UUID]] = {}

    async def check_queue(self, count: Callable[[int], Awaitable[int]], *, adding: int = 0) -> None:
        """Refuse a job while too many wait.

        Parameters:
          count: Counts waiting jobs, up to the given number.
          adding: Number of jobs that the caller queues now.

        Raises:
          Unavailable: ``queue_full``.
        """
        # Counting on every submission would cost more than the submission. But those that were added may be done.
        doubtful = self._added > 0 and self._counted + self._added >= self._max_queued
        if doubtful or time.monotonic() - self._counted_at >= self._fresh_seconds:
            self._counted_at = time.monotonic()  # first, so that requests during the counting use the old number
            self._counted, self._added = await count(self._max_queued), 0
        if self._counted + self._added >= self._max_queued:
            raise Unavailable(
                f"{self._max_queued:,} jobs wait already.",
                code="queue_full",
                hint="Submit it again later, as Retry-After says; jobs that are in the queue are not affected.",
            )
        self._added += adding

    @contextmanager
    def arriving(self, client: Principal, job_id: UUID) -> Iterator[frozenset[UUID]]:
        """Count a job as in flight while its request arrives, and yield the ids of its key's other such jobs.

        Raises ``TooMany`` (``too_many_jobs``) if they are as many as the key may have in flight.
        """
        if client.key is None or not client.jobs_in_flight:
            yield frozenset()
            return
        jobs = self._arriving.setdefault(client.key.id, set())
        if len(jobs) >= client.jobs_in_flight:
            raise limits.too_many_jobs(client.jobs_in_flight)
        others = frozenset(jobs)
        jobs.add(job_id)
        try:
            yield others
        finally:
            jobs.remove(job_id)
            if not jobs:
                self._arriving.pop(client.key.id, None)


def congestion_of(connection: HTTPConnection) -> Congestion:
    """Return the congestion of the app that serves a request."""
    congestion: Congestion = connection.app.state.congestion
    return congestion


@asynccontextmanager
async def admitted(attempt: Attempt, job_id: UUID) -> AsyncIterator[Reservation | None]:
    """Keep room for a new job while its request is served; yields the room for its file, or None if it is a repeat.

    The declared size of the body is reserved at once. A body of unknown size finds its room as it is written.

    Raises as ``check_submission``.
    """
    if not attempt.is_first:
        yield None
        return
    request, client = attempt.request, principal(attempt.request)
    context, congestion = context_of(request), congestion_of(request)
    congestion.check_alarm()
    await _check_queue(request)
    with congestion.arriving(client, job_id) as others:
        if client.key is not None and client.jobs_in_flight:
            await context.db(limits.check_jobs, client.key.id, client.jobs_in_flight, arriving=others)
        # A larger body is refused as such, whether or not there is room for it.
        size = min(declared_size(request), context.settings.max_upload_bytes)
        room = await context.io(congestion.space.reserve, size)
        try:
            yield room
        finally:
            room.release()


async def queue_job(request: Request) -> None:
    """Take a place in the queue for a job that is made now. Raises ``Unavailable`` (``queue_full``).

    Other API processes learn of it within a second, so each may exceed the limit by what it accepts in that time.
    """
    await _check_queue(request, adding=1)


async def check_submission(request: Request) -> None:
    """Refuse a new run of a job if its client's key has too many jobs in flight, or if there is no room for it.

    Raises ``TooMany`` (``too_many_jobs``), or as ``check_capacity``.
    """
    context, client = context_of(request), principal(request)
    await check_capacity(request)
    if client.key is not None and client.jobs_in_flight:
        await context.db(limits.check_jobs, client.key.id, client.jobs_in_flight)


async def check_capacity(request: Request) -> None:
    """Refuse a job if there is no room for it; for jobs that are already counted as in flight.

    An unreachable broker refuses nothing, because jobs wait for it in the outbox, up to the limit for waiting jobs. A
    broker with an alarm refuses jobs, because the deployment is overloaded.

    Raises:
      Unavailable: ``broker_blocked`` or ``queue_full``.
      StorageFull: ``storage_full``.
    """
    congestion = congestion_of(request)
    congestion.check_alarm()
    await context_of(request).io(congestion.space.check)
    await _check_queue(request)


async def _check_queue(request: Request, *, adding: int = 0) -> None:
    context = context_of(request)
    await congestion_of(request).check_queue(lambda most: context.db(limits.count_queued_jobs, most), adding=adding)
