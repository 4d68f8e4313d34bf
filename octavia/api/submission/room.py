"""Room for another job: asked before anything of it is stored, and answered from what was looked up lately."""

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
"""Codes that refuse a job for want of room, when it is asked for beforehand or shows while the job is stored."""

_FRESH_SECONDS: Final = 1.0


class Congestion:
    """Counts of waiting jobs and free bytes, at most ``fresh`` seconds old, and the broker's alarm.

    Parameters:
      most: New jobs are refused while this many wait.
      least: Bytes of the storage that uploads leave free, because accepted jobs need room to be worked on.
      fresh: Seconds for which a count is used again.

    Attributes:
      alarm: Raises ``Unavailable`` while the broker takes no messages; None without a broker that has alarms.
    """

    def __init__(self, *, most: int, least: int, fresh: float = _FRESH_SECONDS) -> None:
        self.alarm: Callable[[], None] | None = None
        self._most = most
        self._least = least
        self._waiting = _Cached(0, fresh)
        self._free = _Cached[int | None](None, fresh)

    def check_alarm(self) -> None:
        """Refuse a job while the broker has an alarm.

        Raises:
          Unavailable: ``broker_blocked``.
        """
        if self.alarm is not None:
            self.alarm()

    async def check_queue(self, count: Callable[[int], Awaitable[int]]) -> None:
        """Refuse a job while too many wait.

        Parameters:
          count: Counts waiting jobs, up to the number that it is given.

        Raises:
          Unavailable: ``queue_full``.
        """
        if await self._waiting.get(lambda: count(self._most)) >= self._most:
            raise Unavailable(
                f"{self._most:,} jobs wait already.",
                code="queue_full",
                hint="Submit it again later, as Retry-After says; jobs that are in the queue are not affected.",
            )

    async def check_space(self, free: Callable[[], Awaitable[int | None]], size: int = 0) -> None:
        """Refuse a job while there is little space for its files.

        Parameters:
          free: Returns the free bytes; None if the storage does not tell.
          size: Bytes to be stored, as far as is known.

        Raises:
          StorageFull: ``storage_full``.
        """
        left = await self._free.get(free)
        if left is not None and left - size < self._least:
            raise StorageFull(
                "The storage is nearly full, and what is left is for jobs that were accepted.",
                hint="Submit it again later, as Retry-After says, or have the operator make room "
                "(OCTAVIA_MIN_FREE_BYTES is kept free).",
            )


def congestion_of(connection: HTTPConnection) -> Congestion:
    """Return the counts of the app that serves a request."""
    congestion: Congestion = connection.app.state.congestion
    return congestion


async def check_submission(request: Request) -> None:
    """Refuse a job of a key that has too many in flight, and any job for which there is no room.

    Raises:
      TooMany: ``too_many_jobs``.
      OctaviaError: As ``check_capacity``.
    """
    context, client = context_of(request), principal(request)
    await check_capacity(request)
    if client.key is not None and client.jobs_in_flight:
        await context.db(limits.check_jobs, client.key.id, client.jobs_in_flight)


async def check_capacity(request: Request) -> None:
    """Refuse any job for which there is no room. A job that exists already is not counted twice among its key's.

    A broker that is away refuses nothing: jobs wait for it in the outbox, up to the limit for waiting jobs. A broker
    with an alarm says that the deployment has too much to do as it is.

    Raises:
      Unavailable: ``broker_blocked`` or ``queue_full``.
      StorageFull: ``storage_full``.
    """
    context, congestion = context_of(request), congestion_of(request)
    congestion.check_alarm()
    await congestion.check_space(lambda: context.io(context.storage.free), declared_size(request))
    await congestion.check_queue(lambda most: context.db(limits.count_queued_jobs, most))


class _Cached(Generic[T]):
    """A value cached for a moment; asking for it on every submission would cost more than the submission."""

    def __init__(self, first: T, seconds: float) -> None:
        self._value = first
        self._seconds = seconds
        self._asked = -seconds

    async def get(self, ask: Callable[[], Awaitable[T]]) -> T:
        if time.monotonic() - self._asked >= self._seconds:
            self._asked = time.monotonic()  # first: requests that come meanwhile go by the value from before
            self._value = await ask()
        return self._value
