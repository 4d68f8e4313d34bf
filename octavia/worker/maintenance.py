"""Periodic work: expired results, files that no row names, old messages, events and workers, and a report.

These actors are not with the others because the scheduler needs them and must not load engines for them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from zlib import crc32

import dramatiq
import sqlalchemy as sa
import structlog
from periodiq import cron

from octavia.brokers.queues import TaskBroker
from octavia.errors import Unavailable
from octavia.jobs.access import idempotency, webhooks
from octavia.jobs.lifecycle import removal, retention
from octavia.jobs.protocol import outbox
from octavia.jobs.status import backlog, queues, rounds, workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.storage import Storage
from octavia.urls import without_logins

Result = dict[str, Any]

logger = structlog.get_logger()


def declare(broker: TaskBroker, db: Database, storage: Storage) -> None:
    """Declare the periodic actors. Each may run twice, be interrupted, or be skipped once."""

    def expire_results() -> Result:
        return {"jobs": retention.expire_jobs(db, storage)}

    def sweep_deleted() -> Result:
        return {"jobs": removal.sweep(db, storage)}

    def sweep_orphans() -> Result:
        return {"files": retention.sweep_orphans(db, storage)}

    def prune() -> Result:
        return {
            "messages": outbox.prune(db, timedelta(days=7)),
            "events": retention.prune_events(db),
            "webhooks": webhooks.prune(db, timedelta(days=30)),
            "idempotency_keys": idempotency.prune(db),
            "workers": workers.prune(db, timedelta(hours=1)),
            "queue_samples": queues.prune(db),
        }

    def report() -> Result:
        found = backlog.count(db)
        return {
            "jobs": {status.value: amount for status, amount in found.jobs.items()},
            "tasks": {f"{stage.value}.{status.value}": amount for (stage, status), amount in found.tasks.items()},
            "outbox": {queue.value: amount for queue, amount in found.outbox.items()},
            "workers": found.workers,
        }

    said = {
        expire_results: "results_expired",
        sweep_deleted: "deleted_jobs_swept",
        sweep_orphans: "orphans_swept",
        prune: "pruned",
        report: "report",
    }
    for work, event in said.items():
        name = work.__name__
        when = rounds.SCHEDULE[name]
        dramatiq.Actor(
            _alone(db, name, event, work),
            broker=broker,
            actor_name=name,
            queue_name=broker.names.main(Queue.MAINTENANCE),
            priority=0,
            options={"periodic": cron(when)},
        )


def _alone(db: Database, name: str, event: str, work: Callable[[], Result]) -> Callable[[], None]:
    def run() -> None:
        with exclusive(db, name) as ours:
            if ours:
                logger.info(event, **_written_down(db, name, work))
            else:
                logger.info("maintenance_runs_elsewhere", actor=name)

    return run


def _written_down(db: Database, name: str, work: Callable[[], Result]) -> Result:
    """Do a round, and keep for operators when it began and ended, and its result or error."""
    rounds.mark_started(db, name)
    try:
        result = work()
    except Exception as error:
        # The error itself matters more than one in keeping it.
        with suppress(Unavailable):
            rounds.mark_finished(db, name, error=f"{type(error).__name__}: {without_logins(str(error))}")
        raise
    rounds.mark_finished(db, name, result=result)
    return result


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
