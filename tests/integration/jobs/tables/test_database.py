"""Databases that do not answer, and many threads on one."""

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from octavia.errors import Unavailable
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import claims
from octavia.jobs.tables.database import Database, now, transaction
from octavia.jobs.tables.failures import Contended
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.rows import Event, Job
from octavia.jobs.tables.states import JobStatus, JobType, Queue
from tests.integration.jobs.steps import MEDIA, Steps, at_once
from tests.support.postgres import PrivatePostgres


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    yield database
    database.close()


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url, pool_size=10)
    yield database
    database.close()


def test_the_clock_is_aware_and_right(database: Database) -> None:
    with database.transaction() as session:
        before = now(session)
        time.sleep(0.01)
        assert before < now(session)
    assert before.tzinfo is UTC
    assert abs(before - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_connection_in_use_when_all_are_closed_is_closed_when_it_comes_back(database: Database) -> None:
    # Given a thread that was held up in its transaction while its owner closed the database
    closed: list[object] = []
    sa.event.listen(database.engine, "close", lambda connection, _: closed.append(connection))
    with database.transaction() as session:
        connection = session.connection().connection.dbapi_connection
        database.close()
        assert connection not in closed
    # When it has ended, Then its connection is not left to the garbage collector
    assert connection in closed
    # When it goes on, Then it may, and leaves nothing behind again
    with database.reading() as session:
        now(session)
    assert len(closed) == 2


def test_a_connection_in_use_when_the_database_turns_out_to_be_a_standby_is_not_kept(
    on_postgres: Database, postgres: PrivatePostgres
) -> None:
    # Given a thread that is in a transaction while another finds that the database can only be read
    closed: list[object] = []
    sa.event.listen(on_postgres.engine, "close", lambda connection, _: closed.append(connection))
    on_postgres.engine.dispose()
    with on_postgres.transaction() as session:
        connection = session.connection().connection.dbapi_connection
        postgres.execute(f"ALTER DATABASE {on_postgres.url.database} SET default_transaction_read_only TO on")
        with pytest.raises(Unavailable, match="only be read"):
            on_postgres.check()
        assert connection not in closed
    # When it has ended, Then its connection is closed too, so that the next one may find the server that took over
    assert connection in closed


def test_times_come_back_as_they_went(steps: Steps) -> None:
    job = steps.submit()
    assert job.created_at.tzinfo is UTC
    assert steps.job(job.id).created_at == job.created_at
    with pytest.raises(StatementError, match="naive"):
        steps.change_job(job.id, expires_at=datetime(2030, 1, 1))


def test_who_asks_later_is_told_a_later_time(database: Database) -> None:
    # When one after another asks, each at once after the last and for a while
    told: list[datetime] = []
    for _ in range(300):
        with database.transaction() as session:
            told += [now(session), now(session)]
    # Then none is behind another that came before it: a message would wait for a time that has come already
    assert told == sorted(told)


def test_deleting_a_job_deletes_what_is_its(steps: Steps) -> None:
    job = steps.submit()
    with steps.db.transaction() as session:
        session.execute(sa.delete(Job))
    assert steps.tasks(job.id) == []
    assert steps.events(job.id) == []


def test_mistakes_of_ours_are_not_the_databases(database: Database) -> None:
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.execute(sa.insert(Event).values(job_id=None, seq=1, type="x", data={}, created_at=now(session)))


def test_a_closed_port_is_unavailable() -> None:
    # Given a port that is taken, so that nobody else gets it, and on which nobody listens
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        database = Database(f"postgresql+psycopg://postgres@127.0.0.1:{taken.getsockname()[1]}/octavia")
        # When it is used in any way, Then it is unavailable
        create = partial(submit.create, database, NewJob(JobType.DUB, input=MEDIA))
        for action in (database.check, database.upgrade, create):
            with pytest.raises(Unavailable) as caught:
                action()
            assert caught.value.code == "database_unavailable"
            assert caught.value.hint
        database.close()


def test_a_killed_connection_is_unavailable_and_the_next_one_works(
    on_postgres: Database, postgres: PrivatePostgres
) -> None:
    # Given a transaction under way
    steps = Steps(on_postgres)

    def lose_the_connection() -> None:
        with on_postgres.transaction() as session:
            session.add(Job(type=JobType.DUB, input=MEDIA, created_at=now(session)))
            session.flush()
            pid = session.scalars(sa.text("SELECT pg_backend_pid()")).one()
            # When the server ends its connection
            postgres.execute(f"SELECT pg_terminate_backend({pid})")
            session.execute(sa.text("SELECT 1"))

    # Then it is unavailable, not broken
    with pytest.raises(Unavailable) as caught:
        lose_the_connection()
    assert caught.value.code == "database_unavailable"
    # and the next transaction works, on nothing half done
    job = steps.submit()
    assert steps.job(job.id).status is JobStatus.QUEUED
    with on_postgres.reading() as session:
        assert session.scalars(sa.select(sa.func.count()).select_from(Job)).one() == 1


def test_idle_connections_that_were_killed_go_unnoticed(on_postgres: Database, postgres: PrivatePostgres) -> None:
    steps = Steps(on_postgres)
    steps.submit()
    # Given the connections that its transactions left in the pool
    name = on_postgres.url.database
    killed = f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{name}'"
    # When the server ends them
    with postgres.connect("postgres") as server:
        ended = server.execute(killed.encode()).fetchall()
    # Then there was at least one, and the next transaction works
    assert ended
    assert set(ended) == {(True,)}
    steps.submit()


def test_a_column_that_is_migrated_under_a_prepared_statement_goes_unnoticed(
    on_postgres: Database, postgres_url: str
) -> None:
    # Given a connection that has prepared how a task is locked
    steps = Steps(on_postgres)
    steps.submit()
    (ref,) = steps.deliver()
    claim = steps.claim(ref)
    # When another process migrates a column, Then the next lock is taken over another connection
    with closing(Database(postgres_url)) as other, other.transaction() as session:
        session.execute(sa.text("ALTER TABLE jobs ALTER COLUMN owner TYPE varchar(80)"))
    claims.give_back(on_postgres, claim.task_id, claim.attempt)
    assert steps.claim(ref).attempt == 2


def test_an_exhausted_pool_is_unavailable(postgres_url: str) -> None:
    # Given a pool whose connections are all in use
    small = Database(postgres_url, pool_size=1, wait_seconds=0.05)
    with small.transaction() as one, small.transaction() as two:
        now(one), now(two)
        # When another is wanted
        with pytest.raises(Unavailable) as caught, small.reading() as three:
            now(three)
    assert caught.value.code == "database_unavailable"
    small.close()


def test_a_deadlock_is_tried_again(on_postgres: Database) -> None:
    # Given two jobs that two transactions lock in opposite order
    steps = Steps(on_postgres)
    one, two = steps.submit(), steps.submit()
    both = threading.Barrier(2)
    tries: list[str] = []

    @transaction
    def lock(session: Session, name: str, first: object, second: object) -> str:
        tries.append(name)
        for position, job_id in enumerate((first, second)):
            session.execute(sa.select(Job).where(sa.column("id") == job_id).with_for_update())
            if position == 0 and len(tries) <= 2:
                both.wait(10)
        return name

    # When they meet
    results = at_once(lambda: lock(on_postgres, "a", one.id, two.id), lambda: lock(on_postgres, "b", two.id, one.id))
    # Then the one that was broken off went again and both are done
    assert sorted(map(str, results)) == ["a", "b"]
    assert len(tries) == 3


def test_contention_without_end_is_unavailable(on_sqlite: Database) -> None:
    tries = 0

    @transaction
    def never(session: Session) -> None:
        nonlocal tries
        tries += 1
        raise Contended("again")

    with pytest.raises(Unavailable) as caught:
        never(on_sqlite)
    assert caught.value.code == "database_unavailable"
    assert tries == 5


def test_eight_threads_on_sqlite_never_meet_a_locked_database(on_sqlite: Database) -> None:
    # Given many jobs, but not so many that all threads press for the lock for as long as one of them waits for it: who
    # gets it next is a matter of luck
    steps = Steps(on_sqlite)
    jobs = [steps.submit(JobType.TRANSCRIBE) for _ in range(12)]

    # When eight threads claim, renew and complete in a loop
    def work() -> int:
        done = 0
        idle = 0
        while idle < 20:
            messages = steps.deliver()
            for ref, message in messages.items():
                claim = steps.claim(ref, threading.current_thread().name)
                claims.record_progress(on_sqlite, claim.task_id, claim.attempt, 0.5)
                assert claims.renew(on_sqlite, claim.task_id, claim.attempt, lease=30).alive
                assert steps.complete(claim, message, chunks=2)
                done += 1
            idle = 0 if messages else idle + 1
            time.sleep(0.01)
        return done

    results = at_once(*[work] * 8)
    # Then none of them ever saw it locked and every job is complete
    assert all(isinstance(result, int) for result in results), results
    assert sum(result for result in results if isinstance(result, int)) == 12 * 4
    assert {steps.job(job.id).status for job in jobs} == {JobStatus.COMPLETED}


def test_a_sqlite_database_held_by_another_for_too_long_is_unavailable(sqlite_url: str) -> None:
    # Given a process that holds the write lock
    database = Database(sqlite_url, wait_seconds=0.05)
    holder = sqlite3.connect(str(database.url.database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    # When another wants to write
    with pytest.raises(Unavailable) as caught:
        submit.create(database, NewJob(JobType.DUB, input=dict(MEDIA)))
    assert caught.value.code == "database_unavailable"
    # Then reading works all the while
    with database.reading() as session:
        assert session.scalars(sa.select(Job)).all() == []
    holder.execute("ROLLBACK")
    holder.close()
    submit.create(database, NewJob(JobType.DUB, input=dict(MEDIA)))
    database.close()


def test_a_missing_sqlite_folder_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'octavia.db'}")
    with pytest.raises(Unavailable):
        database.check()
    database.close()


def test_sqlite_writes_ahead_and_waits(on_sqlite: Database) -> None:
    with on_sqlite.reading() as session:
        found = {name: session.scalars(sa.text(f"PRAGMA {name}")).one() for name in ("journal_mode", "busy_timeout")}
    assert found == {"journal_mode": "wal", "busy_timeout": 10_000}


def test_opening_a_new_sqlite_file_from_many_threads(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}", pool_size=10)

    def look() -> int:
        with database.transaction() as session:
            return int(session.scalars(sa.text("SELECT 1")).one())

    assert at_once(*[look] * 8) == [1] * 8
    database.close()


def test_the_queues_of_the_outbox_are_logical(steps: Steps) -> None:
    steps.submit()
    with steps.db.reading() as session:
        assert session.scalars(sa.text("SELECT queue FROM outbox")).all() == [Queue.DEFAULT.value]
