"""The two state machines, move by move, and the stages of each type."""

import pytest

from octavia.errors import Conflict
from octavia.jobs.tables.states import (
    JobStatus,
    JobType,
    Priority,
    Queue,
    Stage,
    TaskStatus,
    check_job_move,
    check_task_move,
    chunk_stages,
    queue_of,
)

JOB_MOVES = {
    ("pending", "queued"),
    ("queued", "processing"),
    ("processing", "completed"),
    ("processing", "failed"),
    ("queued", "failed"),
    ("pending", "canceled"),
    ("queued", "canceled"),
    ("processing", "canceled"),
    ("completed", "queued"),
    ("failed", "queued"),
    ("canceled", "queued"),
}
TASK_MOVES = {
    ("waiting", "queued"),
    ("queued", "running"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "canceled"),
    ("running", "queued"),
    ("waiting", "canceled"),
    ("queued", "canceled"),
}


@pytest.mark.parametrize("old", JobStatus)
@pytest.mark.parametrize("new", JobStatus)
def test_every_move_of_a_job(old: JobStatus, new: JobStatus) -> None:
    if (old.value, new.value) in JOB_MOVES:
        check_job_move(old, new)
    else:
        with pytest.raises(Conflict, match=f"{old} cannot become {new}"):
            check_job_move(old, new)


@pytest.mark.parametrize("old", TaskStatus)
@pytest.mark.parametrize("new", TaskStatus)
def test_every_move_of_a_task(old: TaskStatus, new: TaskStatus) -> None:
    if (old.value, new.value) in TASK_MOVES:
        check_task_move(old, new)
    else:
        with pytest.raises(Conflict, match=f"{old} cannot become {new}"):
            check_task_move(old, new)


def test_text_is_not_transcribed_and_media_not_synthesized() -> None:
    assert chunk_stages(JobType.DUB, from_text=False) == (Stage.TRANSCRIBE, Stage.TRANSLATE, Stage.SYNTHESIZE)
    for type, from_text in ((JobType.TRANSCRIBE, True), (JobType.SYNTHESIZE, False)):
        with pytest.raises(ValueError, match=type.value):
            chunk_stages(type, from_text=from_text)


def test_stages_and_their_queues() -> None:
    assert {stage: queue_of(stage) for stage in Stage} == {
        Stage.PREPARE: Queue.DEFAULT,
        Stage.DETECT: Queue.DEFAULT,
        Stage.TRANSCRIBE: Queue.TRANSCRIBE,
        Stage.TRANSLATE: Queue.TRANSLATE,
        Stage.SYNTHESIZE: Queue.SYNTHESIZE,
        Stage.ASSEMBLE: Queue.DEFAULT,
    }
    assert [Priority(word).level for word in ("low", "normal", "high")] == [1, 2, 3]
