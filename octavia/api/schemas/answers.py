"""What is answered about jobs and their files, as types."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from octavia.jobs.status.job_details import JobDetails
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.jobs.tables.records import ErrorRecord, JobRecord
from octavia.jobs.tables.states import JobStatus, JobType, Priority, Stage
from octavia.links import job_links, job_url


class InputOut(BaseModel):
    """What a job works on; ``size`` and ``sha256`` are null until it is here."""

    kind: str
    filename: str
    media_type: str
    size: int | None
    sha256: str | None


class ErrorOut(BaseModel):
    """Why a job failed."""

    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: ErrorRecord | None) -> "ErrorOut | None":
        """From the record."""
        return None if error is None else cls(code=error.code, message=error.message, hint=error.hint)


class DubOut(BaseModel):
    """How well a dub keeps to the speaker, over its utterances; rates are multiples of the voice's natural speed.

    ``on_time``: the share that starts at most 0.1 s late; none starts early. ``fitted``: the share that does so and
    leaves the next one its own time. ``mean_lateness`` and ``worst_lateness`` are seconds.
    """

    utterances: int
    on_time: float
    fitted: float
    mean_lateness: float
    worst_lateness: float
    mean_rate: float
    worst_rate: float

    @classmethod
    def of(cls, dub: dict[str, float] | None) -> "DubOut | None":
        """From the record."""
        return None if dub is None else cls.model_validate(dub)


class JobOut(BaseModel):
    """A job; ``dub`` is null until there is one, and for a text, whose speech has nobody to keep to."""

    id: UUID
    type: JobType
    status: JobStatus
    expired: bool
    source_language: str
    target_language: str | None
    options: dict[str, Any]
    priority: Priority
    input: InputOut
    metadata: dict[str, Any]
    models: dict[str, Any]
    warnings: list[dict[str, str]]
    duration: float | None
    dub: DubOut | None
    progress: float
    stage: Stage | None
    error: ErrorOut | None
    run: int
    revision: int
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: JobRecord) -> "JobOut":
        """From the record."""
        return cls(
            id=job.id,
            type=job.type,
            status=job.status,
            expired=job.expired,
            source_language=job.source_language,
            target_language=job.target_language,
            options=job.options,
            priority=_priority(job.priority),
            input=InputOut(**{name: job.input[name] for name in InputOut.model_fields}),
            metadata=job.meta,
            models=job.models,
            warnings=list(job.warnings),
            duration=job.duration,
            dub=DubOut.of(job.dub),
            progress=job.progress,
            stage=job.stage,
            error=ErrorOut.of(job.error),
            run=job.run,
            revision=job.revision,
            cancel_requested_at=job.cancel_requested_at,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            expires_at=job.expires_at,
            links=job_links(job.id),
        )


class JobListOut(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[JobOut]
    next_cursor: str | None


class StageOut(BaseModel):
    """How far one stage is: tasks done, of so many, and that as a fraction."""

    done: float
    total: int
    progress: float


class StatusOut(BaseModel):
    """How far a job is; ``expected_seconds`` until it ends, null where too little is known to say."""

    id: UUID
    status: JobStatus
    stage: Stage | None
    progress: float
    queue_position: int | None
    expected_seconds: float | None
    stages: dict[Stage, StageOut]
    dub: DubOut | None
    error: ErrorOut | None
    metadata: dict[str, Any]
    run: int

    @classmethod
    def of(cls, details: JobDetails, expected: float | None) -> "StatusOut":
        """From what the queries give."""
        job = details.job
        return cls(
            id=job.id,
            status=job.status,
            stage=job.stage,
            progress=job.progress,
            queue_position=details.position,
            expected_seconds=expected,
            stages={
                stage: StageOut(done=part.done, total=part.total, progress=part.done / part.total)
                for stage, part in details.stages.items()
            },
            dub=DubOut.of(job.dub),
            error=ErrorOut.of(job.error),
            metadata=job.meta,
            run=job.run,
        )


class ArtifactOut(BaseModel):
    """A file that a job made; ``partial``: what a chunk left of a job that did not come to its end."""

    name: str
    media_type: str
    size: int
    sha256: str
    revision: int
    partial: bool
    created_at: datetime
    url: str

    @classmethod
    def of(cls, job_id: UUID, artifact: ArtifactRecord, *, of_revision: int | None = None) -> "ArtifactOut":
        """From the record; ``of_revision``: the one that was asked for, if not just the current one."""
        query = "" if of_revision is None else f"?revision={of_revision}"
        return cls(
            name=artifact.name,
            media_type=artifact.media_type,
            size=artifact.size,
            sha256=artifact.sha256,
            revision=artifact.revision,
            partial=artifact.partial,
            created_at=artifact.created_at,
            url=f"{job_url(job_id)}/artifacts/{artifact.name}{query}",
        )


class ArtifactListOut(BaseModel):
    """The files that a job made."""

    artifacts: list[ArtifactOut]


def _priority(level: int) -> Priority:
    return next(priority for priority in Priority if priority.level == level)
