"""The list of workers."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import sqlalchemy as sa

from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Worker
from octavia.jobs.tables.states import Queue


def test_a_worker_is_seen_until_it_is_gone(database: Database) -> None:
    # Given two workers
    task = uuid4()
    workers.mark_seen(database, "b", "host", 2, [Queue.TRANSLATE], None, 10)
    workers.mark_seen(database, "a", "host", 1, [Queue.TRANSCRIBE, Queue.DEFAULT], None, 10)
    before = workers.list_workers(database)[0].seen_at
    # When one is seen again
    workers.mark_seen(database, "a", "host", 1, [Queue.TRANSCRIBE, Queue.DEFAULT], task, 3_000_000_000)
    # Then the newest word counts
    one, two = workers.list_workers(database)
    assert (one.id, one.pid, one.queues) == ("a", 1, ("transcribe", "default"))
    assert (one.task_id, one.memory) == (task, 3_000_000_000)
    assert one.seen_at >= before
    assert two.id == "b"
    # When it is gone, even twice, Then the other is left
    workers.remove(database, "a")
    workers.remove(database, "a")
    assert [worker.id for worker in workers.list_workers(database)] == ["b"]


def test_workers_of_a_machine_that_went_down_are_forgotten(database: Database) -> None:
    # Given a worker that lives, and one that nobody could say the end of
    for name in ("lost", "alive"):
        workers.mark_seen(database, name, "host", 1, [Queue.TRANSLATE], None, 10)
    with database.transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(hours=2)
        session.execute(sa.update(Worker).where(sa.column("id") == "lost").values(seen_at=long_ago))
    # When those that were not seen for an hour go
    assert workers.prune(database, timedelta(hours=1)) == 1
    # Then the other stays
    assert [worker.id for worker in workers.list_workers(database)] == ["alive"]
