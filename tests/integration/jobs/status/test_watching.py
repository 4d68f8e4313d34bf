"""Watching jobs: news of many jobs at once, and announcements of commits."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from threading import Thread
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import pytest
import sqlalchemy as sa

from octavia.errors import Unavailable
from octavia.jobs.lifecycle import submit
from octavia.jobs.status import watching
from octavia.jobs.tables import events
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import JobType, Stage
from octavia.jobs.tables.transitions import lock_job
from tests.integration.jobs.listeners import cut
from tests.integration.jobs.steps import Steps


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Steps]:
    yield from steps_on(postgres_url)


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Iterator[Steps]:
    yield from steps_on(sqlite_url)


def steps_on(url: str) -> Iterator[Steps]:
    database = Database(url)
    yield Steps(database)
    database.close()


def run(act: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        with anyio.fail_after(20):
            await act()

    anyio.run(main)


def emit_for_nothing(steps: Steps, job_id: UUID) -> None:
    with steps.db.transaction() as session:
        events.emit(session, lock_job(session, job_id), "progress", {})
        session.rollback()


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


def test_a_commit_is_told_once(on_postgres: Steps) -> None:
    steps = on_postgres
    one, two = steps.submit(start=False).id, steps.submit(start=False).id

    async def act() -> None:
        # Given a process that listens
        async with watching.listening(steps.db) as jobs:
            # When one transaction has three events, one is rolled back and one of another job has one
            await anyio.to_thread.run_sync(steps.emit, one, 3)
            await anyio.to_thread.run_sync(emit_for_nothing, steps, one)
            await anyio.to_thread.run_sync(steps.emit, two)
            # Then each commit is told
            assert [await anext(jobs), await anext(jobs)] == [one, two]

    run(act)


def test_who_listens_hears_that_the_connection_broke_off(on_postgres: Steps) -> None:
    steps = on_postgres

    async def act() -> None:
        async def listen() -> None:
            async with watching.listening(steps.db) as jobs:
                await anyio.to_thread.run_sync(cut, steps.db)
                await anext(jobs)

        with pytest.raises(Unavailable) as broken:
            await listen()
        assert broken.value.code == "database_unavailable"

    run(act)


def test_who_cannot_listen_hears_why() -> None:
    nowhere = Database("postgresql+psycopg://me:secret@127.0.0.1:1/none")

    async def act() -> None:
        with pytest.raises(Unavailable) as refused:
            async with watching.listening(nowhere):
                pass
        assert refused.value.code == "database_unavailable"
        assert "secret" not in str(refused.value)

    run(act)


def test_a_commit_changes_the_file(on_sqlite: Steps) -> None:
    steps = on_sqlite
    job_id = steps.submit(start=False).id
    # Given somebody who looks at the file, from whichever thread
    changes = watching.FileChanges(steps.db)
    assert changes.look()
    assert not changes.look()
    # When something is committed, Then it has changed, once
    steps.emit(job_id)
    seen: list[bool] = []
    for _ in range(2):
        thread = Thread(target=lambda: seen.append(changes.look()))
        thread.start()
        thread.join()
    assert seen == [True, False]
    # When it is only read, or rolled back, Then it has not
    steps.job(job_id)
    emit_for_nothing(steps, job_id)
    assert not changes.look()
    changes.close()
