"""A new run of a job: rows only for what must be redone, everything else is taken from the runs before."""

from typing import Final

from sqlalchemy.orm import Session

from octavia.errors import InputError
from octavia.jobs import effective
from octavia.jobs.database import now
from octavia.jobs.enqueue import start_stage
from octavia.jobs.fanout import add_chunk, fan_in
from octavia.jobs.models import Job, Task
from octavia.jobs.readiness import release_run, stages_of
from octavia.jobs.states import WHOLE_JOB, JobStatus, Stage, TaskStatus
from octavia.jobs.transitions import cancel_tasks, move_job

_ORDER: Final = {stage: position for position, stage in enumerate(Stage)}


def open_run(session: Session, job: Job, from_stage: Stage | None) -> None:
    """Start the next run of a locked job that has ended.

    Parameters:
      from_stage: Redo this stage and all later ones; None: only what is not completed. Assembling is always redone.

    Raises:
      InputError: The job has no such stage.
    """
    before = effective.tasks(session, job)
    if from_stage is not None:
        _check_stage(job, before, from_stage)
    moment = now(session)
    # One that still runs after its job failed has rows of this run beside it now: its lease is void.
    cancel_tasks(session, job, (TaskStatus.RUNNING,), finished_at=moment, lease_until=None)
    move_job(
        session,
        job,
        JobStatus.QUEUED,
        run=job.run + 1,
        queued_at=moment,
        progress=0.0,
        stage=None,
        error_code=None,
        error_message=None,
        error_hint=None,
        cancel_requested_at=None,
        started_at=None,
        finished_at=None,
        expires_at=None,
    )

    def must_redo(task: Task | None) -> bool:
        if task is None or task.status is not TaskStatus.COMPLETED:
            return True
        return from_stage is not None and _ORDER[task.stage] >= _ORDER[from_stage]

    if job.chunks_total is None or must_redo(before.get((WHOLE_JOB, Stage.PREPARE))):
        job.chunks_total = None
        start_stage(session, job, Stage.PREPARE)
        return
    for chunk in range(job.chunks_total):
        redo = [stage for stage in stages_of(job) if must_redo(before.get((chunk, stage)))]
        if redo:
            add_chunk(session, job, chunk, before[chunk, redo[0]].seconds, redo)
    session.flush()
    detect = before.get((WHOLE_JOB, Stage.DETECT))
    if detect is not None and must_redo(detect):
        start_stage(session, job, Stage.DETECT)
        return
    release_run(session, job)
    fan_in(session, job)


def _check_stage(job: Job, before: dict[tuple[int, Stage], Task], stage: Stage) -> None:
    has = {Stage.PREPARE, *stages_of(job), Stage.ASSEMBLE}
    if (WHOLE_JOB, Stage.DETECT) in before:
        has.add(Stage.DETECT)
    if stage not in has:
        names = ", ".join(known.value for known in Stage if known in has)
        raise InputError(f"This job has no stage {stage}.", hint=f"It has: {names}.", field="from")
