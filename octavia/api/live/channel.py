"""What is known of one watched job, shared by all who watch it."""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

import anyio

from octavia.jobs.status.watching import News
from octavia.jobs.tables.records import EventRecord

KEPT: Final = 64
"""How many of a job's newest events stay in memory for those who watch it; who is further behind reads for himself."""


class Channel:
    """One watched job.

    Attributes:
      seq: The number of its newest event.
      ended: Nothing follows that one for now.
      gone: The job is not there any more.
      read: Which of the hub's readings this is from; 0: none yet.
      watchers: How many watch it.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.ended = False
        self.gone = False
        self.read = 0
        self.watchers = 0
        self._events: deque[EventRecord] = deque(maxlen=KEPT)
        self._changed = anyio.Event()

    def take(self, news: News | None, read: int) -> None:
        """Note what a reading found, None when it found no such job, and wake who waits if that is something new."""
        before = (self.seq, self.ended, self.gone)
        self.read = read
        if news is None:
            self.gone = True
        elif news.seq >= self.seq:
            new = [event for event in news.events if event.seq > self.seq]
            if news.seq > self.seq and (not new or new[0].seq > self.seq + 1):
                # Some were skipped, or deleted: what is kept must have no gaps.
                self._events.clear()
            self._events.extend(new)
            self.seq, self.ended = news.seq, news.ended
        if (self.seq, self.ended, self.gone) != before:
            self.notify()

    def after(self, seq: int) -> Sequence[EventRecord] | None:
        """The events after ``seq``; None when the first of them is not kept any more."""
        if not self._events or self._events[0].seq > seq + 1:
            return None
        return list(islice(self._events, seq + 1 - self._events[0].seq, None))

    async def change(self) -> None:
        """Wait for something new."""
        await self._changed.wait()

    def notify(self) -> None:
        """Wake everybody who waits."""
        self._changed.set()
        self._changed = anyio.Event()
