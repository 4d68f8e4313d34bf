"""Events and workers, as others see them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from octavia.jobs.lifecycle import submit
from octavia.jobs.status import watching, workers
from octavia.jobs.tables import events
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Worker
from octavia.jobs.tables.states import JobType, Queue, Stage
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


def test_news_of_many_jobs(steps: Steps) -> None:
    # Given a job that has ended, one that waits, one that is deleted and one that never was
    ended, waits, deleted = steps.submit(JobType.TRANSCRIBE), steps.submit(start=False), steps.submit()
    steps.run_out()
    steps.change_job(deleted.id, deleted_at=datetime.now(UTC))
    # When there is asked for news of all of them
    newest = steps.job(ended.id).event_seq
    known = {ended.id: 2, waits.id: 0, deleted.id: 0, uuid4(): 0}
    found = watching.news(steps.db, known, 100)
    # Then those that are there say how they stand, and what is new
    assert found.keys() == {ended.id, waits.id}
    assert found[waits.id] == watching.News(0, False, ())
    assert (found[ended.id].seq, found[ended.id].ended) == (newest, True)
    assert [event.seq for event in found[ended.id].events] == list(range(3, newest + 1))
    # And of a long history only the newest, without gaps, and nothing twice
    assert [event.seq for event in watching.news(steps.db, {ended.id: 0}, 2)[ended.id].events] == [newest - 1, newest]
    assert watching.news(steps.db, {ended.id: newest}, 100) == {ended.id: watching.News(newest, True, ())}
    # When it is started again, Then it has not ended
    submit.retry(steps.db, ended.id, "local", from_stage=Stage.ASSEMBLE)
    assert watching.news(steps.db, {ended.id: newest}, 100)[ended.id].ended is False


def test_news_of_more_jobs_than_a_query_takes(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more jobs than are asked for at once
    monkeypatch.setattr(watching, "_JOBS_A_QUERY", 3)
    monkeypatch.setattr(watching, "_CHANGED_JOBS_A_QUERY", 2)
    ids = [steps.submit().id for _ in range(8)]
    # Then all are answered
    found = watching.news(steps.db, dict.fromkeys(ids, 0), 100)
    assert found.keys() == set(ids)
    assert {event.type for new in found.values() for event in new.events} == {"queued"}


def test_nothing_new_is_one_query(steps: Steps) -> None:
    # Given jobs of which everything is known
    ids = [steps.submit(start=False).id for _ in range(20)]
    queries: list[str] = []
    sa.event.listen(steps.db.engine, "before_cursor_execute", lambda *given: queries.append(given[2]))
    # When there is asked for news
    watching.news(steps.db, dict.fromkeys(ids, 0), 100)
    # Then that is one query
    assert len([query for query in queries if query.startswith("SELECT")]) == 1
