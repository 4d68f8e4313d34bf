"""The newest events of one watched job, shared by all its watchers."""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from octavia.api.live.signal import Signal
from octavia.jobs.status.watching import News
from octavia.jobs.tables.records import EventRecord

KEPT: Final = 64
"""Number of a job's newest events kept in memory; clients further behind read from the database."""


class Channel:
    """One watched job.

    Attributes:
      seq: The number of its newest event.
      ended: True if no event follows that one, unless the job is started again.
      gone: True if the job does not exist any more.
      generation: The number of the hub's reading that this state is from; 0 before the first.
      watchers: How many clients watch the job.
      changed: Notified when any of the above has changed, and when watchers must look up for another reason.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.ended = False
        self.gone = False
        self.generation = 0
        self.watchers = 0
        self.changed = Signal()
        self._events: deque[EventRecord] = deque(maxlen=KEPT)

    def update(self, news: News | None, generation: int) -> None:
        """Store what a reading found, and notify the watchers if anything changed.

        Parameters:
          news: None if there is no such job.
        """
        before = (self.seq, self.ended, self.gone)
        self.generation = generation
        if news is None:
            self.gone = True
        elif news.seq >= self.seq:
            new = [event for event in news.events if event.seq > self.seq]
            if news.seq > self.seq and (not new or new[0].seq > self.seq + 1):
                # Some were skipped, or deleted: the kept events must have no gaps.
                self._events.clear()
            self._events.extend(new)
            self.seq, self.ended = news.seq, news.ended
        if (self.seq, self.ended, self.gone) != before:
            self.changed.notify()

    def events_after(self, seq: int) -> Sequence[EventRecord] | None:
        """Return the events after number ``seq``; None if the first of them is no longer kept."""
        if not self._events or self._events[0].seq > seq + 1:
            return None
        return list(islice(self._events, seq + 1 - self._events[0].seq, None))
