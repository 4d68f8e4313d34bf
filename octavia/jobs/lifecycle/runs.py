"""A new run of a job: rows only for what must be redone, everything else is taken from the runs before."""

from collections.abc import Collection
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia.errors import InputError
from octavia.jobs.protocol.enqueue import start_stage
from octavia.jobs.protocol.fanout import EDITS_DROPPED, add_chunk, fan_in, warn
from octavia.jobs.protocol.readiness import release_run, stages_of
from octavia.jobs.tables import newest_rows as effective
from octavia.jobs.tables.database import now
from octavia.jobs.tables.rows import Edit, Job, Task
from octavia.jobs.tables.states import MENDED_FORMAT, WHOLE_JOB, JobStatus, Stage, TaskStatus
from octavia.jobs.tables.transitions import cancel_tasks, move_job

_ORDER: Final = {stage: position for position, stage in enumerate(Stage)}
_MENDED: Final = (Stage.TRANSLATE, Stage.SYNTHESIZE)


def open_run(session: Session, job: Job, from_stage: Stage | None, mended: Collection[int] | None = None) -> None:
    """Start the next run of a locked job that has ended.

    Parameters:
      from_stage: Redo this stage and all later ones; None: only what is not completed. Assembling is always redone.
      mended: The chunks whose utterances people have mended: of these all is redone but recognising. None: as the run
        before has it, which may have failed to carry out what they mended.

    Raises:
      InputError: The job has no such stage.
    """
    before = effective.tasks(session, job)
    if from_stage is not None:
        _check_stage(job, before, from_stage)
        if _ORDER[from_stage] <= _ORDER[_saying(job)]:
            _drop_edits(session, job)
    moment = now(session)
    # One that still runs after its job failed has rows of this run beside it now: its lease is void.
    cancel_tasks(session, job, (TaskStatus.RUNNING,), finished_at=moment, lease_until=None)
    move_job(
        session,
        job,
        JobStatus.QUEUED,
        run=job.run + 1,
        mending=mended is not None or (job.mending and from_stage is None),
        message_format=job.message_format if mended is None else MENDED_FORMAT,
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
        redo = [
            stage
            for stage in stages_of(job)
            if must_redo(before.get((chunk, stage))) or (chunk in (mended or ()) and stage in _MENDED)
        ]
        if redo:
            add_chunk(session, job, chunk, before[chunk, redo[0]].seconds, redo)
    session.flush()
    detect = before.get((WHOLE_JOB, Stage.DETECT))
    if detect is not None and must_redo(detect):
        start_stage(session, job, Stage.DETECT)
        return
    release_run(session, job)
    fan_in(session, job)


def _saying(job: Job) -> Stage:
    """The stage that makes out what is said; redone, it may make other utterances of it."""
    return Stage.TRANSCRIBE if Stage.TRANSCRIBE in stages_of(job) else Stage.PREPARE


def _drop_edits(session: Session, job: Job) -> None:
    job.warnings = [warning for warning in job.warnings if warning["code"] != EDITS_DROPPED]
    dropped = session.scalars(sa.delete(Edit).where(col(Edit.job_id) == job.id).returning(col(Edit.utterance_id))).all()
    if dropped:
        many = f"{len(dropped)} utterance{'s' if len(dropped) > 1 else ''}"
        message = f"What was mended of {many} before is gone: the job ran again from a stage before them."
        warn(job, [{"code": EDITS_DROPPED, "message": message}])


def _check_stage(job: Job, before: dict[tuple[int, Stage], Task], stage: Stage) -> None:
    has = {Stage.PREPARE, *stages_of(job), Stage.ASSEMBLE}
    if (WHOLE_JOB, Stage.DETECT) in before:
        has.add(Stage.DETECT)
    if stage not in has:
        names = ", ".join(known.value for known in Stage if known in has)
        raise InputError(f"This job has no stage {stage}.", hint=f"It has: {names}.", field="from")
