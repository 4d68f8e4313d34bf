"""Where jobs stand, over both databases."""

from uuid import UUID

from octavia.jobs.lifecycle import submit
from octavia.jobs.status import job_details
from octavia.jobs.status.job_details import Remaining, StageProgress
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobStatus, JobType, Priority, Stage, TaskStatus
from tests.integration.jobs.steps import MEDIA, Steps

OWNER = "local"


def submit_with(steps: Steps, priority: Priority) -> UUID:
    return submit.create(steps.db, NewJob(JobType.DUB, "en", "es", priority=priority, input=dict(MEDIA))).id


def positions(steps: Steps, *jobs: UUID) -> list[int | None]:
    return [job_details.get(steps.db, job_id, OWNER).position for job_id in jobs]


def test_each_stage_tells_how_far_it_is(steps: Steps) -> None:
    # Given a job of four chunks
    job, messages = steps.prepared(4)
    transcribe = [ref for ref in messages if ref.stage is Stage.TRANSCRIBE]
    # When one chunk is transcribed and half of another
    steps.do(transcribe[0], messages[transcribe[0]])
    steps.claim(transcribe[1])
    steps.change(transcribe[1], progress=0.5)
    # Then that is one and a half of four
    assert job_details.stage_progress(steps.db, job.id) == {
        Stage.PREPARE: StageProgress(1.0, 1),
        Stage.TRANSCRIBE: StageProgress(1.5, 4),
        Stage.TRANSLATE: StageProgress(0.0, 4),
        Stage.SYNTHESIZE: StageProgress(0.0, 4),
    }


def test_a_stage_that_is_redone_counts_anew(steps: Steps) -> None:
    # Given a completed job that is run again from the translation
    job = steps.submit()
    steps.run_out(chunks=2)
    submit.retry(steps.db, job.id, OWNER, from_stage=Stage.TRANSLATE)
    # Then what it takes over is done, and what it redoes is not
    found = job_details.stage_progress(steps.db, job.id)
    assert found[Stage.TRANSCRIBE] == StageProgress(2.0, 2)
    assert found[Stage.TRANSLATE] == StageProgress(0.0, 2)


def test_a_plan_that_is_gone_does_not_count(steps: Steps) -> None:
    # Given a completed job of three chunks that is planned again
    job = steps.submit()
    steps.run_out(chunks=3)
    submit.retry(steps.db, job.id, OWNER, from_stage=Stage.PREPARE)
    assert job_details.stage_progress(steps.db, job.id) == {Stage.PREPARE: StageProgress(0.0, 1)}
    # When it turns out to have two chunks now, then two count
    steps.run_out(chunks=2)
    assert job_details.stage_progress(steps.db, job.id)[Stage.SYNTHESIZE] == StageProgress(2.0, 2)


def test_the_place_in_the_queue_is_by_priority_and_then_by_time(steps: Steps) -> None:
    # Given jobs of each priority, in the order of their coming
    normal, low, late, high = (
        submit_with(steps, priority) for priority in (Priority.NORMAL, Priority.LOW, Priority.NORMAL, Priority.HIGH)
    )
    # Then the place in the queue goes by priority and then by time
    assert positions(steps, high, normal, late, low) == [1, 2, 3, 4]
    # When the first is under way, then the others move up
    steps.claim(next(ref for ref in steps.deliver() if ref.job_id == high))
    assert positions(steps, high, normal, late, low) == [None, 1, 2, 3]


def test_a_job_that_runs_again_queues_behind_those_that_wait(steps: Steps) -> None:
    # Given a job that was canceled, and one that came after it
    first, second = steps.submit(), steps.submit()
    ref = next(ref for ref in steps.deliver() if ref.job_id == first.id)
    steps.change(ref, status=TaskStatus.CANCELED)
    steps.change_job(first.id, status=JobStatus.CANCELED)
    # When the first is retried, then it waits behind the second
    submit.retry(steps.db, first.id, OWNER)
    assert positions(steps, first.id, second.id) == [2, 1]


def test_jobs_of_the_same_priority_that_came_before_are_counted_until_they_end(steps: Steps) -> None:
    # Given three jobs that are alike, and a more urgent one
    first, second, third = (submit_with(steps, Priority.NORMAL) for _ in range(3))
    submit_with(steps, Priority.HIGH)
    # When the first begins, then it still is before the last, though that has moved up
    steps.claim(next(ref for ref in steps.deliver() if ref.job_id == first))
    found = job_details.get(steps.db, third, OWNER)
    assert (found.position, found.ahead) == (3, 2)
    # and one that has begun has a place no more
    found = job_details.get(steps.db, first, OWNER)
    assert (found.position, found.ahead) == (None, 0)
    # When the second is canceled, then it is before nobody
    steps.change_job(second, status=JobStatus.CANCELED)
    assert job_details.get(steps.db, third, OWNER).ahead == 1


def test_what_is_left_of_each_stage(steps: Steps) -> None:
    # Given a job of three chunks of 29 s, of which one is recognised, and another by half
    job, messages = steps.prepared(3)
    one, two, _ = messages
    steps.do(one, messages[one])
    steps.claim(two)
    steps.change(two, progress=0.5)
    # Then this much is left
    left = job_details.get(steps.db, job.id, OWNER).left
    assert left[Stage.PREPARE] == Remaining(0.0, 0.0, 0.0)
    assert left[Stage.TRANSCRIBE] == Remaining(1.5, 43.5, 29.0)
    assert left[Stage.SYNTHESIZE] == Remaining(3.0, 87.0, 29.0)
