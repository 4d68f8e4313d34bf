"""Events arrive at once when the database notifies, and with the next poll when it does not."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from httpx_sse import ServerSentEvent, connect_sse

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Event, Job
from octavia.settings import Settings
from tests.integration.api.server import Server
from tests.integration.jobs.listeners import cut, listeners
from tests.integration.jobs.steps import Steps
from tests.support.pgbouncer import PrivatePgBouncer
from tests.support.waiting import until

NEVER = 3600.0
SOON = 10.0
"""Not a promise, but for a machine that stalls: what is told by nobody comes at the hub's next look, or never."""


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Steps]:
    database = Database(postgres_url)
    yield Steps(database)
    database.close()


@pytest.fixture
def postgres_settings(settings: Settings, postgres_url: str) -> Settings:
    return settings.model_copy(update={"database_url": postgres_url})


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("data")
    return Settings(data_dir=folder, models_dir=folder)


@contextmanager
def watching(server: Server, job_id: UUID) -> Iterator[Iterator[ServerSentEvent]]:
    """The events of a job after its first."""
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client,
        connect_sse(client, "GET", f"/api/v1/jobs/{job_id}/events") as source,
    ):
        events = source.iter_sse()
        assert next(events).id == "1"
        yield events


def seconds_to_next(events: Iterator[ServerSentEvent]) -> float:
    began = time.monotonic()
    next(events)
    return time.monotonic() - began


def insert(steps: Steps, job_id: UUID) -> None:
    """Write an event of which nobody is told."""
    with steps.db.transaction() as session:
        job = session.get_one(Job, job_id)
        job.event_seq += 1
        session.add(Event(job_id=job_id, seq=job.event_seq, type="progress", data={}, created_at=job.created_at))


def test_a_notification_brings_an_event_at_once(postgres_settings: Settings, on_postgres: Steps) -> None:
    # Given a process that never looks for itself
    job = on_postgres.submit()
    with Server(postgres_settings, poll_seconds=NEVER) as server, watching(server, job.id) as events:
        # When something happens, Then it arrives
        for _ in range(3):
            on_postgres.emit(job.id)
            assert seconds_to_next(events) < SOON
        # And one connection listens
        assert listeners(on_postgres.db) == 1
    # Then none is left afterwards
    until(lambda: listeners(on_postgres.db) == 0)


def test_a_lost_notification_delays_an_event_by_the_poll_interval(
    postgres_settings: Settings, on_postgres: Steps
) -> None:
    job = on_postgres.submit()
    with Server(postgres_settings) as server, watching(server, job.id) as events:
        insert(on_postgres, job.id)
        assert server.hub.poll_seconds == 2
        assert seconds_to_next(events) < server.hub.poll_seconds + SOON


def test_a_connection_that_is_cut_is_opened_again(postgres_settings: Settings, on_postgres: Steps) -> None:
    job = on_postgres.submit()
    with Server(postgres_settings, poll_seconds=NEVER) as server, watching(server, job.id) as events:
        for _ in range(2):
            # Given a connection that is cut, and something that happens while nobody listens
            until(lambda: listeners(on_postgres.db) == 1)
            cut(on_postgres.db)
            insert(on_postgres, job.id)
            # When it is opened again, Then that is not missed
            next(events)
            # And what is told from then on arrives at once
            until(lambda: listeners(on_postgres.db) == 1)
            on_postgres.emit(job.id)
            assert seconds_to_next(events) < SOON


def test_where_no_notification_arrives_watched_jobs_are_polled(
    postgres_settings: Settings, on_postgres: Steps, by_transaction: PrivatePgBouncer
) -> None:
    # Given a process whose hub never looks for itself, and a database behind PgBouncer by transaction
    job = on_postgres.submit()
    pooled = postgres_settings.model_copy(update={"database_url": by_transaction.url(postgres_settings.database)})
    with Server(pooled, poll_seconds=NEVER) as server, watching(server, job.id) as events:
        # When something happens, Then it arrives all the same
        for _ in range(3):
            on_postgres.emit(job.id)
            assert seconds_to_next(events) < SOON
        # And no connection that others share listens
        assert listeners(on_postgres.db) == 0


def test_a_direct_way_brings_notifications_past_the_pooler(
    postgres_settings: Settings, on_postgres: Steps, by_transaction: PrivatePgBouncer
) -> None:
    # Given the same with a URL past PgBouncer
    job = on_postgres.submit()
    direct = postgres_settings.database
    pooled = postgres_settings.model_copy(
        update={"database_url": by_transaction.url(direct), "database_direct_url": direct}
    )
    with Server(pooled, poll_seconds=NEVER) as server, watching(server, job.id) as events:
        # When something happens, Then it arrives
        on_postgres.emit(job.id)
        assert seconds_to_next(events) < SOON
        # And one connection listens
        assert listeners(on_postgres.db) == 1


def test_a_file_is_looked_at(settings: Settings, sqlite_url: str) -> None:
    # Given a process that never looks for itself
    steps = Steps(Database(sqlite_url))
    job = steps.submit()
    on_sqlite = settings.model_copy(update={"database_url": sqlite_url})
    with Server(on_sqlite, poll_seconds=NEVER) as server, watching(server, job.id) as events:
        for _ in range(3):
            insert(steps, job.id)
            assert seconds_to_next(events) < SOON
    steps.db.close()


def test_a_database_that_went_away_only_delays(postgres_settings: Settings, on_postgres: Steps) -> None:
    # Given somebody who watches while the database breaks off every connection
    job = on_postgres.submit()
    with Server(postgres_settings) as server, watching(server, job.id) as events:
        with on_postgres.db.transaction() as session:
            session.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        # When something happens, Then it arrives
        on_postgres.emit(job.id)
        assert seconds_to_next(events) < server.hub.poll_seconds + SOON
