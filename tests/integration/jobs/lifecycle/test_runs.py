"""New runs: what is redone and what is taken from before."""

from datetime import UTC, datetime

import pytest

from octavia.errors import Conflict, InputError
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel, claims
from octavia.jobs.protocol.claims import NotClaimable, Refusal
from octavia.jobs.tables.records import Disposition, JobRecord, TaskRef
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, JobType, Stage, TaskStatus
from tests.integration.jobs.steps import ATTEMPTS, HOPELESS, LEASE, Steps, kinds


def again(steps: Steps, job: JobRecord, from_stage: Stage | None = None) -> JobRecord:
    return submit.retry(steps.db, job.id, "local", from_stage=from_stage)


def rows(steps: Steps, job: JobRecord, run: int) -> set[tuple[int, Stage]]:
    return set(steps.statuses(job.id, run))


def test_a_failed_job_redoes_only_what_is_unfinished(steps: Steps) -> None:
    # Given a job of two chunks of which one is transcribed and the other failed
    job, messages = steps.prepared(2)
    one, two = messages
    steps.do(one, messages[one])
    steps.fail(steps.claim(two), HOPELESS)
    # When it is retried
    retried = again(steps, job)
    # Then it is queued, without its error, and keeps what it has done
    assert (retried.status, retried.run, retried.error) == (JobStatus.QUEUED, 2, None)
    assert (retried.finished_at, retried.expires_at, retried.started_at) == (None, None, None)
    assert retried.progress > 0
    assert kinds(steps.events(job.id))[-1] == "queued"
    assert rows(steps, job, 2) == {
        (0, Stage.TRANSLATE),
        (0, Stage.SYNTHESIZE),
        (1, Stage.TRANSCRIBE),
        (1, Stage.TRANSLATE),
        (1, Stage.SYNTHESIZE),
    }
    # and the translation beside the missing transcript still waits for it
    assert steps.unsent() == [TaskRef(job.id, 2, 1, Stage.TRANSCRIBE)]
    done = steps.run_out()
    assert len(done) == 6
    assert {ref.run for ref in done} == {2}
    job = steps.job(job.id)
    assert (job.status, job.revision) == (JobStatus.COMPLETED, 1)


def test_a_job_whose_prepare_failed_prepares_again(steps: Steps) -> None:
    job = steps.submit()
    (ref,) = steps.deliver()
    steps.fail(steps.claim(ref), HOPELESS)
    again(steps, job)
    assert steps.unsent() == [TaskRef(job.id, 2, WHOLE_JOB, Stage.PREPARE)]
    steps.run_out(chunks=2)
    assert steps.job(job.id).status is JobStatus.COMPLETED


def test_a_job_whose_assemble_failed_only_assembles(steps: Steps) -> None:
    job, messages = steps.prepared(1, JobType.TRANSCRIBE)
    steps.do(*next(iter(messages.items())))
    (assemble,) = steps.deliver()
    steps.fail(steps.claim(assemble), HOPELESS)
    again(steps, job)
    assert steps.run_out() == [TaskRef(job.id, 2, WHOLE_JOB, Stage.ASSEMBLE)]
    assert steps.job(job.id).revision == 1


@pytest.mark.parametrize("start", [True, False])
def test_a_canceled_job_begins_again(steps: Steps, start: bool) -> None:
    job = steps.submit(start=start)
    cancel.cancel(steps.db, job.id, "local")
    steps.deliver()
    retried = again(steps, job)
    assert (retried.status, retried.cancel_requested_at) == (JobStatus.QUEUED, None)
    steps.run_out()
    assert steps.job(job.id).status is JobStatus.COMPLETED


def test_a_completed_job_is_redone_from_a_stage(steps: Steps) -> None:
    # Given a completed job
    job = steps.submit()
    steps.run_out(chunks=2)
    before = {artifact.id: artifact.revision for artifact in steps.artifacts(job.id)}
    # When it is redone from translate
    retried = again(steps, job, Stage.TRANSLATE)
    # Then the transcripts are taken from before, and all chunks are sent at once
    stages = {Stage.TRANSLATE, Stage.SYNTHESIZE}
    assert rows(steps, job, 2) == {(chunk, stage) for chunk in range(2) for stage in stages}
    assert set(steps.unsent()) == {TaskRef(job.id, 2, chunk, Stage.TRANSLATE) for chunk in range(2)}
    # and the former revision stands until the new one commits
    assert (retried.revision, retried.status) == (1, JobStatus.QUEUED)
    assert 0 < retried.progress < 1
    steps.run_out()
    job = steps.job(job.id)
    assert (job.status, job.revision, job.run) == (JobStatus.COMPLETED, 2, 2)
    # and still does afterwards, beside it
    after = {artifact.id: artifact.revision for artifact in steps.artifacts(job.id)}
    assert before.items() <= after.items()
    assert sorted(revision for revision in after.values() if revision) == [1, 2]


def test_from_assemble_only_assembles(steps: Steps) -> None:
    job = steps.submit()
    steps.run_out(chunks=2)
    again(steps, job, Stage.ASSEMBLE)
    assert steps.run_out() == [TaskRef(job.id, 2, WHOLE_JOB, Stage.ASSEMBLE)]


def test_from_prepare_a_smaller_plan_forgets_the_larger_one(steps: Steps) -> None:
    # Given a completed job of three chunks
    job = steps.submit()
    steps.run_out(chunks=3)
    # When it is prepared anew, into two
    again(steps, job, Stage.PREPARE)
    assert steps.job(job.id).chunks_total is None
    done = steps.run_out(chunks=2)
    # Then only these are done and the job completes
    assert len(done) == 1 + 2 * 3 + 1
    job = steps.job(job.id)
    assert (job.status, job.revision, job.chunks_total) == (JobStatus.COMPLETED, 2, 2)


