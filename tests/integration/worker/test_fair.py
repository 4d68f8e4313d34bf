"""Fair release over real processes and brokers: nobody waits behind all that somebody else has queued."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.protocol import outbox
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import JobStatus, Queue, TaskStatus
from tests.integration.worker.conftest import Service

_KINDS = ["embedded sqlite", "rabbitmq postgresql", "quorum postgresql"]
_CHUNKS = 60
# What a window holds of such small chunks, beside the one in hand.
_AHEAD = 14

pytestmark = pytest.mark.parametrize("service", _KINDS, indirect=True)


def _begun(service: Service, job_id: UUID) -> int:
    """The number of chunks of other jobs that were begun before this job's."""
    return [attempt.job_id for attempt in service.attempts()].index(job_id)


def _queued(service: Service, job_id: UUID, **of: int) -> int:
    with service.db.reading() as session:
        queued = sa.select(sa.func.count()).select_from(Task).filter_by(job_id=job_id, status=TaskStatus.QUEUED, **of)
        return session.scalars(queued).one()


def test_a_short_job_is_done_long_before_a_long_one(service: Service) -> None:
    # Given one worker, and a long job whose chunks are all queued
    service.start()
    long = service.submit("wait for the gate", "succeed", chunks=_CHUNKS)
    service.until(lambda: _queued(service, long) == _CHUNKS - 1)
    # When a short one is submitted, and the worker goes on
    short = service.submit()
    if not service.settings.embedded:
        # Another process prepares it meanwhile. Without a broker, one process does all.
        service.until(lambda: _queued(service, short, chunk=0))
    service.gate.touch()
    # Then the short one is done first, after what was released already
    assert service.until_ended(short).status is JobStatus.COMPLETED
    assert _begun(service, short) <= _AHEAD
    assert service.job(long).status is JobStatus.PROCESSING
    # And the long one is done, too: whoever completes a task has the next one released
    assert service.until_ended(long).status is JobStatus.COMPLETED
    assert sorted(attempt.chunk for attempt in service.attempts() if attempt.job_id == long) == list(range(_CHUNKS))


def test_a_window_that_was_lost_with_its_relay_is_released_again(service: Service) -> None:
    # Given a job whose first message was leased by a relay that died
    job = service.submit(chunks=3)
    leased = outbox.lease(service.db, limit=10, seconds=1, windowed=True)
    assert len(leased) == 1
    # When the workers start, Then it is released again when that lease has ended
    service.start()
    assert service.until_ended(job).status is JobStatus.COMPLETED
    with service.db.reading() as session:
        unsent = sa.select(col(OutboxMessage.id)).where(
            col(OutboxMessage.published_at).is_(None), col(OutboxMessage.queue) != Queue.MAINTENANCE
        )
        assert session.scalars(unsent).all() == []


def test_a_worker_that_joins_takes_part_at_once(service: Service) -> None:
    # Given a worker with a chunk that lasts, and others queued
    service.spawn()
    job = service.submit("wait for the gate", chunks=4)
    service.until(lambda: len(service.attempts()) == 1)
    # When two more come, Then each has a chunk
    service.spawn(2)
    service.until(lambda: len(service.attempts()) == 3)
    service.gate.touch()
    assert service.until_ended(job).status is JobStatus.COMPLETED
