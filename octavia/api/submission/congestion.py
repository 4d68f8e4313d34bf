"""Whether this deployment can take more jobs just now, by what it has on hand."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from octavia.errors import Unavailable
from octavia.storage import StorageFull

T = TypeVar("T")

_FRESH_SECONDS: Final = 1.0


class Congestion:
    """How many jobs wait, and how much room is left for files, as of a second ago at most.

    Parameters:
      most: While so many jobs wait, new ones are refused.
      least: Bytes of the storage that no upload may use: jobs that were accepted need room to be worked on.
    """

    def __init__(self, *, most: int, least: int) -> None:
        self._most = most
        self._least = least
        self._waiting = _Recent(0)
        self._free = _Recent[int | None](None)

    async def check_queue(self, count: Callable[[int], Awaitable[int]]) -> None:
        """Refuse a job while too many wait.

        Parameters:
          count: Counts them, as far as the number that it gets.

        Raises:
          Unavailable: ``queue_full``.
        """
        if await self._waiting.get(lambda: count(self._most)) >= self._most:
            raise Unavailable(
                f"{self._most:,} jobs wait already.",
                code="queue_full",
                hint="Submit it again later, as Retry-After says; jobs that are in the queue are not affected.",
            )

    async def check_room(self, free: Callable[[], Awaitable[int | None]], size: int = 0) -> None:
        """Refuse a job while there is little room for its files.

        Parameters:
          free: Says how many bytes are left; None: nobody knows.
          size: Of what is to be stored, as far as is known.

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


class _Recent(Generic[T]):
    """Something that is looked up once a second at most: to do so for every submission would cost more than it."""

    def __init__(self, first: T) -> None:
        self._known = first
        self._looked = -_FRESH_SECONDS

    async def get(self, look: Callable[[], Awaitable[T]]) -> T:
        if time.monotonic() - self._looked >= _FRESH_SECONDS:
            self._looked = time.monotonic()  # first: whoever comes while it is looked up goes by what was known
            self._known = await look()
        return self._known
