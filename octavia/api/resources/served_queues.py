"""The workers that live, by queue: without any for a queue, accepted jobs would wait for ever."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from starlette.requests import HTTPConnection

from octavia.errors import Unavailable
from octavia.jobs.tables.states import Queue


class ServedQueues:
    """Judges the numbers of living workers, and remembers when each queue last had one.

    Until a queue had its first worker it counts as not served. From then on, workers may be away for ``grace_seconds``,
    as while they are replaced: a balancer must not drop all APIs for that.

    Parameters:
      needed: The queues that must be served.
      count: Counts the living workers of each queue.

    Attributes:
      living: The numbers of living workers at the last count; empty if they could not be counted.
    """

    def __init__(
        self, needed: Collection[Queue], count: Callable[[], Awaitable[Mapping[Queue, int]]], *, grace_seconds: float
    ) -> None:
        self._needed = needed
        self._count = count
        self._grace_seconds = grace_seconds
        self._served_at: dict[Queue, float] = {}
        self.living: Mapping[Queue, int] = {}

    async def count(self) -> None:
        """Count the living workers of each queue."""
        self.living = {}
        self.living = await self._count()
        moment = time.monotonic()
        self._served_at.update({queue: moment for queue, amount in self.living.items() if amount})

    def check(self, paused: Collection[Queue] = ()) -> None:
        """Raise ``Unavailable`` (``no_workers``) if a needed queue is not served, by the last count.

        Parameters:
          paused: Queues that need not be: nobody works on them because an operator wants that.
        """
        since = time.monotonic() - self._grace_seconds
        needed = [queue for queue in self._needed if queue not in paused]
        missing = [queue.value for queue in needed if self._served_at.get(queue, float("-inf")) < since]
        if missing:
            raise Unavailable(
                f"No living worker serves {', '.join(missing)}.",
                code="no_workers",
                hint=f"Start `octavia worker --queues {','.join(missing)}`, or see in its log why it does not come up. "
                "A deployment that needs no workers there leaves them out of OCTAVIA_READY_QUEUES.",
            )


def served_queues_of(connection: HTTPConnection) -> ServedQueues:
    """Return the served queues of the app that serves a request."""
    served: ServedQueues = connection.app.state.served_queues
    return served
