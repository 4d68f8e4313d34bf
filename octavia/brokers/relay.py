"""The relay: takes messages from the outbox and publishes them, outside any transaction and confirmed.

A message that cannot be published holds up no other: a queue that refuses messages is left alone for a while, and so is
a single message that cannot be sent.
"""

import threading
import time

import structlog

from octavia.background import Turns, keep_on
from octavia.brokers.queues import Refused, TaskBroker
from octavia.brokers.rabbit import RabbitBroker
from octavia.errors import InputError, Unavailable
from octavia.jobs.protocol import outbox
from octavia.jobs.status import backlog
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Queue
from octavia.metrics.declared import RELAY_ERRORS, RELAY_PUBLISHED

_BATCH = 50
# The messages of a relay that was killed wait so long. If publishing takes longer, a duplicate is harmless.
_LEASE = 15.0
_POLL = 1.0
_LONGEST_PAUSE = 10.0
_REFUSED_PAUSE = 10.0
_ASIDE = 60.0

logger = structlog.get_logger()


class Relay:
    """A thread that publishes due messages. It idles with an embedded broker, whose workers read the outbox themselves.

    Several relays may run on one outbox, here and on other machines.

    Parameters:
      between: Seconds from one pass to the next while there is much to send: one pass for many messages costs less than
        one for each.
      first_pause: Seconds before the second try while the broker or the database is away; the pause then doubles.

    Attributes:
      turns: How its passes go.
    """

    def __init__(self, db: Database, broker: TaskBroker, *, between: float = 0.05, first_pause: float = 0.5) -> None:
        self._db = db
        self._broker = broker
        self._between = between
        self.turns = Turns("relay", first=first_pause, longest=_LONGEST_PAUSE)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._refused: dict[Queue, float] = {}

    def start(self) -> None:
        """Start to publish."""
        if isinstance(self._broker, RabbitBroker):
            self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop, and wait ``timeout`` seconds for a pass under way. Unconfirmed messages go out again later."""
        self._stopping.set()
        self._db.outbox_wakeup.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def deliver(self) -> int:
        """Publish one batch; returns how many messages went out.

        Raises ``Unavailable`` if the broker or the database does not answer; unsent messages were released.
        """
        moment = time.monotonic()
        self._refused = {queue: until for queue, until in self._refused.items() if until > moment}
        queues = [queue for queue in Queue if queue not in self._refused]
        # Look before leasing: an idle relay must not take SQLite's write lock every second.
        if not backlog.has_due_message(self._db, queues):
            return 0
        rows = outbox.lease(self._db, limit=_BATCH, seconds=_LEASE, queues=queues)
        sent: list[int] = []
        aside: list[int] = []
        try:
            for row in rows:
                if self._stopping.is_set():
                    break
                if row.queue not in self._refused:
                    self._publish(row, sent, aside)
        finally:
            outbox.mark_published(self._db, sent)
            outbox.release(self._db, aside, delay=_ASIDE)
            done = {*sent, *aside}
            outbox.release(self._db, [row.id for row in rows if row.id not in done], delay=self.turns.pause)
        return len(sent)

    def _publish(self, row: Outgoing, sent: list[int], aside: list[int]) -> None:
        try:
            self._broker.publish(row)
        except InputError:
            # No worker could ever read it. Repair sends another message for its task, if it has one.
            logger.error("message_unreadable", outbox_id=row.id, queue=row.queue.value)
        except Refused as error:
            RELAY_ERRORS.add()
            logger.error("queue_refused", queue=row.queue.value, detail=str(error), again_in=_REFUSED_PAUSE)
            self._refused[row.queue] = time.monotonic() + _REFUSED_PAUSE
            return
        except Unavailable:
            RELAY_ERRORS.add()
            raise
        except Exception:
            RELAY_ERRORS.add()
            logger.exception("message_not_published", outbox_id=row.id, queue=row.queue.value, again_in=_ASIDE)
            aside.append(row.id)
            return
        else:
            RELAY_PUBLISHED.add(queue=row.queue.value)
        sent.append(row.id)

    def _run(self) -> None:
        keep_on(self.turns, self._pass, ended=self._stopping.is_set, wait=self._stopping.wait)

    def _pass(self) -> None:
        # Cleared before the pass: a message that is added from here on sets it again.
        self._db.outbox_wakeup.clear()
        began = time.monotonic()
        if self.deliver() < _BATCH:
            self._db.outbox_wakeup.wait(_POLL)
            if isinstance(self._broker, RabbitBroker):
                self._broker.service()
            self._stopping.wait(max(0.0, began + self._between - time.monotonic()))
