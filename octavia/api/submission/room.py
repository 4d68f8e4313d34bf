"""Refuses jobs while there is no room for them, before anything is stored. Counts are cached for a second."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from starlette.requests import HTTPConnection, Request

from octavia.api.context import context_of
from octavia.api.http.bodies import declared_size
from octavia.api.http.identity import principal
from octavia.errors import Unavailable
from octavia.jobs.access import limits
from octavia.storage import StorageFull

T = TypeVar("T")

NO_ROOM: Final = (
    *("too_many_jobs", "queue_full", "broker_blocked"),
    *("storage_full", "storage_refused", "storage_unavailable"),
)
"""Codes of errors for jobs without room, found before the job is stored or while it is."""


class Congestion:
    """Cached numbers of waiting jobs and free bytes, and the broker's alarm.

    Parameters:
      max_queued: New jobs are refused while this many wait.
      min_free: Bytes of the storage that uploads leave free, because accepted jobs need room for their results.
      fresh_seconds: How long a number is cached.

    Attributes:
      check_alarm: Raises ``Unavailable`` (``broker_blocked``) while the broker has an alarm; does nothing without one.
    """

    def __init__(self, *, max_queued: int, min_free: int, fresh_seconds: float = 1.0) -> None:
        self.check_alarm: Callable[[], None] = lambda: None
        self._max_queued = max_queued
        self._min_free = min_free
        self._queued = _Cached(0, fresh_seconds)
        self._free = _Cached[int | None](None, fresh_seconds)

    async def check_queue(self, count: Callable[[int], Awaitable[int]]) -> None:
        """Refuse a job while too many wait.

        Parameters:
          count: Counts waiting jobs, up to the given number.

        Raises:
          Unavailable: ``queue_full``.
        """
        if await self._queued.get(lambda: count(self._max_queued)) >= self._max_queued:
            raise Unavailable(
                f"{self._max_queued:,} jobs wait already.",
                code="queue_full",
                hint="Submit it again later, as Retry-After says; jobs that are in the queue are not affected.",
            )

    async def check_space(self, free: Callable[[], Awaitable[int | None]], size: int = 0) -> None:
        """Refuse a job while there is little space for its files.

        Parameters:
          free: Returns the storage's free bytes; None if they are unknown.
          size: Number of bytes to store; 0 if unknown.

        Raises:
          StorageFull: ``storage_full``.
        """
        left = await self._free.get(free)
        if left is not None and left - size < self._min_free:
            raise StorageFull(
                "The storage is nearly full, and its last bytes are reserved for accepted jobs.",
                hint="Submit it again later, as Retry-After says, or have the operator make room "
                "(OCTAVIA_MIN_FREE_BYTES is kept free).",
            )


def congestion_of(connection: HTTPConnection) -> Congestion:
    """Return the congestion of the app that serves a request."""
    congestion: Congestion = connection.app.state.congestion
    return congestion


async def check_submission(request: Request) -> None:
    """Refuse a job if its key has too many in flight, or if there is no room for it.

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
    context, congestion = context_of(request), congestion_of(request)
    congestion.check_alarm()
    await congestion.check_space(lambda: context.io(context.storage.free), declared_size(request))
    await congestion.check_queue(lambda most: context.db(limits.count_queued_jobs, most))


class _Cached(Generic[T]):
    """A value cached for some seconds; reading it on every submission would cost more than the submission."""

    def __init__(self, first: T, seconds: float) -> None:
        self._value = first
        self._seconds = seconds
        self._read_at = -seconds

    async def get(self, read: Callable[[], Awaitable[T]]) -> T:
        if time.monotonic() - self._read_at >= self._seconds:
            self._read_at = time.monotonic()  # first, so that requests during the reading use the old value
            self._value = await read()
        return self._value
