"""New runs of a job: rows only for the tasks that must be redone; the others' results are taken from earlier runs."""

from collections.abc import Collection, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia import tracing
from octavia.errors import InputError
from octavia.jobs.protocol.enqueue import start_stage
from octavia.jobs.protocol.fanout import EDITS_DROPPED, add_chunk, add_warnings, begin, fan_in, forget_plan
from octavia.jobs.protocol.readiness import release_run, stages_of
from octavia.jobs.tables import newest_rows
from octavia.jobs.tables.database import now
from octavia.jobs.tables.records import is_one_piece
from octavia.jobs.tables.rows import Edit, Job, Task
from octavia.jobs.tables.states import EDITS_FORMAT, WHOLE_JOB, JobStatus, Stage, TaskStatus
from octavia.jobs.tables.transitions import cancel_tasks, move_job

_ORDER: Final = {stage: position for position, stage in enumerate(Stage)}
_REDONE_FOR_EDITS: Final = (Stage.TRANSLATE, Stage.SYNTHESIZE)


def open_run(session: Session, job: Job, from_stage: Stage | None, edited: Collection[int] | None = None) -> None:
    """Start the next run of a locked job that has ended.

    Parameters:
      from_stage: Redo this stage and all later ones; None redoes only what is not completed. Every run assembles anew.
      edited: The chunks whose utterances were edited: they are translated and spoken anew. None keeps what the run
        before was for, which may have failed to carry out edits.

    Raises ``InputError`` if the job has no such stage.
    """
    before = newest_rows.newest_tasks(session, job)
    # One job, one trace: what asks for another run has a trace of its own.
    tracing.link(job.traceparent)
    job.traceparent = job.traceparent or tracing.traceparent()
    if from_stage is not None:
        _check_stage(job, before, from_stage)
        if _ORDER[from_stage] <= _ORDER[_utterance_stage(job)]:
            _drop_edits(session, job)
    only_edits = edited is not None or (job.mending and from_stage is None)
    format = job.message_format if edited is None else max(job.message_format, EDITS_FORMAT)
    _reset(session, job, mending=only_edits, message_format=format)
    kept = {
        key
        for key, task in before.items()
        if task.status is TaskStatus.COMPLETED and (from_stage is None or _ORDER[task.stage] < _ORDER[from_stage])
    }
    kept -= {(chunk, stage) for chunk in edited or () for stage in _REDONE_FOR_EDITS}
    if from_stage is Stage.PREPARE and is_one_piece(job.input):
        forget_plan(job)
    if job.chunks_total is None or not _is_begun(job, kept):
        begin(session, job)
        return
    _add_chunks(session, job, before, kept)
    if (WHOLE_JOB, Stage.DETECT) in before.keys() - kept:
        start_stage(session, job, Stage.DETECT)
        return
    release_run(session, job)
    fan_in(session, job)


def _is_begun(job: Job, kept: Collection[tuple[int, Stage]]) -> bool:
    """Return whether there is something to go on from: the plan, or the first stage of a text of one piece."""
    return ((0, stages_of(job)[0]) if is_one_piece(job.input) else (WHOLE_JOB, Stage.PREPARE)) in kept


def _reset(session: Session, job: Job, *, mending: bool, message_format: int) -> None:
    """Queue a locked job for its next run and void what remains of the last one."""
    moment = now(session)
    # A task that still runs after its job failed gets a row of the new run beside it: void its lease.
    cancel_tasks(session, job, (TaskStatus.RUNNING,), finished_at=moment, lease_until=None)
    times = ("cancel_requested_at", "started_at", "finished_at", "expires_at")
    void = dict.fromkeys(("stage", "error_code", "error_message", "error_hint", *times))
    fresh = {"run": job.run + 1, "mending": mending, "message_format": message_format, "progress": 0.0}
    move_job(session, job, JobStatus.QUEUED, queued_at=moment, **fresh, **void)


def _add_chunks(
    session: Session, job: Job, before: Mapping[tuple[int, Stage], Task], kept: Collection[tuple[int, Stage]]
) -> None:
    """Create the tasks of every chunk that this run redoes."""
    for chunk in range(job.chunks_total or 0):
        redo = [stage for stage in stages_of(job) if (chunk, stage) not in kept]
        if redo:
            add_chunk(session, job, chunk, before[chunk, redo[0]].seconds, redo)
    session.flush()


def _utterance_stage(job: Job) -> Stage:
    """The stage that makes a job's utterances: redone, it may make other ones."""
    return Stage.TRANSCRIBE if Stage.TRANSCRIBE in stages_of(job) else Stage.PREPARE


def _drop_edits(session: Session, job: Job) -> None:
    job.warnings = [warning for warning in job.warnings if warning["code"] != EDITS_DROPPED]
    dropped = session.scalars(sa.delete(Edit).where(col(Edit.job_id) == job.id).returning(col(Edit.utterance_id))).all()
    if dropped:
        many = f"{len(dropped)} utterance{'s' if len(dropped) > 1 else ''}"
        message = f"The edits of {many} were dropped: the job ran again from a stage before them."
        add_warnings(job, [{"code": EDITS_DROPPED, "message": message}])


def _check_stage(job: Job, before: dict[tuple[int, Stage], Task], stage: Stage) -> None:
    has = {Stage.PREPARE, *stages_of(job), Stage.ASSEMBLE}
    if (WHOLE_JOB, Stage.DETECT) in before:
        has.add(Stage.DETECT)
    if stage not in has:
        names = ", ".join(known.value for known in Stage if known in has)
        raise InputError(f"This job has no stage {stage}.", hint=f"It has: {names}.", field="from")
