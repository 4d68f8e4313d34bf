"""Chunks are worked on while the recording is still read: nothing is done too early, twice, or of another plan."""

from typing import Any
from uuid import UUID

import pytest

from octavia.jobs.lifecycle import submit
from octavia.jobs.lifecycle.priorities import prioritize_locked
from octavia.jobs.protocol import cancel, claims, early
from octavia.jobs.protocol.messages import decode
from octavia.jobs.status import job_details
from octavia.jobs.status.job_details import StageProgress
from octavia.jobs.tables import chunk_times, queries
from octavia.jobs.tables.records import Claim, Disposition, NewArtifact, TaskRef
from octavia.jobs.tables.states import (
    EARLY_FORMAT,
    PLAIN_FORMAT,
    WHOLE_JOB,
    JobStatus,
    JobType,
    Priority,
    Stage,
    TaskStatus,
)
from octavia.jobs.tables.transitions import lock_job
from tests.integration.jobs.steps import ATTEMPTS, HOPELESS, Steps, artifact, at_once, plan


def preparing(steps: Steps, type: JobType = JobType.DUB) -> Claim:
    """The claimed ``prepare`` of a new job."""
    steps.submit(type)
    (ref,) = steps.deliver()
    return steps.claim(ref)


def files(claim: Claim, *chunks: int) -> list[NewArtifact]:
    return [artifact(claim, name=f"chunk-{chunk:05d}.flac") for chunk in chunks]


def release(steps: Steps, claim: Claim, chunks: int, *, fraction: float = 0.5) -> bool:
    """Release the first so many chunks, as ``prepare`` does, with their files."""
    left = files(claim, *range(chunks))
    return early.release_chunks(steps.db, claim, plan(chunks), artifacts=left, fraction=fraction)


def transcribe(steps: Steps, *chunks: int) -> None:
    """Deliver what is due, and recognise these chunks."""
    messages = {ref.chunk: (ref, message) for ref, message in steps.deliver().items()}
    for chunk in chunks:
        assert steps.do(*messages[chunk])


def queued(steps: Steps, job_id: UUID, stage: Stage, run: int = 1) -> list[int]:
    """The chunks of which a stage is queued."""
    found = steps.statuses(job_id, run)
    return [chunk for (chunk, of), status in found.items() if of is stage and status is TaskStatus.QUEUED]


def test_released_chunks_are_worked_on_before_their_number_is_known(steps: Steps) -> None:
    # Given a recording of which two chunks were read
    claim = preparing(steps)
    job_id = claim.ref.job_id
    # When they are released
    assert release(steps, claim, 2)
    # Then they are queued, with what prepare knows of the job
    assert [(ref.stage, ref.chunk) for ref in steps.unsent()] == [(Stage.TRANSCRIBE, 0), (Stage.TRANSCRIBE, 1)]
    job = steps.job(job_id)
    assert (job.chunks_total, job.duration, job.models) == (None, None, {"translation": {"id": "en-es"}})
    # And their files can be read while prepare runs
    found = queries.newest_artifact(steps.db, job_id, 1, WHOLE_JOB, Stage.PREPARE, "chunk-00001.flac")
    assert found.storage_key == files(claim, 1)[0].storage_key
    # And a chunk knows where it begins
    assert chunk_times.before(steps.db, TaskRef(job_id, 1, 1, Stage.TRANSCRIBE)) == 29.0


def test_no_chunk_counts_as_the_last_before_all_are_known(steps: Steps) -> None:
    # Given two released chunks, both recognised
    claim = preparing(steps)
    job_id = claim.ref.job_id
    release(steps, claim, 2)
    transcribe(steps, 0, 1)
    # Then the first can be translated; the second cannot, as its last sentence may go on in a third
    assert queued(steps, job_id, Stage.TRANSLATE) == [0]
    # When prepare finds that there is no third
    assert steps.complete(claim, chunks=2)
    # Then it can, and the job goes on to its end
    assert queued(steps, job_id, Stage.TRANSLATE) == [0, 1]
    steps.run_out()
    job = steps.job(job_id)
    assert (job.status, job.chunks_total, job.duration) == (JobStatus.COMPLETED, 2, 58.0)


