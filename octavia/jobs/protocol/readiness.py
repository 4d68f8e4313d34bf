"""Readiness of tasks: one may run when its message was handed over and its inputs are complete."""

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.jobs.protocol.enqueue import enqueue
from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.records import is_one_piece
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import TEXT_KINDS, JobType, Stage, TaskStatus, chunk_stages


def stages_of(job: Job) -> tuple[Stage, ...]:
    """Return the stages that each chunk of the job goes through."""
    return chunk_stages(JobType(job.type), from_text=job.input.get("kind") in TEXT_KINDS)


def ends_job(job: Job, stage: Stage) -> bool:
    """Return whether a task of this stage ends the job: ``assemble``, or the last stage of a text of one piece."""
    return stage is Stage.ASSEMBLE or (is_one_piece(job.input) and stage is stages_of(job)[-1])


def needs(stages: Sequence[Stage], stage: Stage, chunk: int, total: int | None) -> tuple[Stage, tuple[int, ...]] | None:
    """Return the stage and chunks that a stage of a chunk reads; None for a chunk's first stage.

    A sentence may begin in one chunk and end in the next, so translating also reads the neighbours' transcripts.

    Parameters:
      total: Number of chunks; None if more may come, so that none is known to be the last.
    """
    position = stages.index(stage)
    if position == 0:
        return None
    before = stages[position - 1]
    if stage is Stage.TRANSLATE:
        end = chunk + 2 if total is None else min(total, chunk + 2)
        return before, tuple(range(max(0, chunk - 1), end))
    return before, (chunk,)


def dependents(
    stages: Sequence[Stage], stage: Stage, chunk: int, total: int | None
) -> tuple[Stage, tuple[int, ...]] | None:
    """Return the stage and chunks that read a completed stage of a chunk: the reverse of ``needs``."""
    if stage is stages[-1]:
        return None
    # Reading is symmetric: a chunk reads its neighbours, and they read it.
    after = stages[stages.index(stage) + 1]
    reads = needs(stages, after, chunk, total)
    return (after, reads[1]) if reads else None


def release(session: Session, job: Job, tasks: Sequence[Task]) -> None:
    """Queue those of a job's tasks that wait and are ready."""
    stages, total = stages_of(job), job.chunks_total
    waiting = [task for task in tasks if task.status is TaskStatus.WAITING and task.message is not None]
    reads = {task.id: needs(stages, task.stage, task.chunk, total) for task in waiting}
    asked: defaultdict[Stage, set[int]] = defaultdict(set)
    for need in filter(None, reads.values()):
        asked[need[0]].update(need[1])
    found = {stage: newest_rows.newest_statuses(session, job, stage, chunks) for stage, chunks in asked.items()}

    def ready(task: Task) -> bool:
        need = reads[task.id]
        return need is None or all(found[need[0]].get(chunk) is TaskStatus.COMPLETED for chunk in need[1])

    enqueue(session, job, [task for task in waiting if ready(task)])


def release_after(session: Session, job: Job, task: Task) -> None:
    """Queue the tasks that became ready by the completion of this chunk's task."""
    after = dependents(stages_of(job), task.stage, task.chunk, job.chunks_total)
    if after is not None:
        stage, chunks = after
        of_stage = sa.select(Task).filter_by(job_id=job.id, run=job.run, stage=stage)
        release(session, job, session.scalars(of_stage.where(col(Task.chunk).in_(chunks))).all())


def release_run(session: Session, job: Job) -> None:
    """Queue every ready task of the run, at its start or when the language is known."""
    of_run = sa.select(Task).where(col(Task.job_id) == job.id, col(Task.run) == job.run, col(Task.chunk) >= 0)
    release(session, job, session.scalars(of_run.order_by(col(Task.chunk))).all())
