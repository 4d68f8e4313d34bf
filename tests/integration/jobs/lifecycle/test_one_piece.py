"""Texts of one piece: planned as they are made, and done by the tasks of their one chunk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from octavia.errors import InputError
from octavia.jobs.lifecycle import edits, retention, submit
from octavia.jobs.protocol import cancel
from octavia.jobs.protocol.messages import decode
from octavia.jobs.tables.records import JobRecord, TaskRef
from octavia.jobs.tables.states import (
    ONE_PIECE_FORMAT,
    WHOLE_JOB,
    JobStatus,
    JobType,
    Queue,
    Stage,
    TaskStatus,
)
from octavia.storage import Storage
from octavia.text.utterances import Utterance
from tests.integration.jobs.steps import HOPELESS, PIECE, Steps, kinds

LINE = Utterance("0-0", 0, 0.0, 0.0, "Good morning.", translation="Buenos días.")


def completed(steps: Steps, type: JobType = JobType.TRANSLATE) -> JobRecord:
    job = steps.submit(type, input=PIECE)
    steps.run_out()
    return steps.job(job.id)


def test_it_is_planned_when_it_is_made(steps: Steps) -> None:
    # When a short text is to be translated
    job = steps.submit(JobType.TRANSLATE, input=PIECE)
    # Then its only task is queued at once
    assert job.chunks_total == 1
    assert steps.statuses(job.id) == {(0, Stage.TRANSLATE): TaskStatus.QUEUED}
    (row,) = steps.outbox()
    assert row.queue is Queue.TRANSLATE
    # and older workers, which would wait for prepare, leave it alone
    assert decode(row.message).kwargs["format"] == ONE_PIECE_FORMAT


def test_its_last_task_ends_it_and_its_first_pins_the_models(steps: Steps) -> None:
    # Given a short text that is to be spoken in another language
    job = steps.submit(JobType.DUB, input=PIECE)
    # When its two tasks are done
    assert [ref.stage for ref in steps.run_out()] == [Stage.TRANSLATE, Stage.SYNTHESIZE]
    # Then it has completed, with a revision
    ended = steps.job(job.id)
    assert (ended.status, ended.revision, ended.progress, ended.stage) == (JobStatus.COMPLETED, 1, 1.0, None)
    assert ended.models == {"translation": {"id": "en-es"}}
    assert {(row.stage, row.revision) for row in steps.artifacts(job.id)} == {
        (Stage.TRANSLATE, 0),
        (Stage.SYNTHESIZE, 1),
    }
    assert kinds(steps.events(job.id)) == [
        "queued",
        "started",
        "translate/0 started",
        "translate/0 completed",
        "synthesize/0 started",
        "synthesize/0 completed",
        "completed",
    ]


def test_it_tells_how_far_it_is(steps: Steps) -> None:
    job = steps.submit(JobType.DUB, input=PIECE)
    (first,) = steps.deliver().items()
    claim = steps.claim(first[0])
    assert (steps.job(job.id).stage, steps.job(job.id).progress) == (Stage.TRANSLATE, 0.0)
    steps.complete(claim, first[1])
    # Translating is a quarter of it, as it is in longer jobs
    assert (steps.job(job.id).stage, steps.job(job.id).progress) == (Stage.SYNTHESIZE, 0.25)


def test_a_pending_one_begins_when_it_is_started(steps: Steps) -> None:
    job = steps.submit(JobType.TRANSLATE, input=PIECE, start=False)
    assert steps.tasks(job.id) == []
    submit.start(steps.db, job.id, "local")
    assert steps.unsent() == [TaskRef(job.id, 1, 0, Stage.TRANSLATE)]


@pytest.mark.parametrize(
    ("stage", "redone"),
    [
        (Stage.PREPARE, [Stage.TRANSLATE, Stage.SYNTHESIZE]),
        (Stage.TRANSLATE, [Stage.TRANSLATE, Stage.SYNTHESIZE]),
        (Stage.SYNTHESIZE, [Stage.SYNTHESIZE]),
        (Stage.ASSEMBLE, [Stage.ASSEMBLE]),
    ],
)
def test_it_is_done_again_from_any_stage(steps: Steps, stage: Stage, redone: list[Stage]) -> None:
    # Given a completed one
    job = completed(steps, JobType.DUB)
    # When it is retried from a stage
    again = submit.retry(steps.db, job.id, "local", from_stage=stage)
    # Then only retrying from the beginning chooses the models anew
    assert bool(again.models) == (stage is not Stage.PREPARE)
    # and what comes from there on is redone
    assert [ref.stage for ref in steps.run_out()] == redone
    ended = steps.job(job.id)
    assert (ended.status, ended.revision, ended.run) == (JobStatus.COMPLETED, 2, 2)
    assert ended.models == job.models


def test_it_has_no_other_stage(steps: Steps) -> None:
    job = completed(steps)
    with pytest.raises(InputError):
        submit.retry(steps.db, job.id, "local", from_stage=Stage.SYNTHESIZE)


def test_a_failed_one_goes_on_where_it_failed(steps: Steps) -> None:
    # Given one whose speech failed
    job = steps.submit(JobType.DUB, input=PIECE)
    (translate,) = steps.deliver().items()
    steps.complete(steps.claim(translate[0]), translate[1])
    (synthesize,) = steps.deliver()
    steps.fail(steps.claim(synthesize), HOPELESS)
    assert steps.job(job.id).status is JobStatus.FAILED
    # When it is retried
    submit.retry(steps.db, job.id, "local")
    # Then its translation is kept
    assert steps.run_out() == [TaskRef(job.id, 2, 0, Stage.SYNTHESIZE)]
    assert steps.job(job.id).status is JobStatus.COMPLETED


def test_a_canceled_one_keeps_no_result(steps: Steps) -> None:
    # Given one that is canceled while its last task runs
    job = steps.submit(JobType.TRANSLATE, input=PIECE)
    ((ref, message),) = steps.deliver().items()
    claim = steps.claim(ref)
    cancel.cancel(steps.db, job.id, "local")
    # When the task is completed all the same
    assert not steps.complete(claim, message)
    # Then there is no result, and a retry does it again
    ended = steps.job(job.id)
    assert (ended.status, ended.revision, ended.models) == (JobStatus.CANCELED, 0, {})
    assert steps.artifacts(job.id) == []
    submit.retry(steps.db, job.id, "local")
    assert steps.run_out() == [TaskRef(job.id, 2, 0, Stage.TRANSLATE)]


def test_an_edit_is_carried_out_by_its_own_tasks(steps: Steps) -> None:
    job = completed(steps, JobType.DUB)
    # When a line is corrected
    edits.edit_utterances(
        steps.db, job.id, "local", {LINE.id: {"translation": "Buen día."}}, [LINE], of_revision=job.revision
    )
    # Then the text is translated and spoken again, in messages that older workers leave alone
    assert [ref.stage for ref in steps.run_out()] == [Stage.TRANSLATE, Stage.SYNTHESIZE]
    assert {decode(row.message).kwargs["format"] for row in steps.outbox()} == {ONE_PIECE_FORMAT}
    assert steps.job(job.id).revision == 2


def test_an_older_release_may_have_prepared_it_again(steps: Steps) -> None:
    # Given one whose retry an API of an older release has begun: with prepare
    job = completed(steps)
    submit.retry(steps.db, job.id, "local", from_stage=Stage.PREPARE)
    ((again, _),) = steps.deliver().items()
    steps.change(again, stage=Stage.PREPARE, chunk=WHOLE_JOB)
    # When workers of this release do what it asks for
    steps.do(TaskRef(job.id, 2, WHOLE_JOB, Stage.PREPARE))
    # Then the chunk's own task ends the job
    assert steps.run_out() == [TaskRef(job.id, 2, 0, Stage.TRANSLATE)]
    assert (steps.job(job.id).status, steps.job(job.id).revision) == (JobStatus.COMPLETED, 2)


def test_its_text_expires_with_its_results(steps: Steps, tmp_path: Path) -> None:
    # Given an expired one
    job = completed(steps)
    steps.change_job(job.id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    # When expired files are removed
    assert retention.expire_jobs(steps.db, Storage(f"file://{tmp_path}")) == 1
    # Then its text is gone too
    assert "Good morning." not in str(steps.job(job.id).input)
    assert steps.artifacts(job.id) == []
