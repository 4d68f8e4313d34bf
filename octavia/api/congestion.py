"""Whether more jobs wait than this deployment takes."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from octavia.errors import Unavailable

_FRESH_SECONDS: Final = 1.0


class Congestion:
    """How many jobs wait, as of a second ago at most: to count them for every submission would cost more than it.

    Parameters:
      most: While so many jobs wait, new ones are refused.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0
        self._counted = -_FRESH_SECONDS

    async def check(self, count: Callable[[int], Awaitable[int]]) -> None:
        """Refuse a job while too many wait.

        Parameters:
          count: Counts them, as far as the number that it gets.

        Raises:
          Unavailable: ``queue_full``.
        """
        if time.monotonic() - self._counted >= _FRESH_SECONDS:
            self._counted = time.monotonic()  # first: whoever comes while it is counted goes by the last number
            self._waiting = await count(self._most)
        if self._waiting >= self._most:
            raise Unavailable(
                f"{self._most:,} jobs wait already.",
                code="queue_full",
                hint="Submit it again later, as Retry-After says; jobs that are in the queue are not affected.",
            )
