"""The end of an attempt: its result and all consequences in one transaction, fenced by the attempt's number."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from octavia.jobs.access import webhooks
from octavia.jobs.protocol import fanout, progress
from octavia.jobs.protocol.artifacts import add_artifacts
from octavia.jobs.protocol.cancel import cancel_running, finish_cancel, is_wanted
from octavia.jobs.protocol.failing import delay_before_next, fail_job, task_fields, try_again
from octavia.jobs.protocol.messages import decode, pipe_target, ref_of
from octavia.jobs.protocol.readiness import ends_job, release_after, stages_of
from octavia.jobs.tables import events, newest_rows
from octavia.jobs.tables.database import database_of, now, transaction
from octavia.jobs.tables.records import (
    Claim,
    Detected,
    Disposition,
    Failure,
    HeardSegment,
    NewArtifact,
    Plan,
    is_one_piece,
)
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import WHOLE_JOB, JobStatus, Stage, TaskStatus
from octavia.jobs.tables.transitions import lock_running, move_job, move_task


@transaction
def complete(
    session: Session,
    claim: Claim,
    *,
    artifacts: Sequence[NewArtifact],
    handover: bytes | None,
    plan: Plan | None = None,
    detected: Detected | None = None,
    models: dict[str, Any] | None = None,
    dub: dict[str, float] | None = None,
    warnings: Sequence[dict[str, str]] = (),
    heard: Sequence[HeardSegment] = (),
) -> bool:
    """Commit an attempt's result.

    Parameters:
      handover: The encoded message from the ``pipe_target`` of the finished one, if any.
      plan: The result of ``prepare``, which must give one.
      detected: The result of ``detect``, which must give one.
      models: From the first task of a text of one piece: the models that the job is pinned to from now on.
      dub: From the task that writes the results: figures of how well the dub keeps to the speaker, if it should.
      warnings: Notes for the user about the result, each with ``code`` and ``message``.
      heard: Recognised segments that were not sent as events yet.

    Returns:
      False if the result is not used: the lease was lost, or the job was canceled, failed or run again meanwhile.
      A chunk's result may be kept even then, for a later run.
    """
    stage = claim.ref.stage
    if (stage is Stage.PREPARE and plan is None) or (stage is Stage.DETECT and detected is None):
        raise ValueError(f"{stage} completed without its result")
    found = lock_running(session, claim.task_id, claim.attempt)
    if found is None:
        return False
    job, task = found
    if not is_wanted(job, task):
        return _keep_for_later(session, job, task, artifacts)
    _record(session, job, task, artifacts)
    if models is not None:
        job.models = dict(models)
    fanout.add_warnings(job, warnings)
    progress.emit_segments(session, job, task, heard)
    events.emit(session, job, "stage", {**task_fields(task), "status": "completed"})
    if plan is not None and stage is Stage.PREPARE:
        fanout.fan_out(session, job, plan)
    elif detected is not None and stage is Stage.DETECT:
        fanout.apply_language(session, job, detected)
    elif ends_job(job, stage):
        job.dub = dub
        _finish(session, job)
        return True
    else:
        _hand_over(session, job, task, handover)
        if stage is stages_of(job)[-1]:
            fanout.fan_in(session, job)
    progress.refresh(session, job, task)
    return True


@transaction
def fail(
    session: Session, task_id: UUID, attempt: int, failure: Failure, *, retry_delays: Sequence[float], jitter: float
) -> Disposition:
    """End an attempt that failed.

    Parameters:
      retry_delays: Seconds before the second attempt, the third and so on; after the last one the job fails.
      jitter: Share of the delay by which it varies at random.
    """
    found = lock_running(session, task_id, attempt)
    if found is None:
        return Disposition.LOST
    job, task = found
    if not is_wanted(job, task):
        cancel_running(session, job, task)
        return Disposition.CANCELED
    delay = delay_before_next(task, retry_delays, jitter) if failure.retryable else None
    if delay is None:
        fail_job(session, job, task, failure)
        return Disposition.FAILED
    try_again(session, job, task, failure, delay)
    return Disposition.RETRYING


@transaction
def stop_canceled(session: Session, task_id: UUID, attempt: int) -> None:
    """Cancel a running task whose result is no longer wanted; does nothing if the lease was lost."""
    found = lock_running(session, task_id, attempt)
    if found is not None and not is_wanted(*found):
        cancel_running(session, *found)


def _keep_for_later(session: Session, job: Job, task: Task, artifacts: Sequence[NewArtifact]) -> bool:
    # A chunk's result stands by itself and saves a later run work. Those of the other stages change the job, and so do
    # all of a text of one piece.
    if task.chunk == WHOLE_JOB or is_one_piece(job.input) or task.run != job.run:
        cancel_running(session, job, task)
        return False
    _record(session, job, task, artifacts)
    finish_cancel(session, job)
    return True


def _record(session: Session, job: Job, task: Task, artifacts: Sequence[NewArtifact]) -> None:
    move_task(session, task, TaskStatus.COMPLETED, finished_at=now(session), lease_until=None, progress=1.0)
    add_artifacts(session, job, task, artifacts)


def _hand_over(session: Session, job: Job, task: Task, handover: bytes | None) -> None:
    """Give the next task of the pipeline its message, and queue the tasks that became ready."""
    # A message that lost its pipeline (requeued by hand, say) must not end the chunk.
    message = handover or (pipe_target(task.message) if task.message else None)
    if message is not None:
        ref = ref_of(decode(message))
        following = newest_rows.find_task(session, ref)
        if following is None or (ref.job_id, ref.run, ref.chunk) != (job.id, task.run, task.chunk):
            raise ValueError(f"task {task.id} hands over to {ref}, which is not of its pipeline")
        following.message = message
        session.flush()
    release_after(session, job, task)


def _finish(session: Session, job: Job) -> None:
    moment = now(session)
    events.emit(session, job, "completed", {"revision": job.revision + 1})
    move_job(
        session,
        job,
        JobStatus.COMPLETED,
        revision=job.revision + 1,
        progress=1.0,
        stage=None,
        finished_at=moment,
        expires_at=moment + database_of(session).retention,
    )
    webhooks.announce(session, job)
