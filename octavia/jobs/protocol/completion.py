"""The end of an attempt: its result and all that follows from it in one transaction, fenced by the attempt."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from octavia.jobs.access import webhooks
from octavia.jobs.protocol import fanout, progress
from octavia.jobs.protocol.cancel import cancel_running, finish_cancel, is_wanted
from octavia.jobs.protocol.failing import delay_before_next, fail_job, task_fields, try_again
from octavia.jobs.protocol.messages import decode, pipe_target, ref_of
from octavia.jobs.protocol.readiness import release_after, stages_of
from octavia.jobs.tables import events, newest_rows
from octavia.jobs.tables.database import database_of, now, transaction
from octavia.jobs.tables.records import Claim, Detected, Disposition, Failure, HeardSegment, NewArtifact, Plan
from octavia.jobs.tables.rows import Artifact, Job, Task
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
    dub: dict[str, float] | None = None,
    warnings: Sequence[dict[str, str]] = (),
    heard: Sequence[HeardSegment] = (),
) -> bool:
    """Commit an attempt's result.

    Parameters:
      handover: The encoded message that stood in the finished one's ``pipe_target``, if any.
      plan: From ``prepare``, which must give one.
      detected: From ``detect``, which must give it.
      dub: From ``assemble``: how well the dub keeps to the speaker, if there is one that should.
      warnings: What the user should know about the result, each with ``code`` and ``message``.
      heard: What was recognised and not told yet to those who watch the job.

    Returns:
      False when nothing was kept: the lease was lost, or the job was canceled, failed or overtaken meanwhile.
      A chunk's result is kept all the same then, for a later run.

    Raises:
      ValueError: The result of prepare or detect is missing.
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
    fanout.add_warnings(job, warnings)
    progress.emit_segments(session, job, task, heard)
    events.emit(session, job, "stage", {**task_fields(task), "status": "completed"})
    if plan is not None and stage is Stage.PREPARE:
        fanout.fan_out(session, job, plan)
    elif detected is not None and stage is Stage.DETECT:
        fanout.apply_language(session, job, detected)
    elif stage is Stage.ASSEMBLE:
        job.dub = dub
        _finish(session, job)
        return True
    else:
        _hand_over(session, job, task, handover)
        if stage is stages_of(job)[-1]:
            fanout.fan_in(session, job)
    progress.refresh(session, job)
    return True


@transaction
def fail(
    session: Session,
    task_id: UUID,
    attempt: int,
    failure: Failure,
    *,
    retry_delays: Sequence[float],
    jitter: float,
) -> Disposition:
    """End an attempt that failed.

    Parameters:
      retry_delays: Seconds before the second attempt, the third and so on; after the last one the job fails.
      jitter: Share of the delay that is added or taken at random.
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
    """End a running task that saw that its job was canceled or has failed; one that is no longer ours is left alone."""
    found = lock_running(session, task_id, attempt)
    if found is not None and not is_wanted(*found):
        cancel_running(session, *found)


def _keep_for_later(session: Session, job: Job, task: Task, artifacts: Sequence[NewArtifact]) -> bool:
    # Chunks stand for themselves and save a later run the work. The others' results are changes of the job.
    if task.chunk == WHOLE_JOB or task.run != job.run:
        cancel_running(session, job, task)
        return False
    _record(session, job, task, artifacts)
    finish_cancel(session, job)
    return True


def _record(session: Session, job: Job, task: Task, artifacts: Sequence[NewArtifact]) -> None:
    moment = now(session)
    move_task(session, task, TaskStatus.COMPLETED, finished_at=moment, lease_until=None, progress=1.0)
    # Published results appear together with the revision that assembling completes.
    revision = job.revision + 1 if task.stage is Stage.ASSEMBLE else 0
    session.add_all(
        Artifact(
            job_id=job.id,
            run=task.run,
            chunk=task.chunk,
            stage=task.stage,
            name=new.name,
            media_type=new.media_type,
            size=new.size,
            sha256=new.sha256,
            storage_key=new.storage_key,
            revision=revision if new.published else 0,
            created_at=moment,
        )
        for new in artifacts
    )


def _hand_over(session: Session, job: Job, task: Task, handover: bytes | None) -> None:
    """Give the next task of the pipeline its message, and queue whoever is ready now."""
    # A message that came back without its pipeline (requeued by hand, say) must not end the chunk.
    message = handover or (pipe_target(task.message) if task.message else None)
    if message is not None:
        ref = ref_of(decode(message))
        following = newest_rows.find_task(session, ref.job_id, ref.run, ref.chunk, ref.stage)
        if following is None or (ref.job_id, ref.run, ref.chunk) != (job.id, task.run, task.chunk):
            raise ValueError(f"task {task.id} hands over to {ref}, which is not of its pipeline")
        following.message = message
        session.flush()
    release_after(session, job, task)


def _finish(session: Session, job: Job) -> None:
    moment = now(session)
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
    events.emit(session, job, "completed", {"revision": job.revision})
    webhooks.announce(session, job)
