"""The relay: takes messages from the outbox in their fair order, and publishes them, outside any transaction."""

import time

from octavia.brokers.posting import POLL_SECONDS, Poster
from octavia.brokers.queues import TaskBroker
from octavia.jobs.protocol import outbox
from octavia.jobs.status import backlog
from octavia.jobs.tables.database import Database

_BATCH = 50
# The messages of a relay that was killed wait so long. If publishing takes longer, a duplicate is harmless.
_LEASE = 15.0


class Relay(Poster):
    """A poster that publishes due messages of other processes, too, as far as their queues' windows admit them.

    Several relays may run on one outbox, here and on other machines. With an embedded broker it idles: workers read the
    outbox themselves.

    Parameters:
      between: Seconds from one look into the outbox to the next while there is much to send: one for many messages
        costs less than one for each.
    """

    name = "relay"

    def __init__(self, db: Database, broker: TaskBroker, *, between: float = 0.1, first_pause: float = 0.5) -> None:
        super().__init__(db, broker, first_pause=first_pause)
        self._between = between
        self._next_look = 0.0

    def deliver(self) -> int:
        """Publish one batch; returns how many messages went out.

        Raises ``Unavailable`` if the broker or the database does not answer; unsent messages were released.
        """
        queues = self._open_queues()
        # Look before leasing: an idle relay must not take SQLite's write lock every second.
        if not backlog.has_due_message(self._db, queues):
            return 0
        rows = outbox.lease(self._db, limit=_BATCH, seconds=_LEASE, queues=queues, windowed=True)
        sent: list[int] = []
        try:
            self._send(rows, sent)
        finally:
            outbox.mark_published(self._db, sent)
        return len(sent)

    def _pass(self) -> None:
        # Cleared before the pass: a message that is added from here on sets it again.
        self._db.outbox_wakeup.clear()
        self._db.post = self.post
        self.deliver_posted()
        moment = time.monotonic()
        if moment < self._next_look:
            self._wait(self._next_look - moment)
        elif self.deliver() < _BATCH:
            self._next_look = moment + self._between
            self._wait(POLL_SECONDS)
