"""The scheduler: periodiq puts due maintenance on its queue, by way of the outbox."""

import queue
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import dramatiq
import structlog
from periodiq import PeriodiqMiddleware, Scheduler

from octavia import observability, service_manager
from octavia.background import Turns, keep_on
from octavia.brokers.embedded import EmbeddedBroker
from octavia.errors import Unavailable
from octavia.exporting import Exporter
from octavia.jobs.status import rounds
from octavia.jobs.tables.database import Database, clock
from octavia.settings import Settings, get_settings
from octavia.storage import Storage
from octavia.worker import maintenance
from octavia.worker.starting import until_available

_TICK = 1.0

logger = structlog.get_logger()


class _OutboxScheduler(Scheduler):  # type: ignore[misc]  # periodiq has no types
    """Goes on when the database is away: work that was not scheduled is due again soon.

    This machine's clock tells which work is due; the database's, which all machines share, when it was scheduled.
    """

    def __init__(self, db: Database, actors: Sequence["dramatiq.Actor[Any, Any]"]) -> None:
        super().__init__(actors)
        # A signal handler puts into it: that of the base class may then wait for itself.
        self.alarm_q: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._db = db
        self._reporter = service_manager.Reporter()

    def run(self) -> None:
        """Schedule for ever."""
        self.schedule()
        self.loop()

    def loop(self) -> None:
        """Schedule whenever that is due; in between, say that this process lives."""
        while True:
            try:
                self.alarm_q.get(timeout=_TICK)
            except queue.Empty:
                pass
            else:
                self.schedule()
            self._reporter.report("Scheduling.")

    def send_actors(self, actors: Iterable["dramatiq.Actor[Any, Any]"], now: datetime) -> None:
        for actor in actors:
            try:
                actor.send_with_options(scheduled_at=clock(self._db).isoformat())
                rounds.mark_scheduled(self._db, actor.actor_name)
            except Unavailable as error:
                logger.warning("not_scheduled", actor=actor.actor_name, reason=error.code, detail=str(error))
            except Exception:
                # One that cannot be sent must not keep us from the others.
                logger.exception("not_scheduled", actor=actor.actor_name)
            else:
                logger.info("scheduled", actor=actor.actor_name)


def run(settings: Settings) -> None:
    """Schedule until told to stop. Needs the main thread: SIGALRM wakes periodiq.

    It writes into the outbox in every deployment; with RabbitMQ, relays take the messages from there.
    """
    observability.configure(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    db = Database.of(settings, pool_size=1)
    storage = Storage(settings.storage)
    broker = EmbeddedBroker(settings, db, [PeriodiqMiddleware()])
    maintenance.declare(broker, db, storage)
    if settings.metrics_port:
        Exporter(settings, db, storage, "scheduler").start()
    scheduler = _OutboxScheduler(db, list(broker.actors.values()))
    try:
        if not until_available("scheduler", db.check, time.sleep):
            return
        logger.info("scheduler_ready", actors=sorted(broker.actors))
        keep_on(Turns("scheduler"), scheduler.run, ended=lambda: False, wait=time.sleep)
    finally:
        service_manager.stopping(0)


if __name__ == "__main__":
    run(get_settings())
