"""How processes hear of commits: notices of PostgreSQL, changes of a SQLite file."""

from collections.abc import Awaitable, Callable, Iterator
from threading import Thread
from uuid import UUID

import anyio
import anyio.to_thread
import pytest

from octavia.errors import Unavailable
from octavia.jobs.status import notices
from octavia.jobs.tables import events
from octavia.jobs.tables.database import Database
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


def test_a_commit_is_told_once(on_postgres: Steps) -> None:
    steps = on_postgres
    one, two = steps.submit(start=False).id, steps.submit(start=False).id

    async def act() -> None:
        # Given a process that listens
        async with notices.listening(steps.db) as jobs:
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
            async with notices.listening(steps.db) as jobs:
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
            async with notices.listening(nowhere):
                pass
        assert refused.value.code == "database_unavailable"
        assert "secret" not in str(refused.value)

    run(act)


def test_a_commit_changes_the_file(on_sqlite: Steps) -> None:
    steps = on_sqlite
    job_id = steps.submit(start=False).id
    # Given somebody who looks at the file, from whichever thread
    changes = notices.FileChanges(steps.db)
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