def test_a_job_is_not_assembled_before_all_chunks_are_known(steps: Steps) -> None:
    # Given a transcription whose released chunks are all done
    claim = preparing(steps, JobType.TRANSCRIBE)
    release(steps, claim, 2)
    transcribe(steps, 0, 1)
    assert steps.unsent() == []
    # When prepare completes with these, then it is assembled
    steps.complete(claim, chunks=2)
    assert [ref.stage for ref in steps.unsent()] == [Stage.ASSEMBLE]


def test_the_last_chunk_and_prepare_may_complete_at_once(steps: Steps) -> None:
    for _ in range(20):
        # Given the last chunk's recognition and prepare, both running
        claim = preparing(steps, JobType.TRANSCRIBE)
        release(steps, claim, 1)
        ((ref, message),) = steps.deliver().items()
        chunk = steps.claim(ref)
        # When they complete at the same moment
        results = at_once(lambda c=claim: steps.complete(c, chunks=1), lambda c=chunk, m=message: steps.complete(c, m))
        # Then assemble is sent exactly once
        assert results == [True, True]
        assert steps.unsent() == [TaskRef(ref.job_id, 1, WHOLE_JOB, Stage.ASSEMBLE)]
        steps.deliver()


def test_releasing_again_changes_nothing(steps: Steps) -> None:
    # Given a release whose answer was lost
    claim = preparing(steps)
    release(steps, claim, 2)
    before = [(task.id, task.status) for task in steps.tasks(claim.ref.job_id)]
    # When it is repeated, even twice at once
    assert at_once(*[lambda: release(steps, claim, 2)] * 2) == [True, True]
    # Then nothing was added; and only what is new is added later
    assert [(task.id, task.status) for task in steps.tasks(claim.ref.job_id)] == before
    assert len(steps.artifacts(claim.ref.job_id)) == 2
    release(steps, claim, 3)
    assert [ref.chunk for ref in steps.unsent()] == [0, 1, 2]


def test_another_attempt_goes_on_behind_what_was_released(steps: Steps) -> None:
    # Given a worker that dies with two chunks released and recognised
    first = preparing(steps)
    job_id = first.ref.job_id
    release(steps, first, 2)
    transcribe(steps, 0, 1)
    claims.expire_leases(steps.db, worker="w", max_attempts=ATTEMPTS)
    # When another attempt begins
    second = steps.claim(first.ref, "x")
    messages = steps.deliver()
    assert steps.do(*next((ref, message) for ref, message in messages.items() if ref.stage is Stage.TRANSLATE))
    # Then it is told of them, with what the first one chose
    assert early.released(steps.db, second, Stage.TRANSCRIBE) == [29.0, 29.0]
    assert second.job.models == {"translation": {"id": "en-es"}}
    # And the dead one, if it lives after all, releases nothing more
    assert not release(steps, first, 3)
    # And the job ends as any other, with the files of either
    assert early.release_chunks(steps.db, second, plan(3), artifacts=files(second, 2), fraction=0.9)
    assert steps.complete(second, chunks=3)
    steps.run_out()
    assert steps.job(job_id).status is JobStatus.COMPLETED
    left = {row.name: row.storage_key for row in steps.artifacts(job_id) if row.name.startswith("chunk")}
    assert [key.split("/")[-2] for key in left.values()] == ["a1", "a1", "a2"]


def test_two_ways_to_cut_are_never_mixed(steps: Steps) -> None:
    # Given a chunk of 29 s, and an attempt that would cut elsewhere
    claim = preparing(steps)
    release(steps, claim, 1)
    steps.change(TaskRef(claim.ref.job_id, 1, 0, Stage.TRANSCRIBE), seconds=20.0)
    before = steps.tasks(claim.ref.job_id)
    # Then it can neither release nor complete
    with pytest.raises(ValueError, match="cut in other places"):
        release(steps, claim, 2)
    with pytest.raises(ValueError, match="cut in other places"):
        steps.complete(claim, chunks=2)
    assert len(steps.tasks(claim.ref.job_id)) == len(before)


def test_chunks_of_an_earlier_run_do_not_count(steps: Steps) -> None:
    # Given a completed dub of three chunks that is prepared again
    job = steps.submit()
    steps.run_out(chunks=3)
    submit.retry(steps.db, job.id, "local", from_stage=Stage.PREPARE)
    (ref,) = steps.deliver()
    claim = steps.claim(ref)
    # When its first chunk is released and recognised
    release(steps, claim, 1)
    transcribe(steps, 0)
    # Then it is not translated with the second chunk's transcript of the run before
    assert queued(steps, job.id, Stage.TRANSLATE, run=2) == []
    # And the chunks of the run before are no progress of this one
    assert steps.job(job.id).progress < 0.5
    steps.complete(claim, chunks=2)
    steps.run_out()
    assert (steps.job(job.id).status, steps.job(job.id).chunks_total) == (JobStatus.COMPLETED, 2)


