"""Periodic work: expired results, files that no row names, old messages, events and workers, and a report.

These actors are not with the others because the scheduler needs them and must not load engines for them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from zlib import crc32

import dramatiq
import sqlalchemy as sa
import structlog
from periodiq import cron

from octavia.brokers.queues import TaskBroker
from octavia.jobs.access import idempotency, webhooks
from octavia.jobs.lifecycle import removal, retention
from octavia.jobs.protocol import outbox
from octavia.jobs.status import backlog, workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.storage import Storage

logger = structlog.get_logger()


def declare(broker: TaskBroker, db: Database, storage: Storage) -> None:
    """Declare the periodic actors. Each may run twice, be interrupted, or be skipped once."""

    def expire_results() -> None:
        logger.info("results_expired", jobs=retention.expire_jobs(db, storage))

    def sweep_deleted() -> None:
        logger.info("deleted_jobs_swept", jobs=removal.sweep(db, storage))

    def sweep_orphans() -> None:
        logger.info("orphans_swept", files=retention.sweep_orphans(db, storage))

    def prune() -> None:
        messages, events = outbox.prune(db, timedelta(days=7)), retention.prune_events(db)
        told, requests = webhooks.prune(db, timedelta(days=30)), idempotency.prune(db)
        gone = workers.prune(db, timedelta(hours=1))
        logger.info("pruned", messages=messages, events=events, webhooks=told, idempotency_keys=requests, workers=gone)

    def report() -> None:
        found = backlog.count(db)
        logger.info(
            "report",
            jobs={status.value: amount for status, amount in found.jobs.items()},
            tasks={f"{stage.value}.{status.value}": amount for (stage, status), amount in found.tasks.items()},
            outbox={queue.value: amount for queue, amount in found.outbox.items()},
            workers=found.workers,
        )

    schedule: dict[str, tuple[Callable[[], None], str]] = {
        "expire_results": (expire_results, "*/10 * * * *"),
        "sweep_deleted": (sweep_deleted, "3-59/10 * * * *"),
        "sweep_orphans": (sweep_orphans, "17 * * * *"),
        "prune": (prune, "47 * * * *"),
        "report": (report, "*/5 * * * *"),
    }
    for name, (work, when) in schedule.items():
        dramatiq.Actor(
            _alone(db, name, work),
            broker=broker,
            actor_name=name,
            queue_name=broker.names.main(Queue.MAINTENANCE),
            priority=0,
            options={"periodic": cron(when)},
        )


def _alone(db: Database, name: str, work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with exclusive(db, name) as ours:
            if ours:
                work()
            else:
                logger.info("maintenance_runs_elsewhere", actor=name)

    return run


@contextmanager
def exclusive(db: Database, name: str) -> Iterator[bool]:
    """Hold a lock of that name over all machines; yields True if it was free.

    With SQLite it always yields True: that serves one machine, where running twice costs little and does no harm.
    """
    if db.engine.dialect.name != "postgresql":
        yield True
        return
    key = crc32(f"octavia.maintenance.{name}".encode())
    # A lock of a transaction, as a session's would be lost in PgBouncer. It holds no row and no snapshot, so it may
    # take as long as the work under it.
    with db.transaction() as session:
        session.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield bool(session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(key))))
