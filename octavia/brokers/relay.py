"""The relay: takes messages from the outbox and publishes them, outside any transaction and confirmed.

One that cannot be published holds up no other: a queue that refuses its messages is left alone for a while, and so is a
single message that is the trouble itself.
"""

import threading
import time

import structlog

from octavia.brokers.queues import Refused, TaskBroker
from octavia.brokers.rabbit import RabbitBroker
from octavia.errors import InputError, Unavailable
from octavia.jobs.protocol import outbox
from octavia.jobs.status import backlog
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Queue

_BATCH = 50
# So long waits what a relay had taken when it was killed; a duplicate, should a publish take longer, is harmless.
_LEASE = 15.0
_POLL = 1.0
_BETWEEN_PASSES = 0.05
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_REFUSED_PAUSE = 10.0
_ASIDE = 60.0

logger = structlog.get_logger()


class Relay:
    """A thread that publishes what is due. It idles with an embedded broker, whose workers read the outbox themselves.

    Several relays may run on one outbox, here and on other machines.

    Parameters:
      between: Seconds from one pass to the next while there is much to send: one for what many add costs less than one
        for each.
    """

    def __init__(self, db: Database, broker: TaskBroker, *, between: float = _BETWEEN_PASSES) -> None:
        self._db = db
        self._broker = broker
        self._between = between
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._pause = 0.0
        self._refused: dict[Queue, float] = {}

    def start(self) -> None:
        """Publish from now on."""
        if isinstance(self._broker, RabbitBroker):
            self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Publish no more; waits so many seconds for what is under way. What is not confirmed goes out again later."""
        self._stopping.set()
        self._db.outbox_wakeup.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def deliver(self) -> int:
        """Publish one batch; returns how many messages went out.

        Raises:
          Unavailable: The broker or the database does not answer; what did not go out was released.
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
            outbox.release(self._db, [row.id for row in rows if row.id not in done], delay=self._pause)
        return len(sent)

    def _publish(self, row: Outgoing, sent: list[int], aside: list[int]) -> None:
        try:
            self._broker.publish(row)
        except InputError:
            # Nobody could ever read it; its task, if it has one, gets another message from repair.
            logger.error("message_unreadable", outbox_id=row.id, queue=row.queue.value)
        except Refused as error:
            logger.error("queue_refused", queue=row.queue.value, detail=str(error), again_in=_REFUSED_PAUSE)
            self._refused[row.queue] = time.monotonic() + _REFUSED_PAUSE
            return
        except Unavailable:
            raise
        except Exception:
            logger.exception("message_not_published", outbox_id=row.id, queue=row.queue.value, again_in=_ASIDE)
            aside.append(row.id)
            return
        sent.append(row.id)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Cleared before looking: what is added from here on sets it again.
            self._db.outbox_wakeup.clear()
            began = time.monotonic()
            try:
                sent = self.deliver()
            except Unavailable as error:
                self._fall_back(error)
                continue
            except Exception:
                logger.exception("relay_failed")
                self._stopping.wait(_LONGEST_PAUSE)
                continue
            if self._pause:
                self._pause = 0.0
                logger.info("relay_recovered")
            if sent < _BATCH:
                self._db.outbox_wakeup.wait(_POLL)
                self._service()
                self._stopping.wait(max(0.0, began + self._between - time.monotonic()))

    def _fall_back(self, error: Unavailable) -> None:
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        logger.warning("relay_waiting", reason=error.code, detail=str(error), again_in=self._pause)
        self._stopping.wait(self._pause)

    def _service(self) -> None:
        if isinstance(self._broker, RabbitBroker):
            self._broker.service()
