"""A whole job, from submission to its published revision."""

from datetime import timedelta

import pytest

from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, JobType, Stage, TaskStatus
from tests.integration.jobs.steps import DAYS, MEDIA, TEXT, Steps, kinds


def test_a_dub_of_two_chunks(steps: Steps) -> None:
    # Given a submitted job
    job = steps.submit()
    assert (job.status, job.run, job.revision) == (JobStatus.QUEUED, 1, 0)
    # When every message is delivered and done
    done = steps.run_out(chunks=2)
    # Then each task was done once, in an order that the pipeline allows
    assert len(done) == len(set(done)) == 2 + 2 * 3
    assert done[0].stage is Stage.PREPARE
    assert done[-1].stage is Stage.ASSEMBLE
    # and the job is complete
    job = steps.job(job.id)
    assert (job.status, job.revision, job.progress, job.stage) == (JobStatus.COMPLETED, 1, 1.0, None)
    assert job.chunks_total == 2
    assert job.duration == 58.0
    assert job.models == {"translation": {"id": "en-es"}}
    assert job.finished_at is not None
    assert job.expires_at == job.finished_at + timedelta(days=DAYS)
    assert job.started_at is not None
    assert job.created_at <= job.started_at <= job.finished_at
    # and only what assembling published belongs to the revision
    revisions = {(artifact.stage, artifact.revision) for artifact in steps.artifacts(job.id)}
    assert (Stage.ASSEMBLE, 1) in revisions
    assert {revision for stage, revision in revisions if stage is not Stage.ASSEMBLE} == {0}
    # and nothing is left to send
    assert steps.unsent() == []


def test_the_events_of_a_small_job(steps: Steps) -> None:
    job = steps.submit(JobType.TRANSCRIBE)
    steps.run_out(chunks=1)
    events = steps.events(job.id)
    assert kinds(events) == [
        "queued",
        "started",
        "prepare/-1 started",
        "prepare/-1 completed",
        "transcribe/0 started",
        "transcribe/0 completed",
        "assemble/-1 started",
        "assemble/-1 completed",
        "completed",
    ]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert steps.job(job.id).event_seq == len(events)


@pytest.mark.parametrize(
    ("type", "input", "stages"),
    [
        (JobType.TRANSCRIBE, MEDIA, [Stage.TRANSCRIBE]),
        (JobType.TRANSLATE, MEDIA, [Stage.TRANSCRIBE, Stage.TRANSLATE]),
        (JobType.TRANSLATE, TEXT, [Stage.TRANSLATE]),
        (JobType.SYNTHESIZE, TEXT, [Stage.SYNTHESIZE]),
        (JobType.DUB, TEXT, [Stage.TRANSLATE, Stage.SYNTHESIZE]),
    ],
)
def test_each_type_goes_through_its_stages(
    steps: Steps, type: JobType, input: dict[str, str], stages: list[Stage]
) -> None:
    job = steps.submit(type, input=input)
    done = steps.run_out(chunks=1)
    assert [ref.stage for ref in done] == [Stage.PREPARE, *stages, Stage.ASSEMBLE]
    assert steps.job(job.id).status is JobStatus.COMPLETED


def test_a_text_fans_out_all_at_once(steps: Steps) -> None:
    # Given a text, where translating waits for no transcript
    job = steps.submit(JobType.TRANSLATE, input=TEXT)
    steps.do(next(iter(steps.deliver())), chunks=3)
    # Then every chunk is sent at once
    assert set(steps.deliver()) == {TaskRef(job.id, 1, chunk, Stage.TRANSLATE) for chunk in range(3)}


def test_silence_goes_straight_to_assemble(steps: Steps) -> None:
    # Given a job whose plan has no chunk
    job, messages = steps.prepared(0)
    # Then prepare itself wrote assemble
    assert list(messages) == [TaskRef(job.id, 1, WHOLE_JOB, Stage.ASSEMBLE)]
    # and the job completes
    steps.do(*next(iter(messages.items())))
    assert steps.job(job.id).status is JobStatus.COMPLETED


def test_silence_needs_no_language(steps: Steps) -> None:
    job = steps.submit()
    claim = steps.claim(next(iter(steps.deliver())))
    steps.complete(claim, chunks=0, needs_detect=True)
    assert [ref.stage for ref in steps.deliver()] == [Stage.ASSEMBLE]
    assert steps.job(job.id).stage is Stage.ASSEMBLE


def test_chunks_wait_for_the_language(steps: Steps) -> None:
    # Given a job whose language is not known
    job = steps.submit()
    steps.complete(steps.claim(next(iter(steps.deliver()))), chunks=2, needs_detect=True)
    # Then only detect is sent, and the chunks wait
    sent = steps.deliver()
    assert list(sent) == [TaskRef(job.id, 1, WHOLE_JOB, Stage.DETECT)]
    assert steps.statuses(job.id)[0, Stage.TRANSCRIBE] is TaskStatus.WAITING
    # When it has heard the language
    steps.do(*next(iter(sent.items())))
    # Then the job says so and the chunks go
    job = steps.job(job.id)
    assert job.source_language == "de"
    assert set(job.models) == {"translation", "speech"}
    assert set(steps.unsent()) == {TaskRef(job.id, 1, chunk, Stage.TRANSCRIBE) for chunk in range(2)}
    steps.run_out()
    assert steps.job(job.id).status is JobStatus.COMPLETED


def test_progress_grows_to_one(steps: Steps) -> None:
    job = steps.submit()
    seen = [job.progress]
    while messages := steps.deliver():
        for ref, message in messages.items():
            steps.do(ref, message, chunks=3)
            seen.append(steps.job(job.id).progress)
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert seen[-1] == 1.0
    assert len(set(seen)) == len(seen)
