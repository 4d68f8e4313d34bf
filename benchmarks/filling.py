"""Fill the table of jobs, to measure what a full one costs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import JobStatus, JobType, Stage, TaskStatus

_BATCH = 5_000


@contextmanager
def filled(
    database: Database, amount: int, vary: Callable[[int], dict[str, object]] = lambda _: {}
) -> Iterator[list[UUID]]:
    """Insert jobs of the local owner: one in fifty queued, the others completed. They are taken out in the end.

    Parameters:
      vary: Other columns of a job, by its number.
    """
    ids = [uuid7() for _ in range(amount)]
    with database.transaction() as session:
        for begin in range(0, amount, _BATCH):
            some = ids[begin : begin + _BATCH]
            session.execute(sa.insert(Job), [_job(id_, number) | vary(number) for number, id_ in enumerate(some)])
            session.execute(sa.insert(Task), [_task(id_, number) for number, id_ in enumerate(some)])
    yield ids
    with database.transaction() as session:
        for begin in range(0, amount, _BATCH):
            session.execute(sa.delete(Job).where(col(Job.id).in_(ids[begin : begin + _BATCH])))


def _job(id_: UUID, number: int) -> dict[str, object]:
    now = datetime.now(UTC)
    queued = number % 50 == 0
    return {
        "id": id_,
        "owner": "local",
        "type": JobType.TRANSCRIBE,
        "status": JobStatus.QUEUED if queued else JobStatus.COMPLETED,
        "source_language": "en",
        "options": {},
        "priority": 1 + number % 3,
        "input": {"kind": "media", "filename": "talk.wav", "media_type": "audio/wav", "size": 1, "sha256": "0" * 64},
        "meta": {},
        "models": {},
        "warnings": [],
        "progress": 0.0 if queued else 1.0,
        "run": 1,
        "revision": 0 if queued else 1,
        "event_seq": 0,
        "created_at": now,
        "queued_at": now + timedelta(microseconds=number),
        "expires_at": None if queued else now + timedelta(days=7),
    }


def _task(job: UUID, number: int) -> dict[str, object]:
    now = datetime.now(UTC)
    queued = number % 50 == 0
    return {
        "id": uuid7(),
        "job_id": job,
        "run": 1,
        "chunk": -1,
        "stage": Stage.PREPARE,
        "status": TaskStatus.QUEUED if queued else TaskStatus.COMPLETED,
        "queued_at": now,
        "started_at": None if queued else now,
        "finished_at": None if queued else now + timedelta(seconds=1),
        "attempt": 0 if queued else 1,
        # Long past its first message, so that repairing it is not due for hours.
        "published": 20,
    }
