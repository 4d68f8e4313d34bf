"""Failed attempts: retries with delays, and failing for good."""

from datetime import timedelta

import pytest

from octavia.errors import Conflict
from octavia.jobs.protocol import cancel, claims, completion
from octavia.jobs.tables.records import Disposition, TaskRef
from octavia.jobs.tables.states import JobStatus, Stage, TaskStatus
from tests.integration.jobs.steps import ATTEMPTS, DAYS, DELAYS, FLAKY, HOPELESS, LEASE, Steps, kinds


def make_due(steps: Steps, ref: TaskRef) -> None:
    """Let the waiting time of the unsent message pass."""
    with steps.db.transaction() as session:
        for row in steps.outbox():
            if row.published_at is None:
                session.merge(row).not_before = row.created_at
    assert list(steps.deliver()) == [ref]


def test_retries_wait_60_180_and_600_seconds(steps: Steps) -> None:
    # Given a task that fails every time
    steps.submit()
    (ref,) = steps.deliver()
    for attempt, delay in enumerate(DELAYS, start=1):
        # When an attempt fails
        assert steps.fail(steps.claim(ref)) is Disposition.RETRYING
        # Then its message waits in the outbox, not in the broker
        assert steps.deliver() == {}
        (row,) = [row for row in steps.outbox() if row.published_at is None]
        assert row.not_before - row.created_at == timedelta(seconds=delay)
        event = steps.events(ref.job_id)[-1]
        assert (event.data["status"], event.data["attempt"], event.data["code"]) == ("retrying", attempt, FLAKY.code)
        assert event.data["next_at"]
        assert steps.task(ref).error_code == FLAKY.code
        make_due(steps, ref)
    # When the last one fails
    assert steps.fail(steps.claim(ref)) is Disposition.FAILED
    # Then so does the job, with all a client must know
    job = steps.job(ref.job_id)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert (job.error.code, job.error.message, job.error.hint) == (FLAKY.code, FLAKY.message, FLAKY.hint)
    assert job.stage is Stage.PREPARE
    assert job.finished_at is not None
    assert job.expires_at == job.finished_at + timedelta(days=DAYS)
    assert kinds(steps.events(ref.job_id))[-1] == "failed"
    assert steps.unsent() == []


def test_jitter_spreads_the_delay(steps: Steps) -> None:
    delays = set()
    for _ in range(6):
        steps.submit()
        (ref,) = steps.deliver()
        steps.fail(steps.claim(ref), jitter=0.1)
        (row,) = [row for row in steps.outbox() if row.task_id == steps.task(ref).id and row.published_at is None]
        delays.add((row.not_before - row.created_at).total_seconds())
    assert len(delays) > 1
    assert all(54 <= delay <= 66 for delay in delays)


def test_bad_input_is_never_retried(steps: Steps) -> None:
    steps.submit()
    (ref,) = steps.deliver()
    assert steps.fail(steps.claim(ref), HOPELESS) is Disposition.FAILED
    assert steps.job(ref.job_id).status is JobStatus.FAILED


def test_a_lost_lease_fails_nothing(steps: Steps) -> None:
    steps.submit()
    (ref,) = steps.deliver()
    claim = steps.claim(ref)
    claims.expire_leases(steps.db, worker="w", max_attempts=ATTEMPTS)
    assert steps.fail(claim, HOPELESS) is Disposition.LOST
    assert steps.job(ref.job_id).status is JobStatus.PROCESSING


def test_failing_for_good_ends_everything_that_has_not_begun(steps: Steps) -> None:
    # Given a job with a running chunk beside the one that fails, and one still queued
    job, messages = steps.prepared(3)
    one, two, three = messages
    failing, running = steps.claim(one), steps.claim(two)
    # When one fails for good
    assert steps.fail(failing, HOPELESS) is Disposition.FAILED
    # Then in the same transaction all that had not begun is canceled
    statuses = steps.statuses(job.id)
    assert statuses.pop((0, Stage.TRANSCRIBE)) is TaskStatus.FAILED
    assert statuses.pop((1, Stage.TRANSCRIBE)) is TaskStatus.RUNNING
    assert statuses.pop((-1, Stage.PREPARE)) is TaskStatus.COMPLETED
    assert set(statuses.values()) == {TaskStatus.CANCELED}
    # and the queued one's message is dropped
    with pytest.raises(claims.NotClaimable):
        steps.claim(three)
    # and the running one hears that it is not wanted
    assert claims.renew(steps.db, running.task_id, running.attempt, lease=LEASE).cancel_requested is True
    completion.stop_canceled(steps.db, running.task_id, running.attempt)
    assert steps.task(two).status is TaskStatus.CANCELED
    # and the job keeps its first error
    job = steps.job(job.id)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code == HOPELESS.code


def test_a_chunk_that_completes_after_the_failure_is_kept_and_leads_nowhere(steps: Steps) -> None:
    job, messages = steps.prepared(2)
    one, two = messages
    failing, running = steps.claim(one), steps.claim(two)
    steps.fail(failing, HOPELESS)
    # When the other one completes all the same
    assert steps.complete(running, messages[two]) is True
    # Then its result is kept for a later run, but nothing follows from it
    assert steps.task(two).status is TaskStatus.COMPLETED
    assert steps.unsent() == []
    assert steps.job(job.id).status is JobStatus.FAILED


def test_a_second_failure_beside_the_first_changes_nothing(steps: Steps) -> None:
    job, messages = steps.prepared(2)
    one, two = (steps.claim(ref) for ref in messages)
    steps.fail(one, HOPELESS)
    assert steps.fail(two) is Disposition.CANCELED
    error = steps.job(job.id).error
    assert error is not None
    assert error.code == HOPELESS.code


def test_a_task_wanted_again_does_not_stop(steps: Steps) -> None:
    # Given a running task that nobody canceled
    steps.submit()
    (ref,) = steps.deliver()
    claim = steps.claim(ref)
    # When its worker believes otherwise
    completion.stop_canceled(steps.db, claim.task_id, claim.attempt)
    # Then it goes on
    assert steps.task(ref).status is TaskStatus.RUNNING


def test_a_failed_job_cannot_be_canceled(steps: Steps) -> None:
    job = steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    with pytest.raises(Conflict):
        cancel.cancel(steps.db, job.id, "local")
