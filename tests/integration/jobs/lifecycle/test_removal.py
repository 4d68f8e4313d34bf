"""Deleting jobs, and what is swept of them later, over both databases."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel, col

from octavia.errors import NotFound
from octavia.jobs.access import idempotency
from octavia.jobs.access.idempotency import KeyClaim, Slot
from octavia.jobs.lifecycle import removal, retention, submit
from octavia.jobs.protocol import claims, completion
from octavia.jobs.tables import queries
from octavia.jobs.tables.database import now
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.rows import Artifact, Event, IdempotencyKey, Job, Task, WebhookDelivery
from octavia.jobs.tables.states import JobStatus, JobType, TaskStatus
from octavia.storage import Storage
from tests.integration.jobs.steps import ATTEMPTS, Steps

HOUR = timedelta(hours=1)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(f"file://{tmp_path / 'storage'}")


def remove(steps: Steps, job_id: UUID) -> None:
    removal.remove(steps.db, job_id, "local")


def later(steps: Steps, by: timedelta = HOUR) -> None:
    """Let time pass for every deleted job."""
    with steps.db.transaction() as session:
        deleted = sa.update(Job).where(col(Job.deleted_at).is_not(None))
        session.execute(deleted.values(deleted_at=now(session) - by))


def rows(steps: Steps) -> dict[type[SQLModel], int]:
    tables = (Job, Task, Artifact, Event, WebhookDelivery, IdempotencyKey)
    with steps.db.reading() as session:
        return {table: session.scalars(sa.select(sa.func.count()).select_from(table)).one() for table in tables}


def test_a_deleted_job_is_gone_at_once_and_cannot_be_deleted_again(steps: Steps) -> None:
    job = steps.submit()
    with pytest.raises(NotFound):
        removal.remove(steps.db, job.id, "somebody")
    remove(steps, job.id)
    with pytest.raises(NotFound):
        queries.get(steps.db, job.id, "local")
    with pytest.raises(NotFound):
        remove(steps, job.id)
    # and none of its messages makes a worker begin
    assert steps.job(job.id).status is JobStatus.CANCELED
    for ref in steps.deliver():
        with pytest.raises(claims.NotClaimable):
            steps.claim(ref)


def test_a_running_job_stops_like_one_that_is_canceled(steps: Steps) -> None:
    # Given a job of two chunks, one of them in work
    job, messages = steps.prepared(2)
    one, two = messages
    running = steps.claim(one)
    # When it is deleted, then its worker hears of that, and the other chunk is not begun
    remove(steps, job.id)
    assert claims.check(steps.db, running.task_id, running.attempt).cancel_requested
    with pytest.raises(claims.NotClaimable):
        steps.claim(two)
    # When the worker stops, then the job is canceled
    completion.stop_canceled(steps.db, running.task_id, running.attempt)
    assert steps.job(job.id).status is JobStatus.CANCELED


def test_all_of_it_is_swept_an_hour_later(steps: Steps, storage: Storage) -> None:
    # Given a completed job with its files, results, events, a webhook and the key of its request
    slot = Slot("local", "POST", "/api/v1/jobs", "k")
    claim = idempotency.claim(steps.db, slot)
    assert isinstance(claim, KeyClaim)
    given = storage.put("jobs/x/input/a.wav", b"sound")
    new = NewJob(
        JobType.TRANSCRIBE,
        "en",
        input={"kind": "media", "key": given.key},
        webhook_url="https://example.com",
        webhook_secret="whsec_x",
    )
    job = submit.create(
        steps.db,
        new,
        within=lambda session, job: idempotency.record(session, claim, "a" * 64, job_id=job.id),
    )
    steps.run_out()
    results = [artifact.storage_key for artifact in steps.artifacts(job.id)]
    for key in results:
        storage.put(key, b"result")
    other = steps.submit()
    assert 0 not in rows(steps).values()
    # When it is deleted, then it stays for an hour
    remove(steps, job.id)
    later(steps, HOUR - timedelta(minutes=1))
    assert removal.sweep(steps.db, storage) == 0
    assert storage.exists(given.key)
    # When that is over, then nothing is left of it, and the other job is as it was
    later(steps)
    assert removal.sweep(steps.db, storage) == 1
    assert list(storage.keys()) == []
    left = rows(steps)
    assert (left[Job], left[Artifact], left[WebhookDelivery], left[IdempotencyKey]) == (1, 0, 0, 0)
    assert steps.job(other.id).status is JobStatus.QUEUED
    assert removal.sweep(steps.db, storage) == 0


def test_a_job_whose_worker_was_lost_is_swept_too(steps: Steps, storage: Storage) -> None:
    # Given a deleted job whose worker died without a word
    job = steps.submit()
    (prepare,) = steps.deliver()
    steps.claim(prepare)
    remove(steps, job.id)
    later(steps)
    # Then it stays as long as the worker may still write
    assert removal.sweep(steps.db, storage) == 0
    # When its lease has ended, then it goes
    claims.expire_leases(steps.db, worker="w", max_attempts=ATTEMPTS)
    assert steps.statuses(job.id).popitem()[1] is TaskStatus.CANCELED
    assert removal.sweep(steps.db, storage) == 1
    assert rows(steps)[Job] == 0


def test_one_that_was_never_started_is_swept(steps: Steps, storage: Storage) -> None:
    remove(steps, steps.submit(start=False).id)
    later(steps)
    assert removal.sweep(steps.db, storage) == 1


def test_many_are_swept_batch_by_batch(steps: Steps, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "JOBS_AT_ONCE", 2)
    for _ in range(5):
        remove(steps, steps.submit().id)
    later(steps)
    assert removal.sweep(steps.db, storage) == 5
    assert rows(steps)[Job] == 0
