"""Counts what a transaction changes, when it has committed: once, by whichever process made the change."""

from typing import Any

from sqlalchemy.orm import Session

from octavia.jobs.tables.database import now, on_commit
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import AttemptOutcome, JobStatus, JobType, Stage
from octavia.metrics import declared

for _type in JobType:
    declared.JOBS_SUBMITTED.expect(type=_type, owner="")
    for _ended in (JobStatus.COMPLETED, JobStatus.CANCELED):
        declared.JOBS_FINISHED.expect(type=_type, outcome=_ended, code="", owner="")
for _stage in Stage:
    for _outcome in AttemptOutcome:
        declared.ATTEMPTS.expect(stage=_stage, outcome=_outcome)
    for _kind in ("soft", "hard"):
        declared.TIME_LIMITS.expect(stage=_stage, kind=_kind)


def job_submitted(session: Session, job: Job) -> None:
    """Count a new job."""
    on_commit(session, lambda: declared.JOBS_SUBMITTED.add(type=job.type.value, owner=job.owner))


def job_moved(session: Session, job: Job, to: JobStatus, changes: dict[str, Any]) -> None:
    """Count a job's end."""
    if to.ended:
        code = changes.get("error_code") or ""
        on_commit(
            session,
            lambda: declared.JOBS_FINISHED.add(type=job.type.value, outcome=to.value, code=code, owner=job.owner),
        )


def task_claimed(session: Session, task: Task) -> None:
    """Measure how long a task has waited for its first attempt."""
    if task.queued_at is not None and task.error_code is None:
        waited = max((now(session) - task.queued_at).total_seconds(), 0.0)
        on_commit(session, lambda: declared.QUEUE_WAIT.add(waited, stage=task.stage.value))


def attempt_ended(session: Session, task: Task, outcome: AttemptOutcome, code: str) -> None:
    """Measure an attempt that ends; called before its task is changed.

    Parameters:
      code: The error's; empty without one.
    """
    if task.started_at is None:
        return
    stage = task.stage.value
    seconds = max((now(session) - task.started_at).total_seconds(), 0.0)
    job = session.get_one(Job, task.job_id)
    media = task.seconds or job.duration or 0.0
    model = _model(job, task.stage)

    def count() -> None:
        declared.ATTEMPTS.add(stage=stage, outcome=outcome.value)
        declared.STAGE_SECONDS.add(seconds, stage=stage, outcome=outcome.value)
        if outcome is AttemptOutcome.RETRYING:
            declared.RETRIES.add(stage=stage, code=code)
        elif outcome is AttemptOutcome.COMPLETED and media:
            declared.AUDIO_SECONDS.add(media, stage=stage)
            declared.REAL_TIME_FACTOR.add(seconds / media, stage=stage, model=model)

    on_commit(session, count)


def _model(job: Job, stage: Stage) -> str:
    """The ids of the models that a job's stage is pinned to; empty for a stage without a model."""
    pins = job.models.get(
        {
            Stage.DETECT: "speech",
            Stage.TRANSCRIBE: "speech",
            Stage.TRANSLATE: "translation",
            Stage.SYNTHESIZE: "voice",
        }.get(stage, "")
    )
    return "+".join(pin["id"] for pin in (pins if isinstance(pins, list) else [pins] if pins else []))
