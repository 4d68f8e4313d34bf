"""The poster: publishes what its process's own transactions leased, as soon as they have committed."""

import threading
import time
from collections import deque
from collections.abc import Sequence

import structlog

from octavia.background import Turns, keep_on
from octavia.brokers.queues import Refused, TaskBroker
from octavia.errors import InputError, Unavailable
from octavia.jobs.protocol import direct, outbox
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import Outgoing
from octavia.jobs.tables.states import Queue
from octavia.metrics.declared import RELAY_ERRORS, RELAY_PUBLISHED

POLL_SECONDS = 1.0

_LONGEST_PAUSE = 10.0
_REFUSED_PAUSE = 10.0
_ASIDE = 60.0

logger = structlog.get_logger()


class Poster:
    """A thread that publishes messages, confirmed; each worker process has one. With an embedded broker it idles.

    A message that cannot be published holds up no other: a queue that refuses messages is left alone for a while, and
    so is a single message that cannot be sent. Neither is lost: its row in the outbox waits for a relay.

    Parameters:
      first_pause: Seconds before the second try while the broker or the database is away; the pause then doubles.

    Attributes:
      turns: How its passes go.
    """

    name = "poster"

    def __init__(self, db: Database, broker: TaskBroker, *, first_pause: float = 0.5) -> None:
        self._db = db
        self._broker = broker
        self.turns = Turns(self.name, first=first_pause, longest=_LONGEST_PAUSE)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._refused: dict[Queue, float] = {}
        self._posted: deque[tuple[float, Outgoing]] = deque()
        self._unmarked: list[int] = []
        self._mark_at = 0.0

    def start(self) -> None:
        """Start to publish."""
        if self._broker.takes_posted:
            self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop, and wait ``timeout`` seconds for a pass under way. Unconfirmed messages go out again later."""
        self._stopping.set()
        self._db.outbox_wakeup.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def post(self, rows: Sequence[Outgoing]) -> None:
        """Take leased messages, to be published at once by this thread."""
        until = time.monotonic() + direct.LEASE_SECONDS
        self._posted.extend((until, row) for row in rows)
        self._db.outbox_wakeup.set()

    def deliver_posted(self) -> int:
        """Publish the messages that were posted; returns how many went out.

        They are marked as sent a moment later, together: most have been claimed by then, which marks them, too.

        Raises ``Unavailable`` if the broker does not answer; unsent messages were released.
        """
        rows: list[Outgoing] = []
        while self._posted:
            until, row = self._posted.popleft()
            # Otherwise a relay may have it by now.
            if time.monotonic() < until:
                rows.append(row)
        sent: list[int] = []
        try:
            self._send(rows, sent)
        finally:
            if sent and not self._unmarked:
                self._mark_at = time.monotonic() + POLL_SECONDS
            self._unmarked += sent
        return len(sent)

    def _send(self, rows: Sequence[Outgoing], sent: list[int]) -> None:
        """Publish messages, note those that went out, and release the others."""
        aside: list[int] = []
        try:
            for row in rows:
                if self._stopping.is_set():
                    break
                if row.queue not in self._refused:
                    self._publish(row, sent, aside)
        finally:
            outbox.release(self._db, aside, delay=_ASIDE)
            done = {*sent, *aside}
            outbox.release(self._db, [row.id for row in rows if row.id not in done], delay=self.turns.pause)

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

    def _open_queues(self) -> list[Queue]:
        moment = time.monotonic()
        self._refused = {queue: until for queue, until in self._refused.items() if until > moment}
        return [queue for queue in Queue if queue not in self._refused]

    def _run(self) -> None:
        keep_on(self.turns, self._pass, ended=self._stopping.is_set, wait=self._rest)
        self._db.post = None
        if self._unmarked:
            self.turns.attempt(self._mark)

    def _rest(self, seconds: float) -> None:
        # Until it goes on, what its process adds must not wait for it.
        self._db.post = None
        self._stopping.wait(seconds)

    def _pass(self) -> None:
        # Cleared before the pass: a message that is added from here on sets it again.
        self._db.outbox_wakeup.clear()
        self._db.post = self.post
        self._open_queues()
        self.deliver_posted()
        self._wait(POLL_SECONDS)

    def _wait(self, seconds: float) -> None:
        self._db.outbox_wakeup.wait(seconds)
        self._broker.service()
        if self._unmarked and time.monotonic() >= self._mark_at:
            self._mark()

    def _mark(self) -> None:
        outbox.mark_published(self._db, self._unmarked)
        self._unmarked = []