def test_a_recording_that_turns_out_to_be_damaged_fails_with_all_that_was_begun(steps: Steps) -> None:
    # Given two released chunks, of which one is being recognised
    claim = preparing(steps)
    job_id = claim.ref.job_id
    release(steps, claim, 2)
    messages = steps.deliver()
    running = steps.claim(next(iter(messages)))
    # When the rest of the recording cannot be read
    assert steps.fail(claim, HOPELESS) is Disposition.FAILED
    # Then the job has failed for that, what waited is canceled, and what runs is told to stop
    job = steps.job(job_id)
    assert job.error is not None
    assert (job.status, job.error.code) == (JobStatus.FAILED, HOPELESS.code)
    others = {status for key, status in steps.statuses(job_id).items() if key[0] != WHOLE_JOB}
    assert others == {TaskStatus.CANCELED, TaskStatus.RUNNING}
    assert claims.renew(steps.db, running.task_id, running.attempt, lease=30).cancel_requested
    # And it can be retried from the beginning
    steps.complete(running)
    submit.retry(steps.db, job_id, "local")
    steps.run_out(chunks=2)
    assert steps.job(job_id).status is JobStatus.COMPLETED


def test_nothing_is_released_once_a_job_is_canceled(steps: Steps) -> None:
    claim = preparing(steps)
    release(steps, claim, 1)
    cancel.cancel(steps.db, claim.ref.job_id, "local")
    assert not release(steps, claim, 2)
    cancel.cancel(steps.db, claim.ref.job_id, "local")
    steps.complete(claim, chunks=2)
    assert steps.job(claim.ref.job_id).status is JobStatus.CANCELED
    assert {task.status for task in steps.tasks(claim.ref.job_id)} == {TaskStatus.CANCELED}


def test_a_new_priority_holds_for_chunks_that_are_released_later(steps: Steps) -> None:
    claim = preparing(steps)
    release(steps, claim, 1)
    with steps.db.transaction() as session:
        prioritize_locked(session, lock_job(session, claim.ref.job_id), Priority.HIGH)
    release(steps, claim, 2)
    assert steps.outbox()[-1].priority == Priority.HIGH.level


def test_progress_is_of_the_whole_recording_and_never_decreases(steps: Steps) -> None:
    # Given a tenth of a recording, which is released and recognised
    claim = preparing(steps, JobType.TRANSCRIBE)
    job_id = claim.ref.job_id
    release(steps, claim, 2, fraction=0.1)
    transcribe(steps, 0, 1)
    # Then all that is there is done, which is a tenth of the stage
    found = job_details.stage_progress(steps.db, job_id)[Stage.TRANSCRIBE]
    assert (found, found.fraction) == (StageProgress(2.0, 2, 0.1), pytest.approx(0.1))
    job = steps.job(job_id)
    assert (job.stage, job.progress) == (Stage.PREPARE, pytest.approx(0.1 * 7 / 8))
    # When more is released, and the attempt is lost
    release(steps, claim, 3, fraction=0.9)
    reached = steps.job(job_id).progress
    claims.give_back(steps.db, claim.task_id, claim.attempt)
    steps.claim(claim.ref)
    # Then what was reached stays
    assert steps.job(job_id).progress == reached > 0.4


def test_messages_are_of_a_format_that_older_workers_leave_alone(steps: Steps) -> None:
    # Given jobs with a recording: older workers would take a job without a number of chunks for one without chunks
    claim = preparing(steps)
    release(steps, claim, 1)
    assert {decode(row.message).kwargs["format"] for row in steps.outbox()} == {EARLY_FORMAT}
    # And a text, all of whose chunks are created at once, for which older workers are good enough
    text: dict[str, Any] = {"kind": "text", "key": "jobs/x/input/a.txt"}
    job = steps.submit(input=text)
    steps.run_out()
    assert {decode(row.message).kwargs["format"] for row in steps.outbox() if str(job.id) in str(row.message)} == {
        PLAIN_FORMAT
    }
