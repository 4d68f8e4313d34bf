"""Models of requests and answers about the jobs of all owners."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from octavia.api.http.fields import Fields
from octavia.api.schemas.answers import ErrorOut, from_record
from octavia.jobs.operations import filters
from octavia.jobs.operations.details import Details, TaskRecord
from octavia.jobs.operations.listing import ListedJob
from octavia.jobs.status.attempts import AttemptRecord
from octavia.jobs.tables.states import AttemptOutcome, JobStatus, JobType, Priority, Stage, TaskStatus
from octavia.links import job_url

FILTER = (
    f"Terms such as `owner:ann status:failed -code:worker_lost age:<7d`, at most {filters.MOST_CHARS:,} characters; "
    "see docs/operator.md. Empty for all jobs."
)


class JobsRequest(Fields):
    """The query of a list of jobs of all owners."""

    filter: str = Field("", description=FILTER)
    cursor: str | None = Field(None, max_length=100, description="The next_cursor of the previous page.")
    limit: int = Field(50, ge=1, le=100, description="Jobs per page, 1 to 100.")


class OperatedJobOut(BaseModel):
    """A job as an operator sees it.

    ``name`` is that of its file, ``duration`` seconds of its media. ``attempts`` counts those of all its tasks.
    """

    id: UUID
    owner: str
    type: JobType
    status: JobStatus
    stage: Stage | None
    name: str | None
    progress: float
    priority: Priority
    error: ErrorOut | None
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    source_language: str
    target_language: str | None
    metadata: dict[str, Any]
    duration: float | None

    @classmethod
    def values(cls, listed: ListedJob) -> dict[str, Any]:
        """Return the fields that are not columns of the job."""
        job = listed.job
        return {
            "name": job.input.get("filename") or None,
            "priority": next(priority for priority in Priority if priority.level == job.priority),
            "attempts": listed.attempts,
            "metadata": job.meta,
        }

    @classmethod
    def of(cls, listed: ListedJob) -> "OperatedJobOut":
        """Return the answer about a job."""
        return from_record(cls, listed.job, **cls.values(listed))


class OperatedJobListOut(BaseModel):
    """A page of jobs, newest first. ``total`` counts all pages; if it is ``capped``, there are more than that."""

    jobs: list[OperatedJobOut]
    next_cursor: str | None
    total: int
    capped: bool


class FailureOut(BaseModel):
    """The reason why a task or an attempt failed."""

    code: str
    message: str

    @classmethod
    def of(cls, failed: AttemptRecord | TaskRecord) -> "FailureOut | None":
        """Return the answer about an error; None if there is none."""
        return None if failed.error_code is None else cls(code=failed.error_code, message=failed.error_message or "")


class AttemptOut(BaseModel):
    """A try of a task; ``ended_at`` and ``outcome`` are null while it runs."""

    number: int
    worker: str
    queued_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    outcome: AttemptOutcome | None
    error: FailureOut | None


class TaskOut(BaseModel):
    """A task: one stage of one chunk in one run; chunk -1 stands for the whole job.

    ``attempt`` is the number of the running or newest attempt, ``seconds`` the media that it works on.
    """

    id: UUID
    run: int
    chunk: int
    stage: Stage
    status: TaskStatus
    attempt: int
    worker: str | None
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    progress: float
    seconds: float
    error: FailureOut | None
    attempts: list[AttemptOut]

    @classmethod
    def of(cls, task: TaskRecord) -> "TaskOut":
        """Return the answer about a task."""
        attempts = [from_record(AttemptOut, attempt, error=FailureOut.of(attempt)) for attempt in task.attempts]
        return from_record(cls, task, error=FailureOut.of(task), attempts=attempts)


class JobDetailsOut(OperatedJobOut):
    """A job with its tasks of all runs; if ``tasks_complete`` is false, the oldest runs' are left out."""

    tasks: list[TaskOut]
    tasks_complete: bool
    log_url: str

    @classmethod
    def of_details(cls, details: Details, root: str) -> "JobDetailsOut":
        """Return the answer about a job; ``root``: the path under which a proxy serves the API."""
        listed = details.listed
        return from_record(
            cls,
            listed.job,
            **cls.values(listed),
            tasks=[TaskOut.of(task) for task in details.tasks],
            tasks_complete=details.complete,
            log_url=f"{job_url(listed.job.id, root)}/log",
        )
