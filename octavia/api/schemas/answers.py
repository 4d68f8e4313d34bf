"""Models of answers about jobs and their files."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from octavia.jobs.status.job_details import JobDetails
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import JobStatus, JobType, Priority, Stage
from octavia.links import job_links, job_url

M = TypeVar("M", bound=BaseModel)


def from_record(model: type[M], record: object, /, **others: object) -> M:
    """Return a model with the record's values of all its fields but ``others``, which are given by name."""
    copied = {name: getattr(record, name) for name in model.model_fields if name not in others}
    return model.model_validate(copied | others)


class InputOut(BaseModel):
    """The input of a job; ``size`` and ``sha256`` are null until it has been fetched."""

    kind: str
    filename: str
    media_type: str
    size: int | None
    sha256: str | None


class ErrorOut(BaseModel, from_attributes=True):
    """The reason why a job failed."""

    code: str
    message: str
    hint: str


class DubOut(BaseModel):
    """The timing of a dub against the speaker, over its utterances; rates are multiples of the voice's natural speed.

    ``on_time``: the share that starts at most 0.1 s late; none starts early. ``fitted``: the share that also ends
    before the next one begins. ``mean_lateness`` and ``worst_lateness`` are seconds.
    """

    utterances: int
    on_time: float
    fitted: float
    mean_lateness: float
    worst_lateness: float
    mean_rate: float
    worst_rate: float


class JobOut(BaseModel):
    """A job; ``dub`` is null until there is a dub, and for text, which has no speaker to keep to.

    ``trace_id``: the id of its trace, if the operator collects traces.
    """

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
    trace_id: str | None
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: JobRecord, root: str) -> "JobOut":
        """Return the answer about a job; ``root``: the path under which a proxy serves the API."""
        priority = next(priority for priority in Priority if priority.level == job.priority)
        return from_record(cls, job, priority=priority, metadata=job.meta, links=job_links(job.id, root))


class JobListOut(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[JobOut]
    next_cursor: str | None


class StageOut(BaseModel):
    """The progress of one stage, ``progress``: ``done`` of ``total`` tasks, and the tasks that are still to come.

    More tasks come until ``prepare`` is done, which finds out how many there are.
    """

    done: float
    total: int
    progress: float


class StatusOut(BaseModel):
    """The progress of a job; ``expected_seconds`` until its end, null if too little is known for an estimate."""

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
        """Return the answer about the progress of a job that is expected to end in so many seconds."""
        stages = {
            stage: StageOut(done=part.done, total=part.total, progress=part.fraction)
            for stage, part in details.stages.items()
        }
        job, position = details.job, details.position
        return from_record(
            cls, job, queue_position=position, expected_seconds=expected, stages=stages, metadata=job.meta
        )


class ArtifactOut(BaseModel):
    """A file that a job made; ``partial``: from a chunk of a job that was not completed."""

    name: str
    media_type: str
    size: int
    sha256: str
    revision: int
    partial: bool
    created_at: datetime
    url: str

    @classmethod
    def of(cls, job_id: UUID, artifact: ArtifactRecord, root: str, *, of_revision: int | None = None) -> "ArtifactOut":
        """Return the answer about a file.

        Parameters:
          root: The path under which a proxy serves the API.
          of_revision: The revision that was requested; None for the current one.
        """
        query = "" if of_revision is None else f"?revision={of_revision}"
        return from_record(cls, artifact, url=f"{job_url(job_id, root)}/artifacts/{artifact.name}{query}")


class ArtifactListOut(BaseModel):
    """The files that a job made."""

    artifacts: list[ArtifactOut]
