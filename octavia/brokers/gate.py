"""The gate before a process's queues: it takes no messages of those that are held, as paused ones are."""

import time
from collections.abc import Collection

from octavia.jobs.tables.states import Queue


class Gate:
    """The queues that are held. Threads may share it; everything is open at first."""

    def __init__(self) -> None:
        self._held: frozenset[Queue] = frozenset()
        self._until: dict[Queue, float] = {}

    def hold(self, queues: Collection[Queue]) -> None:
        """Hold these queues, and only these, until told otherwise."""
        self._held = frozenset(queues)

    def hold_for(self, queue: Queue, seconds: float) -> None:
        """Hold a queue for a while, whatever else it is told."""
        self._until[queue] = time.monotonic() + seconds

    def holds(self, queue: Queue) -> bool:
        """Return whether no message of the queue may be taken now."""
        return queue in self._held or time.monotonic() < self._until.get(queue, 0.0)
