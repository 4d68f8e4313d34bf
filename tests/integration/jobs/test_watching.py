"""Events and workers, as others see them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import sqlalchemy as sa

from octavia.jobs import events, workers
from octavia.jobs.database import Database
from octavia.jobs.models import Worker
from octavia.jobs.states import JobType, Queue
from tests.integration.jobs.steps import Steps, at_once


def test_events_since(steps: Steps) -> None:
    # Given a job with a history, and another one
    job = steps.submit(JobType.TRANSCRIBE)
    steps.run_out()
    steps.submit()
    # When it is read in pages
    first = events.since(steps.db, job.id, 0, 4)
    rest = events.since(steps.db, job.id, first[-1].seq, 100)
    # Then nothing is missing and nothing comes twice
    assert [event.seq for event in first + rest] == list(range(1, steps.job(job.id).event_seq + 1))
    assert {event.job_id for event in first + rest} == {job.id}
    assert rest[-1].type == "completed"
    assert rest[-1].data == {"revision": 1}
    assert events.since(steps.db, job.id, rest[-1].seq, 100) == []


def test_events_of_one_job_at_once_get_their_own_numbers(steps: Steps) -> None:
    job, messages = steps.prepared(4)
    at_once(*[lambda r=ref: steps.claim(r) for ref in messages])
    assert [event.seq for event in steps.events(job.id)] == list(range(1, steps.job(job.id).event_seq + 1))


def test_a_worker_is_seen_until_it_is_gone(database: Database) -> None:
    # Given two workers
    task = uuid4()
    workers.seen(database, "b", "host", 2, [Queue.TRANSLATE], None, 10)
    workers.seen(database, "a", "host", 1, [Queue.TRANSCRIBE, Queue.DEFAULT], None, 10)
    before = workers.list(database)[0].seen_at
    # When one is seen again
    workers.seen(database, "a", "host", 1, [Queue.TRANSCRIBE, Queue.DEFAULT], task, 3_000_000_000)
    # Then the newest word counts
    one, two = workers.list(database)
    assert (one.id, one.pid, one.queues) == ("a", 1, ("transcribe", "default"))
    assert (one.task_id, one.memory) == (task, 3_000_000_000)
    assert one.seen_at >= before
    assert two.id == "b"
    # When it is gone, even twice, Then the other is left
    workers.gone(database, "a")
    workers.gone(database, "a")
    assert [worker.id for worker in workers.list(database)] == ["b"]


def test_workers_of_a_machine_that_went_down_are_forgotten(database: Database) -> None:
    # Given a worker that lives, and one that nobody could say the end of
    for name in ("lost", "alive"):
        workers.seen(database, name, "host", 1, [Queue.TRANSLATE], None, 10)
    with database.transaction() as session:
        long_ago = datetime.now(UTC) - timedelta(hours=2)
        session.execute(sa.update(Worker).where(sa.column("id") == "lost").values(seen_at=long_ago))
    # When those that were not seen for an hour go
    assert workers.prune(database, timedelta(hours=1)) == 1
    # Then the other stays
    assert [worker.id for worker in workers.list(database)] == ["alive"]
