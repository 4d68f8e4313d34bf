"""Creating, starting and retrying jobs."""

from collections.abc import Callable
from dataclasses import asdict
from uuid import UUID

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from octavia import tracing
from octavia.errors import Conflict, InputError
from octavia.jobs.access import limits
from octavia.jobs.lifecycle import runs
from octavia.jobs.protocol import fanout, progress
from octavia.jobs.protocol.readiness import stages_of
from octavia.jobs.tables import counting, events, writes
from octavia.jobs.tables.database import database_of, now, transaction
from octavia.jobs.tables.records import JobRecord, NewJob, is_one_piece
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import (
    EARLY_FORMAT,
    EDITS_FORMAT,
    ONE_PIECE_FORMAT,
    PLAIN_FORMAT,
    TEXT_KINDS,
    JobStatus,
    Stage,
)
from octavia.jobs.tables.transitions import lock_owned, move_job

Within = Callable[[Session, JobRecord], None]
"""Called last in the transaction of a job or its new run, to write more: its errors undo everything, and it is called
again if the transaction is retried."""


@transaction
def create(
    session: Session, new: NewJob, *, job_id: UUID | None = None, start: bool = True, within: Within | None = None
) -> JobRecord:
    """Create a job and, if it starts at once, its first task and message, in one transaction.

    Parameters:
      job_id: The id under which its input is stored; None makes a new one.
      start: False leaves the job ``pending``; after the retention its input is removed.

    Raises:
      InputError: The type does not take this kind of input.
      TooMany: ``too_many_jobs``: its key has as many unfinished jobs as it may.
    """
    if new.key_id is not None and new.jobs_in_flight:
        limits.reserve_job(session, new.key_id, new.jobs_in_flight)
    moment = now(session)
    requested = {**asdict(new), "priority": new.priority.level}
    del requested["jobs_in_flight"]
    job = Job(
        **requested,
        id=job_id or uuid7(),
        created_at=moment,
        chunks_total=1 if start and is_one_piece(new.input) else None,
        message_format=_message_format(new),
        traceparent=tracing.traceparent(),
        status=JobStatus.QUEUED if start else JobStatus.PENDING,
        queued_at=moment if start else None,
        expires_at=None if start else moment + database_of(session).retention,
    )
    try:
        stages_of(job)
    except ValueError as error:
        raise InputError(
            f"A job of type {new.type} cannot be made from this input: {error}.",
            hint="Send text or subtitles for synthesize, a recording for transcribe, either for translate and dub.",
            field="type",
        ) from None
    writes.add(session, job)
    counting.job_submitted(session, job)
    if start:
        fanout.begin(session, job)
        events.emit_first(session, job, "queued", {"run": job.run}, at=moment)
    return run_within(session, job, within)


def _message_format(new: NewJob) -> int:
    """The oldest format that expresses the job: a release that ignores one of these would do something else."""
    if is_one_piece(new.input):
        return ONE_PIECE_FORMAT
    kind = new.input.get("kind")
    if kind not in TEXT_KINDS:
        return EARLY_FORMAT
    return EDITS_FORMAT if kind == "subtitles" else PLAIN_FORMAT


@transaction
def start(session: Session, job_id: UUID, owner: str) -> JobRecord:
    """Start a ``pending`` job.

    Raises:
      NotFound: The owner has no such job.
      Conflict: It was started before, or its files have expired (``job_expired``).
    """
    job = lock_owned(session, job_id, owner)
    if job.status is not JobStatus.PENDING:
        raise Conflict(f"The job is {job.status}; only a pending job can be started.")
    check_not_expired(session, job)
    move_job(session, job, JobStatus.QUEUED, queued_at=now(session), expires_at=None)
    fanout.begin(session, job)
    session.flush()
    events.emit(session, job, "queued", {"run": job.run})
    return JobRecord.from_row(job)


@transaction
def retry(
    session: Session,
    job_id: UUID,
    owner: str,
    *,
    from_stage: Stage | None = None,
    jobs_in_flight: int = 0,
    within: Within | None = None,
) -> JobRecord:
    """Start a new run of a job that has ended; the former results stay until the new run completes.

    Parameters:
      from_stage: Redo this stage and all later ones; None redoes only what is not completed.
      jobs_in_flight: The highest number of unfinished jobs of keys without one of their own; 0: no limit.

    Raises:
      NotFound: The owner has no such job.
      TooMany: ``too_many_jobs``: the key that submitted it has as many unfinished jobs as it may.
      Conflict: It has not ended, it completed and no stage is named, or its files have expired (``job_expired``).
      InputError: It has no such stage.
    """
    job = lock_owned(session, job_id, owner)
    retry_locked(session, job, from_stage=from_stage, jobs_in_flight=jobs_in_flight)
    return run_within(session, job, within)


def retry_locked(session: Session, job: Job, *, from_stage: Stage | None = None, jobs_in_flight: int = 0) -> None:
    """Do so with a job that is locked already."""
    if job.status in (JobStatus.PENDING, JobStatus.QUEUED, JobStatus.PROCESSING):
        raise Conflict(f"The job is {job.status}; only a job that has ended can be retried.")
    if job.status is JobStatus.COMPLETED and from_stage is None:
        raise Conflict("The job has completed.", hint="Name the stage to redo it from, such as translate.")
    check_not_expired(session, job)
    limits.reserve_run(session, job, jobs_in_flight)
    runs.open_run(session, job, from_stage)
    progress.refresh(session, job)
    events.emit(session, job, "queued", {"run": job.run})


def run_within(session: Session, job: Job, within: Within | None) -> JobRecord:
    """Call ``within``, if given, with a locked job's record; returns the record."""
    record = JobRecord.from_row(job)
    if within is not None:
        within(session, record)
    return record


def check_not_expired(session: Session, job: Job) -> None:
    """Raise ``Conflict`` (``job_expired``) if a locked job's files have expired."""
    if job.expires_at is not None and job.expires_at <= now(session):
        raise Conflict("The job's files have expired.", code="job_expired", hint="Submit the recording again.")