def test_a_third_run_takes_from_both_before(steps: Steps) -> None:
    # Given a job that completed, and failed when it was redone from translate
    job = steps.submit()
    steps.run_out(chunks=2)
    again(steps, job, Stage.TRANSLATE)
    messages = steps.deliver()
    one, two = messages
    steps.do(one, messages[one])
    steps.fail(steps.claim(two), HOPELESS)
    steps.deliver()
    # When it is retried
    again(steps, job)
    # Then the second run's translation counts, and the first run's speech does not
    assert rows(steps, job, 3) == {(0, Stage.SYNTHESIZE), (1, Stage.TRANSLATE), (1, Stage.SYNTHESIZE)}
    steps.run_out()
    assert steps.job(job.id).revision == 2


def test_a_failed_detect_is_heard_again(steps: Steps) -> None:
    job = steps.submit()
    (ref,) = steps.deliver()
    steps.complete(steps.claim(ref), chunks=2, needs_detect=True)
    (detect,) = steps.deliver()
    steps.fail(steps.claim(detect), HOPELESS)
    again(steps, job)
    assert steps.unsent() == [TaskRef(job.id, 2, WHOLE_JOB, Stage.DETECT)]
    steps.run_out()
    job = steps.job(job.id)
    assert (job.status, job.source_language) == (JobStatus.COMPLETED, "de")
    # and a completed one only on demand
    again(steps, job, Stage.TRANSCRIBE)
    assert {ref.stage for ref in steps.unsent()} == {Stage.TRANSCRIBE}
    steps.run_out()
    again(steps, job, Stage.DETECT)
    assert {ref.stage for ref in steps.unsent()} == {Stage.DETECT}
    steps.run_out()
    assert steps.job(job.id).revision == 3


def test_a_language_given_by_a_new_plan_needs_no_old_detect(steps: Steps) -> None:
    # Given a job whose detect failed
    job = steps.submit()
    (ref,) = steps.deliver()
    steps.complete(steps.claim(ref), chunks=1, needs_detect=True)
    (detect,) = steps.deliver()
    steps.fail(steps.claim(detect), HOPELESS)
    # When it is prepared anew, to a plan that knows the language
    again(steps, job, Stage.PREPARE)
    steps.run_out()
    # Then nothing waits for the old detect, nor does a later run hear it
    assert steps.job(job.id).status is JobStatus.COMPLETED
    with pytest.raises(InputError):
        again(steps, job, Stage.DETECT)


def test_messages_of_an_older_run_are_dropped(steps: Steps) -> None:
    job, messages = steps.prepared(2)
    one, two = messages
    steps.fail(steps.claim(one), HOPELESS)
    again(steps, job)
    for ref in (one, two):
        with pytest.raises(NotClaimable) as caught:
            steps.claim(ref)
        assert caught.value.reason is Refusal.OLD_RUN


def test_a_straggler_of_the_failed_run_has_lost_its_lease(steps: Steps) -> None:
    # Given a chunk that still runs after its job failed
    job, messages = steps.prepared(2)
    one, two = messages
    failing, straggler = steps.claim(one), steps.claim(two)
    steps.fail(failing, HOPELESS)
    # When the job is retried
    again(steps, job)
    # Then the straggler's result would be late
    assert claims.renew(steps.db, straggler.task_id, straggler.attempt, lease=LEASE).alive is False
    assert steps.complete(straggler, messages[two]) is False
    # and the new run does its chunk itself
    assert set(steps.unsent()) == {TaskRef(job.id, 2, chunk, Stage.TRANSCRIBE) for chunk in range(2)}
    assert steps.statuses(job.id)[1, Stage.TRANSCRIBE] is TaskStatus.CANCELED


def test_attempts_are_counted_anew(steps: Steps) -> None:
    steps.submit()
    (ref,) = steps.deliver()
    for _ in range(ATTEMPTS):
        steps.claim(ref)
        claims.expire_leases(steps.db, worker="w", max_attempts=ATTEMPTS)
    again(steps, steps.job(ref.job_id))
    claim = steps.claim(TaskRef(ref.job_id, 2, WHOLE_JOB, Stage.PREPARE))
    assert claim.attempt == 1
    assert steps.fail(claim) is Disposition.RETRYING


@pytest.mark.parametrize("status", ["pending", "queued", "processing"])
def test_only_a_job_that_has_ended_is_retried(steps: Steps, status: str) -> None:
    job = steps.submit(start=status != "pending")
    if status == "processing":
        steps.claim(next(iter(steps.deliver())))
    with pytest.raises(Conflict, match=status):
        again(steps, job, Stage.PREPARE)


def test_a_completed_job_needs_a_stage_to_be_redone_from(steps: Steps) -> None:
    job = steps.submit()
    steps.run_out()
    with pytest.raises(Conflict) as caught:
        again(steps, job)
    assert caught.value.hint


def test_an_expired_job_is_not_retried(steps: Steps) -> None:
    job = steps.submit()
    steps.run_out()
    steps.change_job(job.id, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(Conflict) as caught:
        again(steps, job, Stage.TRANSLATE)
    assert caught.value.code == "job_expired"


def test_a_stage_that_the_job_has_not_is_named(steps: Steps) -> None:
    job = steps.submit(JobType.TRANSCRIBE)
    steps.run_out()
    with pytest.raises(InputError) as caught:
        again(steps, job, Stage.SYNTHESIZE)
    assert "transcribe" in caught.value.hint
    assert steps.job(job.id).status is JobStatus.COMPLETED
