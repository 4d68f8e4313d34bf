"""The answers of the server as models.

The client has models of its own instead of ``octavia.api.schemas``, because it must work with newer servers: it ignores
unknown fields, and takes statuses, stages and types of events as plain strings.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

ENDED: Final = frozenset({"completed", "failed", "canceled"})
"""The statuses of ended jobs, which are also the types of the events that end a job."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class JobError(_Model):
    """The reason of a failure: a stable code, a message, and a hint."""

    code: str
    message: str
    hint: str = ""


class JobInput(_Model):
    """The input of a job; ``size``, in bytes, and ``sha256`` are None until the server has it."""

    kind: str
    filename: str
    media_type: str
    size: int | None = None
    sha256: str | None = None


class _Standing(_Model):
    id: UUID
    status: str
    stage: str | None = None
    progress: float
    error: JobError | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    run: int

    @property
    def ended(self) -> bool:
        """True if the job has completed, failed or been canceled; only a new run changes it."""
        return self.status in ENDED


class Dub(_Model):
    """The timing of a dub compared with the original.

    Attributes:
      on_time, fitted: Shares of utterances, 0 to 1, that start on time, and that delay neither themselves nor the next.
      mean_lateness, worst_lateness: In seconds.
      mean_rate, worst_rate: Speed, as a multiple of the natural speed of the voice.
    """

    utterances: int
    on_time: float
    fitted: float
    mean_lateness: float
    worst_lateness: float
    mean_rate: float
    worst_rate: float


class Job(_Standing):
    """A job; ``duration`` of its recording in seconds, ``progress`` from 0 to 1.

    ``trace_id`` is the id of its trace, None if the operator collects none.
    """

    type: str
    expired: bool = False
    source_language: str
    target_language: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    priority: str = "normal"
    input: JobInput
    models: dict[str, Any] = Field(default_factory=dict)
    warnings: tuple[dict[str, str], ...] = ()
    duration: float | None = None
    dub: Dub | None = None
    revision: int = 0
    trace_id: str | None = None
    cancel_requested_at: datetime | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None


class StageStatus(_Model):
    """The progress of one stage: tasks done, tasks in total, and their ratio."""

    done: float
    total: int
    progress: float


class Status(_Standing):
    """The progress of a job; ``expected_seconds`` until its end are None while they cannot be estimated."""

    queue_position: int | None = None
    expected_seconds: float | None = None
    stages: dict[str, StageStatus] = Field(default_factory=dict)
    dub: Dub | None = None


class Page(_Model):
    """A page of the list of jobs, newest first; ``next_cursor`` asks for the next page."""

    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class Artifact(_Model):
    """A file of a job, ``size`` in bytes; ``partial`` if it is from one chunk of a job that has not completed."""

    name: str
    media_type: str
    size: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    revision: int = 0
    partial: bool = False
    created_at: datetime


class Artifacts(_Model):
    """The files of a job."""

    artifacts: tuple[Artifact, ...]


class Utterance(_Model):
    """A sentence or clause of a job.

    Attributes:
      start, end: In seconds; None in a text.
      confidence: Of the recognition, 0 to 1.
      edited: The fields that were edited.
      pending: True until the edits are in the results.
    """

    id: str
    start: float | None = None
    end: float | None = None
    source: str
    translation: str | None = None
    speaker: str | None = None
    voice: str | None = None
    confidence: float | None = None
    edited: tuple[str, ...] = ()
    pending: bool = False


class Utterances(_Model):
    """The utterances of a job, or a page of them, in one revision of its results; ``edit`` takes the ``etag``."""

    utterances: tuple[Utterance, ...]
    revision: int
    etag: str = ""
    next_cursor: str | None = None


class Delivery(_Model):
    """A webhook of a job; ``url`` without its query.

    Attributes:
      status: pending, delivered or failed.
      next_attempt_at: None unless it is pending.
    """

    id: UUID
    job_id: UUID
    owner: str
    type: str
    url: str
    status: str
    attempts: int
    created_at: datetime
    last_attempt_at: datetime | None = None
    next_attempt_at: datetime | None = None
    response_status: int | None = None
    error: str | None = None


class Deliveries(_Model):
    """A page of the list of webhooks, newest first; ``next_cursor`` asks for the next page."""

    webhooks: tuple[Delivery, ...]
    next_cursor: str | None = None


class LogEntry(_Model):
    """One thing that happened to a job; fields that do not concern it are None.

    Attributes:
      at: Its time; the start of an attempt.
      what: submitted, queued, attempt, cancel_requested, completed, failed, canceled or webhook.
      edits: The number of utterances whose edits a run carries out.
      status: Of an attempt, running or its outcome; of a webhook, as its delivery.
      worker: The place of the worker at its supervisor; ``host`` and ``pid`` only for operators.
      waited_seconds: In the queue, without the pause before a retry.
      seconds: From ``at`` to ``ended_at``.
      next_at: When the next attempt may begin.
    """

    at: datetime
    what: str
    run: int | None = None
    edits: int | None = None
    stage: str | None = None
    chunk: int | None = None
    attempt: int | None = None
    status: str | None = None
    worker: str | None = None
    host: str | None = None
    pid: int | None = None
    waited_seconds: float | None = None
    seconds: float | None = None
    ended_at: datetime | None = None
    next_at: datetime | None = None
    error: JobError | None = None
    webhook_id: UUID | None = None


class LogPage(_Model):
    """A page of a job's log, oldest first; ``next_cursor`` asks for the next page."""

    entries: tuple[LogEntry, ...]
    next_cursor: str | None = None


class Event(_Model):
    """An event of a job; ``id`` counts from 1 within the job."""

    id: int
    type: str
    data: dict[str, Any]
