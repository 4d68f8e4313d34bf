"""Creating and starting jobs."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from octavia.errors import Conflict, InputError, NotFound
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel
from octavia.jobs.protocol.messages import decode
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import NewJob, TaskRef
from octavia.jobs.tables.states import (
    EARLY_FORMAT,
    EDITS_FORMAT,
    PLAIN_FORMAT,
    WHOLE_JOB,
    JobStatus,
    JobType,
    Priority,
    Queue,
    Stage,
    TaskStatus,
)
from tests.integration.jobs.steps import MEDIA, TEXT, Steps, kinds


def test_create_writes_job_task_message_and_event(steps: Steps) -> None:
    # When a job is created under an id chosen before
    job_id = uuid4()
    new = NewJob(JobType.DUB, "en", "es", {"voice": "x"}, Priority.HIGH, dict(MEDIA), {"mine": 1}, "me")
    job = submit.create(steps.db, new, job_id=job_id)
    # Then the record says what was asked
    assert (job.id, job.owner, job.status, job.priority) == (job_id, "me", JobStatus.QUEUED, 3)
    assert (job.source_language, job.target_language) == ("en", "es")
    assert (job.options, job.meta, job.input) == ({"voice": "x"}, {"mine": 1}, MEDIA)
    # and its first task is queued
    assert steps.statuses(job_id) == {(WHOLE_JOB, Stage.PREPARE): TaskStatus.QUEUED}
    # and its message waits in the outbox, for the logical queue
    (row,) = steps.outbox()
    assert (row.queue, row.priority, row.published_at) == (Queue.DEFAULT, 3, None)
    message = decode(row.message)
    assert (message.actor_name, message.queue_name, message.args) == ("prepare", "default", ())
    assert message.kwargs == {"job_id": str(job_id), "run": 1, "chunk": WHOLE_JOB, "format": EARLY_FORMAT}
    assert message.options == {"broker_priority": 3}
    assert kinds(steps.events(job_id)) == ["queued"]


@pytest.mark.parametrize(
    ("kind", "format"),
    [("media", EARLY_FORMAT), ("url", EARLY_FORMAT), ("subtitles", EDITS_FORMAT), ("text", PLAIN_FORMAT)],
)
def test_a_job_has_the_oldest_format_that_expresses_it(steps: Steps, kind: str, format: int) -> None:
    # Given a job; older releases know no early chunks of recordings, and those before them no subtitles as input
    submit.create(steps.db, NewJob(JobType.DUB, "en", "es", input={**MEDIA, "kind": kind}))
    # Then its messages have a format that they do not take
    (row,) = steps.outbox()
    assert decode(row.message).kwargs["format"] == format


def test_a_pending_job_waits_for_its_start(steps: Steps) -> None:
    # Given a job that shall wait
    job = steps.submit(start=False)
    assert job.status is JobStatus.PENDING
    assert steps.tasks(job.id) == []
    assert steps.outbox() == []
    # When it is started
    started = submit.start(steps.db, job.id, "local")
    # Then it is queued, and nothing of it expires any more
    assert started.status is JobStatus.QUEUED
    assert started.expires_at is None
    assert steps.unsent() == [TaskRef(job.id, 1, WHOLE_JOB, Stage.PREPARE)]


@pytest.fixture
def two_days(database_url: str) -> Iterator[Steps]:
    """Steps over a database that keeps files for two days."""
    with closing(Database(database_url, retention_days=2)) as database:
        yield Steps(database)


def test_a_pending_job_does_not_wait_for_ever(two_days: Steps) -> None:
    # Given a job that nobody started in the time that results have
    steps = two_days
    job = steps.submit(start=False)
    assert job.expires_at == job.created_at + timedelta(days=2)
    steps.change_job(job.id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    # When it shall start after all, then it cannot: its input may be gone
    with pytest.raises(Conflict) as caught:
        submit.start(steps.db, job.id, "local")
    assert caught.value.code == "job_expired"
    # And canceling it does not make it one that can be retried
    cancel.cancel(steps.db, job.id, "local")
    with pytest.raises(Conflict) as caught:
        submit.retry(steps.db, job.id, "local")
    assert caught.value.code == "job_expired"


def test_a_job_is_started_once(steps: Steps) -> None:
    job = steps.submit()
    with pytest.raises(Conflict, match="queued"):
        submit.start(steps.db, job.id, "local")
    assert len(steps.outbox()) == 1


def test_only_its_owner_may_start_it(steps: Steps) -> None:
    job = steps.submit(start=False)
    with pytest.raises(NotFound) as caught:
        submit.start(steps.db, job.id, "another")
    assert caught.value.code == "job_not_found"
    with pytest.raises(NotFound):
        submit.start(steps.db, uuid4(), "local")


@pytest.mark.parametrize(("type", "input"), [(JobType.TRANSCRIBE, TEXT), (JobType.SYNTHESIZE, MEDIA)])
def test_the_input_must_suit_the_type(steps: Steps, type: JobType, input: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        steps.submit(type, input=input)
    assert caught.value.field == "type"
    assert steps.outbox() == []
