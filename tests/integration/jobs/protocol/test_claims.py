"""Claims, leases and giving back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from octavia.jobs.protocol import cancel, claims
from octavia.jobs.protocol.claims import NotClaimable, Refusal
from octavia.jobs.tables.database import now
from octavia.jobs.tables.records import Claim, TaskRef
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, Stage, TaskStatus
from tests.integration.jobs.steps import ATTEMPTS, JUST_NOW, LEASE, Steps, at_once, kinds

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def first(steps: Steps) -> TaskRef:
    steps.submit()
    (ref,) = steps.deliver()
    return ref


def refusal(steps: Steps, ref: TaskRef) -> Refusal:
    with pytest.raises(NotClaimable) as caught:
        steps.claim(ref)
    return caught.value.reason


def test_a_claim_starts_the_job(steps: Steps) -> None:
    # Given a queued job
    ref = first(steps)
    # When its task is claimed
    claim = steps.claim(ref, "host:1:0")
    # Then the claim says all the worker needs
    assert (claim.ref, claim.attempt) == (ref, 1)
    assert (claim.job.id, claim.job.status, claim.job.stage) == (ref.job_id, JobStatus.PROCESSING, Stage.PREPARE)
    # and the lease ends when it should, by the database's clock
    task = steps.task(ref)
    assert (task.status, task.worker) == (TaskStatus.RUNNING, "host:1:0")
    assert task.lease_until is not None
    with steps.db.reading() as session:
        left = task.lease_until - now(session)
    assert timedelta(seconds=LEASE - 10) < left <= timedelta(seconds=LEASE)
    assert kinds(steps.events(ref.job_id)) == ["queued", "started", "prepare/-1 started"]


def test_two_claims_at_once(steps: Steps) -> None:
    # Given one message that was delivered twice
    ref = first(steps)
    # When two workers claim it at the same moment
    results = at_once(lambda: steps.claim(ref, "a"), lambda: steps.claim(ref, "b"))
    # Then one wins and the other is told why not
    won = [result for result in results if isinstance(result, Claim)]
    lost = [result for result in results if isinstance(result, NotClaimable)]
    assert len(won) == len(lost) == 1
    assert lost[0].reason is Refusal.RUNNING
    assert steps.task(ref).attempt == 1


def test_duplicates_are_refused(steps: Steps) -> None:
    ref = first(steps)
    claim = steps.claim(ref)
    # While it runs
    assert refusal(steps, ref) is Refusal.RUNNING
    # and after it is completed
    assert steps.complete(claim)
    assert refusal(steps, ref) is Refusal.FINISHED
    # and nothing came of them
    assert steps.task(ref).attempt == 1
    assert len(steps.artifacts(ref.job_id)) == 1


def test_messages_of_nothing_are_refused(steps: Steps) -> None:
    ref = first(steps)
    assert refusal(steps, replace(ref, job_id=uuid4())) is Refusal.UNKNOWN
    assert refusal(steps, replace(ref, run=2)) is Refusal.UNKNOWN
    assert refusal(steps, replace(ref, chunk=7, stage=Stage.TRANSCRIBE)) is Refusal.UNKNOWN


def test_a_message_ahead_of_its_time_is_refused(steps: Steps) -> None:
    job, _ = steps.prepared(1)
    assert refusal(steps, TaskRef(job.id, 1, 0, Stage.TRANSLATE)) is Refusal.WAITING


def test_a_deleted_job_is_refused(steps: Steps) -> None:
    ref = first(steps)
    steps.change_job(ref.job_id, deleted_at=LONG_AGO)
    assert refusal(steps, ref) is Refusal.UNKNOWN


def test_a_lease_is_renewed(steps: Steps) -> None:
    # Given a claim whose lease is nearly over
    ref = first(steps)
    claim = steps.claim(ref)
    steps.change(ref, lease_until=LONG_AGO)
    # When it is renewed in time
    renewal = claims.renew(steps.db, claim.task_id, claim.attempt, lease=LEASE)
    # Then the sweep finds nothing
    assert (renewal.alive, renewal.cancel_requested) == (True, False)
    assert claims.expire_leases(steps.db, max_attempts=ATTEMPTS) == []
    assert steps.task(ref).status is TaskStatus.RUNNING


def test_an_expired_lease_brings_the_task_back_at_once(steps: Steps) -> None:
    # Given a worker that fell silent
    ref = first(steps)
    silent = steps.claim(ref)
    steps.change(ref, lease_until=LONG_AGO)
    # When the sweep comes by
    assert claims.expire_leases(steps.db, max_attempts=ATTEMPTS) == [ref]
    # Then the task is queued and its message due
    task = steps.task(ref)
    assert (task.status, task.worker, task.lease_until) == (TaskStatus.QUEUED, None, None)
    assert list(steps.deliver()) == [ref]
    assert kinds(steps.events(ref.job_id))[-1] == "prepare/-1 retrying"
    # When the silent one finishes after all, Then it is discarded, and so is its pulse
    assert steps.complete(silent) is False
    assert claims.renew(steps.db, silent.task_id, silent.attempt, lease=LEASE).alive is False
    # and also while another has the task
    other = steps.claim(ref, "other")
    assert other.attempt == 2
    assert steps.complete(silent) is False
    assert steps.artifacts(ref.job_id) == []
    assert steps.complete(other) is True
    assert len(steps.artifacts(ref.job_id)) == 1


def test_a_live_lease_is_left_alone(steps: Steps) -> None:
    ref = first(steps)
    steps.claim(ref)
    assert claims.expire_leases(steps.db, max_attempts=ATTEMPTS) == []
    assert claims.expire_leases(steps.db, worker="another", max_attempts=ATTEMPTS) == []
    assert steps.task(ref).status is TaskStatus.RUNNING


def test_a_dead_workers_tasks_come_back_before_their_leases_end(steps: Steps) -> None:
    ref = first(steps)
    steps.claim(ref, "dead")
    assert claims.expire_leases(steps.db, worker="dead", max_attempts=ATTEMPTS) == [ref]
    assert steps.task(ref).status is TaskStatus.QUEUED


def test_two_sweeps_at_once_requeue_once(steps: Steps) -> None:
    ref = first(steps)
    steps.claim(ref)
    steps.change(ref, lease_until=LONG_AGO)
    sweeps = at_once(*[lambda: claims.expire_leases(steps.db, max_attempts=ATTEMPTS)] * 2)
    assert sorted(map(str, sweeps)) == sorted([str([ref]), "[]"])
    assert steps.unsent() == [ref]


def test_the_fourth_lost_attempt_fails_the_job(steps: Steps) -> None:
    # Given a task whose worker dies every time
    ref = first(steps)
    for attempt in range(1, ATTEMPTS + 1):
        assert steps.job(ref.job_id).status is not JobStatus.FAILED
        claim = steps.claim(ref)
        assert claim.attempt == attempt
        claims.expire_leases(steps.db, worker="w", max_attempts=ATTEMPTS)
    # Then after the last one the job says so
    job = steps.job(ref.job_id)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code == "worker_lost"
    assert job.error.hint
    assert steps.task(ref).status is TaskStatus.FAILED


def test_giving_back_costs_no_attempt(steps: Steps) -> None:
    # Given a worker that is told to stop again and again
    ref = first(steps)
    for _ in range(ATTEMPTS + 2):
        claim = steps.claim(ref)
        claims.give_back(steps.db, claim.task_id, claim.attempt)
        # Then the message is due at once
        assert list(steps.deliver()) == [ref]
    # and all attempts are left
    for _ in range(ATTEMPTS):
        assert steps.job(ref.job_id).status is JobStatus.PROCESSING
        steps.claim(ref)
        claims.expire_leases(steps.db, worker="w", max_attempts=ATTEMPTS)
    assert steps.job(ref.job_id).status is JobStatus.FAILED


def test_giving_back_twice_takes_nothing_from_the_next_worker(steps: Steps) -> None:
    # Given a worker whose answer to giving back was lost
    ref = first(steps)
    old = steps.claim(ref, "old")
    claims.give_back(steps.db, old.task_id, old.attempt)
    new = steps.claim(ref, "new")
    # When it asks again, and even tries to complete
    claims.give_back(steps.db, old.task_id, old.attempt)
    assert steps.complete(old) is False
    # Then the next worker still has it
    assert steps.task(ref).worker == "new"
    assert steps.complete(new) is True


def test_renewal_tells_of_a_cancel(steps: Steps) -> None:
    ref = first(steps)
    claim = steps.claim(ref)
    cancel.cancel(steps.db, ref.job_id, "local")
    renewal = claims.renew(steps.db, claim.task_id, claim.attempt, lease=LEASE)
    assert (renewal.alive, renewal.cancel_requested) == (True, True)


def test_progress_is_told_at_most_once_a_second(steps: Steps) -> None:
    # Given a running chunk
    _, messages = steps.prepared(1)
    (ref,) = messages
    claim = steps.claim(ref)
    before = steps.job(ref.job_id).progress
    # When it reports in quick succession, which holds however long this machine takes from one to the next
    claims.record_progress(steps.db, claim.task_id, claim.attempt, 0.25)
    steps.change_events(ref.job_id, "progress", created_at=JUST_NOW)
    for fraction in (0.5, 0.75):
        claims.record_progress(steps.db, claim.task_id, claim.attempt, fraction)
    # Then the row has the last word and watchers heard the first
    assert steps.task(ref).progress == 0.75
    told = [event for event in steps.events(ref.job_id) if event.type == "progress"]
    assert len(told) == 1
    assert told[0].data == {"progress": steps.job(ref.job_id).progress, "stage": "transcribe"}
    assert steps.job(ref.job_id).progress > before
    # and a second later they hear again
    steps.change_events(ref.job_id, "progress", created_at=LONG_AGO)
    claims.record_progress(steps.db, claim.task_id, claim.attempt, 0.9)
    assert len([event for event in steps.events(ref.job_id) if event.type == "progress"]) == 2


def test_progress_of_a_lost_lease_is_not_recorded(steps: Steps) -> None:
    ref = first(steps)
    claim = steps.claim(ref)
    claims.give_back(steps.db, claim.task_id, claim.attempt)
    claims.record_progress(steps.db, claim.task_id, claim.attempt, 0.5)
    claims.record_progress(steps.db, uuid4(), 1, 0.5)
    assert steps.task(ref).progress == 0.0
    assert "progress" not in kinds(steps.events(ref.job_id))


def test_a_whole_job_task_knows_its_seconds(steps: Steps) -> None:
    job, _ = steps.prepared(0)
    assert steps.claim(TaskRef(job.id, 1, WHOLE_JOB, Stage.ASSEMBLE)).seconds == 0.0
    job, messages = steps.prepared(2)
    assert {steps.claim(ref).seconds for ref in messages} == {29.0}
