"""Counts what a transaction changes, when it has committed: once, by whichever process made the change."""

from typing import Any

from sqlalchemy.orm import Session

from octavia.jobs.tables.database import now, on_commit
from octavia.jobs.tables.rows import Job, Task
from octavia.jobs.tables.states import AttemptOutcome, JobStatus, JobType, Stage, TaskStatus
from octavia.metrics import declared

for _type in JobType:
    declared.JOBS_SUBMITTED.expect(type=_type, owner="")


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


def task_moved(session: Session, task: Task, old: TaskStatus, to: TaskStatus, changes: dict[str, Any]) -> None:
    """Measure how long a task waited when it is claimed, and its attempt when that ends."""
    stage = task.stage.value
    if to is TaskStatus.RUNNING and task.queued_at is not None and task.error_code is None:
        waited = (now(session) - task.queued_at).total_seconds()
        on_commit(session, lambda: declared.QUEUE_WAIT.add(max(waited, 0.0), stage=stage))
    elif old is TaskStatus.RUNNING and task.started_at is not None:
        seconds = max((now(session) - task.started_at).total_seconds(), 0.0)
        outcome = _outcome(to, changes)
        job = session.get_one(Job, task.job_id)
        media = task.seconds or job.duration or 0.0
        model, code = _model(job, task.stage), changes.get("error_code") or ""

        def count() -> None:
            declared.ATTEMPTS.add(stage=stage, outcome=outcome.value)
            declared.STAGE_SECONDS.add(seconds, stage=stage, outcome=outcome.value)
            if outcome is AttemptOutcome.RETRYING:
                declared.RETRIES.add(stage=stage, code=code)
            elif outcome is AttemptOutcome.COMPLETED and media:
                declared.AUDIO_SECONDS.add(media, stage=stage)
                declared.REAL_TIME_FACTOR.add(seconds / media, stage=stage, model=model)

        on_commit(session, count)


def _outcome(to: TaskStatus, changes: dict[str, Any]) -> AttemptOutcome:
    if to is TaskStatus.QUEUED:
        return AttemptOutcome.GIVEN_BACK if "given_back" in changes else AttemptOutcome.RETRYING
    return AttemptOutcome(to.value)


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
