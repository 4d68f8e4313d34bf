"""Canceling: at once, later, and in a race."""

from uuid import uuid4

import pytest

from octavia.errors import Conflict, NotFound
from octavia.jobs.protocol import cancel, claims, completion
from octavia.jobs.tables.records import Disposition, JobRecord, TaskRef
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, Stage, TaskStatus
from tests.integration.jobs.steps import ATTEMPTS, HOPELESS, Steps, at_once, kinds


def stop(steps: Steps, job: JobRecord) -> JobRecord:
    return cancel.cancel(steps.db, job.id, "local")


@pytest.mark.parametrize("start", [True, False])
def test_a_job_that_has_not_begun_is_canceled_at_once(steps: Steps, start: bool) -> None:
    job = steps.submit(start=start)
    canceled = stop(steps, job)
    assert canceled.status is JobStatus.CANCELED
    assert canceled.cancel_requested_at is not None
    assert canceled.finished_at is not None
    assert canceled.expires_at is not None
    assert set(steps.statuses(job.id).values()) <= {TaskStatus.CANCELED}
    assert kinds(steps.events(job.id))[-1] == "canceled"


def test_a_canceled_tasks_message_is_dropped(steps: Steps) -> None:
    job = steps.submit()
    (ref,) = steps.deliver()
    stop(steps, job)
    with pytest.raises(claims.NotClaimable, match="finished"):
        steps.claim(ref)


def test_a_running_job_is_canceled_when_its_last_task_stops(steps: Steps) -> None:
    # Given two running chunks and one queued
    job, messages = steps.prepared(3)
    one, two, three = messages
    first, second = steps.claim(one), steps.claim(two)
    # When the job is canceled
    assert stop(steps, job).status is JobStatus.PROCESSING
    # Then what had not begun is canceled
    assert steps.task(three).status is TaskStatus.CANCELED
    # When one stops, Then the job waits for the other
    completion.stop_canceled(steps.db, first.task_id, first.attempt)
    assert steps.job(job.id).status is JobStatus.PROCESSING
    # When that one stops too, Then it is canceled, once
    completion.stop_canceled(steps.db, second.task_id, second.attempt)
    completion.stop_canceled(steps.db, second.task_id, second.attempt)
    assert steps.job(job.id).status is JobStatus.CANCELED
    assert kinds(steps.events(job.id)).count("canceled") == 1


def test_a_task_may_also_complete_fail_be_given_back_or_be_lost(steps: Steps) -> None:
    # Given four canceled jobs, each with a running chunk
    jobs = [steps.prepared(1) for _ in range(4)]
    running = [(steps.claim(ref), message) for _, messages in jobs for ref, message in messages.items()]
    for job, _ in jobs:
        stop(steps, job)
    # When their tasks end in each possible way
    assert steps.complete(*running[0]) is True
    assert steps.fail(running[1][0], HOPELESS) is Disposition.CANCELED
    claims.give_back(steps.db, running[2][0].task_id, running[2][0].attempt)
    assert claims.expire_leases(steps.db, worker="w", max_attempts=ATTEMPTS) == [running[3][0].ref]
    # Then every job is canceled and nothing more is sent
    assert {steps.job(job.id).status for job, _ in jobs} == {JobStatus.CANCELED}
    assert steps.unsent() == []
    # and only what completed was kept
    ends = [steps.task(claim.ref).status for claim, _ in running]
    assert ends == [TaskStatus.COMPLETED, *[TaskStatus.CANCELED] * 3]


def test_what_concerns_the_whole_job_is_not_kept(steps: Steps) -> None:
    # Given a running prepare of a canceled job
    job = steps.submit()
    (ref,) = steps.deliver()
    claim = steps.claim(ref)
    stop(steps, job)
    # When it completes, Then its plan is not carried out
    assert steps.complete(claim, chunks=2) is False
    assert steps.statuses(job.id) == {(WHOLE_JOB, Stage.PREPARE): TaskStatus.CANCELED}
    assert steps.artifacts(job.id) == []
    assert steps.job(job.id).status is JobStatus.CANCELED


def test_canceling_twice_is_canceling_once(steps: Steps) -> None:
    job = steps.submit()
    first = stop(steps, job)
    second = stop(steps, job)
    assert second == first
    # and also while it still runs
    steps.deliver()
    job, messages = steps.prepared(1)
    steps.claim(next(iter(messages)))
    assert stop(steps, job) == stop(steps, job)


def test_a_completed_job_cannot_be_canceled(steps: Steps) -> None:
    job = steps.submit()
    steps.run_out()
    with pytest.raises(Conflict) as caught:
        stop(steps, job)
    assert caught.value.code == "invalid_state"
    assert steps.job(job.id).status is JobStatus.COMPLETED


def test_only_its_owner_may_cancel(steps: Steps) -> None:
    job = steps.submit()
    with pytest.raises(NotFound):
        cancel.cancel(steps.db, job.id, "another")
    with pytest.raises(NotFound):
        cancel.cancel(steps.db, uuid4(), "local")
    assert steps.job(job.id).status is JobStatus.QUEUED


def test_cancel_against_complete(steps: Steps) -> None:
    outcomes = set()
    for _ in range(15):
        # Given a job whose assemble is running
        job, messages = steps.prepared(0)
        (ref,) = messages
        claim = steps.claim(ref)
        # When it completes and is canceled at the same moment
        completed, canceled = at_once(lambda c=claim: steps.complete(c), lambda j=job: stop(steps, j))
        # Then the one that locked first has won, and the other knows
        status = steps.job(job.id).status
        outcomes.add(status)
        if status is JobStatus.COMPLETED:
            assert completed is True
            assert isinstance(canceled, Conflict)
            assert steps.job(job.id).revision == 1
        else:
            assert status is JobStatus.CANCELED
            assert completed is False
            assert isinstance(canceled, JobRecord)
            assert steps.job(job.id).revision == 0
        assert steps.task(TaskRef(job.id, 1, WHOLE_JOB, Stage.ASSEMBLE)).status in (
            TaskStatus.COMPLETED,
            TaskStatus.CANCELED,
        )
    assert outcomes <= {JobStatus.COMPLETED, JobStatus.CANCELED}
