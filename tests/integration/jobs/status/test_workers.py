"""The list of workers."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database, now
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


def test_workers_are_counted_for_each_queue_that_they_serve(database: Database) -> None:
    # Given two workers, of which one also serves a queue of a newer release, and one that was not seen for long
    workers.mark_seen(database, "old", "host", 1, list(Queue), None, 0)
    with database.transaction() as session:
        session.execute(sa.update(Worker).values(seen_at=now(session) - timedelta(minutes=1)))
    workers.mark_seen(database, "a", "host", 2, [Queue.DEFAULT, Queue.TRANSLATE], None, 0)
    workers.mark_seen(database, "b", "host", 3, [Queue.DEFAULT], None, 0)
    with database.transaction() as session:
        session.execute(sa.update(Worker).where(col(Worker.id) == "b").values(queues="default,future"))
    # When they are counted
    found = workers.count_by_queue(database, timedelta(seconds=30))
    # Then those that live count, once for each queue
    assert found == {**dict.fromkeys(Queue, 0), Queue.DEFAULT: 2, Queue.TRANSLATE: 1}
