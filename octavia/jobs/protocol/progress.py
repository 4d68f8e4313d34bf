"""Reports of a running task: how far its job is, the segments it recognised, the input it fetched."""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.protocol.readiness import stages_of
from octavia.jobs.tables import events
from octavia.jobs.tables.database import transaction
from octavia.jobs.tables.newest_rows import IS_NEWEST
from octavia.jobs.tables.queries import share_done
from octavia.jobs.tables.records import HeardSegment, is_one_piece
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import Stage, TaskStatus
from octavia.jobs.tables.transitions import lock_running

_WEIGHTS: Final = {
    Stage.PREPARE: 1.0,
    Stage.TRANSCRIBE: 6.0,
    Stage.TRANSLATE: 2.0,
    Stage.SYNTHESIZE: 6.0,
    Stage.ASSEMBLE: 1.0,
}

_ALMOST: Final = 0.99


def refresh(session: Session, job: Job, running: Task | None = None) -> None:
    """Compute a locked job's ``progress`` and ``stage``.

    Parameters:
      running: A task that runs or has just completed, which of a text of one piece tells all.

    Each stage has a fixed weight, about its share of the time. Its progress is that of its chunks, each weighted by its
    seconds (plus one, so that chunks of text count too). While ``prepare`` reads the recording, the chunks that there
    are count as the share of it that was read. The job's stage is the first that is not done. Results of earlier runs
    count, except those of ``detect`` and ``assemble``. Progress never decreases within a run.
    """
    done = _done(session, job) if running is None or not _tells_all(job, running) else _of_piece(job, running)
    stages = _stages(job, done)
    # Without chunks, their stages are done.
    nothing = 1.0 if job.chunks_total == 0 else 0.0
    parts = {stage: done.get(stage, nothing if stage in stages_of(job) else 0.0) for stage in stages}
    read = parts.get(Stage.PREPARE, 1.0)
    parts |= {stage: parts[stage] * read for stage in stages_of(job)}
    weight = sum(_WEIGHTS.get(stage, 0.0) for stage in stages)
    fraction = sum(_WEIGHTS.get(stage, 0.0) * part for stage, part in parts.items()) / weight
    job.progress = max(job.progress, min(1.0, fraction))
    job.stage = next((stage for stage, part in parts.items() if part < 1), None)


def _tells_all(job: Job, task: Task) -> bool:
    """Return whether a task tells how far its job is: its other tasks are completed, or wait for it."""
    return is_one_piece(job.input) and task.stage in stages_of(job)


def _of_piece(job: Job, task: Task) -> dict[Stage, float]:
    stages = stages_of(job)
    # After its last piece it still writes the results.
    own = 1.0 if task.status is TaskStatus.COMPLETED else min(task.progress, _ALMOST)
    return {**dict.fromkeys(stages[: stages.index(task.stage)], 1.0), task.stage: own}


def _stages(job: Job, begun: Collection[Stage]) -> tuple[Stage, ...]:
    """The stages that count, in order; a text of one piece is assembled by itself only if that alone is done again."""
    if is_one_piece(job.input) and Stage.PREPARE not in begun:
        return (*stages_of(job), *((Stage.ASSEMBLE,) if Stage.ASSEMBLE in begun else ()))
    return (Stage.PREPARE, *((Stage.DETECT,) if Stage.DETECT in begun else ()), *stages_of(job), Stage.ASSEMBLE)


def emit_segments(session: Session, job: Job, task: Task, heard: Sequence[HeardSegment]) -> None:
    """Emit the segments of a locked job's running task that no earlier attempt has emitted.

    Recognising a chunk again gives equal segments, so their numbers tell which ones are new.
    """
    for segment in heard:
        if segment.index < task.told:
            continue
        task.told = segment.index + 1
        # JSON can write NUL; PostgreSQL cannot keep it.
        text = segment.text.replace("\0", "")
        times = {"start": round(segment.start, 3), "end": round(segment.end, 3)}
        events.emit(session, job, "segment", {"chunk": task.chunk, "index": segment.index, **times, "text": text})


@transaction
def record_input(session: Session, task_id: UUID, attempt: int, fetched: dict[str, Any]) -> bool:
    """Store the input that was fetched for a job submitted with a URL, so that no later attempt fetches it again.

    The URL is dropped: it is of no more use and may hold a signature. Returns False if the task no longer belongs to
    this attempt.
    """
    found = lock_running(session, task_id, attempt)
    if found is not None:
        found[0].input = fetched
    return found is not None


def _done(session: Session, job: Job) -> dict[Stage, float]:
    """Compute the progress of each stage that has tasks, 0–1."""
    size = col(Task.seconds) + 1
    # Those of an earlier plan do not count.
    planned = col(Task.run) == job.run if job.chunks_total is None else col(Task.chunk) < job.chunks_total
    rows = sa.select(col(Task.stage), sa.func.sum(size * share_done()) / sa.func.sum(size)).where(
        col(Task.job_id) == job.id,
        planned,
        sa.or_(col(Task.run) == job.run, col(Task.stage).not_in([Stage.DETECT, Stage.ASSEMBLE])),
        IS_NEWEST,
    )
    return {stage: float(part) for stage, part in session.execute(rows.group_by(col(Task.stage)))}
