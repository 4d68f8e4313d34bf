"""A real database with one job, and messages as brokers deliver them."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from octavia.brokers.queues import Delivery
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import messages
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import NewJob, TaskRef
from octavia.jobs.tables.states import WHOLE_JOB, JobType, Queue, Stage
from octavia.settings import Settings
from octavia.storage import Storage


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(f"file://{tmp_path / 'storage'}")


@pytest.fixture
def settings() -> Settings:
    return Settings(retry_delays=(10, 20), retry_jitter=0)


@pytest.fixture
def job_id(db: Database) -> UUID:
    """A queued job; its first task is prepare."""
    return submit.create(db, NewJob(JobType.TRANSCRIBE, source_language="en", input={"kind": "media"})).id


@pytest.fixture
def delivery(job_id: UUID) -> Delivery:
    """The message of the job's first task."""
    return Delivery(messages.message_for(TaskRef(job_id, 1, WHOLE_JOB, Stage.PREPARE), 2), Queue.DEFAULT)
