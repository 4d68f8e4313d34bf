"""What goes into and comes out of this room: frozen records, never rows."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import SQLModel

from octavia.errors import OctaviaError
from octavia.jobs.tables.rows import Job, Worker
from octavia.jobs.tables.states import TEXT_KINDS, JobStatus, JobType, Priority, Queue, Stage, chunk_stages
from octavia.storage import StorageFull, StoredObject, no_space

Record = TypeVar("Record")


def copied(kind: type[Record], row: SQLModel, **computed: Any) -> Record:
    """Copy a row's columns into the fields of these names of a record.

    Parameters:
      kind: A dataclass.
      computed: Values of the fields that are not copied.
    """
    names = [field.name for field in fields(kind) if field.name not in computed]  # type: ignore[arg-type]
    values = {name: getattr(row, name) for name in names}
    # The row's own dictionaries stay its own.
    return kind(**{name: dict(it) if isinstance(it, dict) else it for name, it in values.items()}, **computed)


@dataclass(frozen=True, slots=True)
class TaskRef:
    """Names one task; ``chunk`` is ``WHOLE_JOB`` for prepare, detect and assemble."""

    job_id: UUID
    run: int
    chunk: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """Why a job failed: stable code, sentence, remedy."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it stood when it was read; the columns of ``models.Job`` and its error in one.

    ``expired``: it was past its time then, by the database's clock; retention removes its files soon, if not yet.
    """

    id: UUID
    owner: str
    type: JobType
    status: JobStatus
    source_language: str
    target_language: str | None
    options: dict[str, Any]
    priority: int
    input: dict[str, Any]
    meta: dict[str, Any]
    models: dict[str, Any]
    warnings: tuple[dict[str, str], ...]
    duration: float | None
    progress: float
    stage: Stage | None
    error: ErrorRecord | None
    run: int
    revision: int
    chunks_total: int | None
    mending: bool
    event_seq: int
    cancel_requested_at: datetime | None
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    deleted_at: datetime | None
    expired: bool = False
    dub: dict[str, float] | None = None

    @property
    def result_language(self) -> str:
        """The language of what the job makes: its target, or the source's own where none is named."""
        return self.target_language or self.source_language

    @property
    def from_text(self) -> bool:
        """Whether it works on text without times."""
        return bool(self.input["kind"] == "text")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that each of its chunks goes through."""
        return chunk_stages(self.type, from_text=self.input["kind"] in TEXT_KINDS)

    @classmethod
    def from_row(cls, job: Job, *, expired: bool = False) -> "JobRecord":
        """Copy a row."""
        failed = ErrorRecord(job.error_code, job.error_message or "", job.error_hint or "") if job.error_code else None
        return copied(cls, job, warnings=tuple(map(dict, job.warnings)), error=failed, expired=expired)


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a client asks for, already checked; ``jobs_in_flight``: the most that its key may have; 0: no limit."""

    type: JobType
    source_language: str = "auto"
    target_language: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    input: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    owner: str = "local"
    key_id: UUID | None = None
    jobs_in_flight: int = 0
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)


def stored_input(kind: str, stored: StoredObject, *, filename: str, media_type: str) -> dict[str, Any]:
    """What a job's ``input`` says of the object it works on.

    Parameters:
      kind: ``media``, ``text``, ``subtitles`` or ``url``.
    """
    return {
        "kind": kind,
        "key": stored.key,
        "filename": filename,
        "media_type": media_type,
        "size": stored.size,
        "sha256": stored.sha256,
    }


@dataclass(frozen=True, slots=True)
class Claim:
    """A task that is ours as long as its lease is renewed.

    ``attempt`` is the fence that every later call must show; it only grows. ``seconds`` of media the task works on,
    0 if unknown.
    """

    task_id: UUID
    ref: TaskRef
    attempt: int
    seconds: float
    job: JobRecord


@dataclass(frozen=True, slots=True)
class Renewal:
    """``alive``: the lease is still ours. ``cancel_requested``: stop at the next piece, nobody wants the result."""

    alive: bool
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """A stored file that a task made; ``size`` in bytes. ``published``: a result of the job's next revision."""

    name: str
    media_type: str
    size: int
    sha256: str
    storage_key: str
    published: bool = False


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """One chunk: its number from 0, where it starts and how long it is, in seconds."""

    index: int
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class HeardSegment:
    """A segment that was recognised in a chunk: its number there, from 0, and its seconds within the recording."""

    index: int
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``prepare`` found out; ``language`` when it is known without listening."""

    chunks: tuple[ChunkPlan, ...]
    duration: float | None
    language: str | None
    models: dict[str, Any]
    warnings: tuple[dict[str, str], ...]
    needs_detect: bool = False


@dataclass(frozen=True, slots=True)
class Detected:
    """What ``detect`` heard; ``models`` are added to those that prepare pinned."""

    language: str
    models: dict[str, Any]
    warnings: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed."""

    code: str
    message: str
    hint: str
    retryable: bool

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Ours say whether another attempt may mend them; of anything else we do not know, so it is tried again."""
        if isinstance(error, OctaviaError):
            return cls(error.code, error.message, error.hint, error.retryable)
        if no_space(error):
            # Not the store's, then: results are made in the temporary folder first.
            hint = "Free space where the worker keeps temporary files (TMPDIR), then start the job again."
            return cls(StorageFull.code, f"The worker's disk is full: {error}", hint, StorageFull.retryable)
        if isinstance(error, MemoryError):
            hint = "Give the machine more memory, or take a smaller model or fewer worker slots; then retry the job."
            return cls("internal_error", "The worker ran out of memory.", hint, True)
        return cls("internal_error", f"{type(error).__name__}: {error}", "Look into the worker's log.", True)


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker process ended that had a task in hand: ``how`` goes on from "the worker process"."""

    how: str
    hint: str


class Disposition(StrEnum):
    """What became of a failed attempt."""

    RETRYING = "retrying"
    FAILED = "failed"
    CANCELED = "canceled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A leased outbox row: an encoded message with its logical queue and priority level 1–3."""

    id: int
    queue: Queue
    priority: int
    message: bytes


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened to a job; ``seq`` counts from 1 within the job."""

    job_id: UUID
    seq: int
    type: str
    data: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker process as it was last seen; ``memory`` in resident bytes."""

    id: str
    host: str
    pid: int
    queues: tuple[str, ...]
    task_id: UUID | None
    memory: int
    seen_at: datetime

    @classmethod
    def from_row(cls, worker: Worker) -> "WorkerRecord":
        """Copy a row."""
        return copied(cls, worker, queues=tuple(worker.queues.split(",")) if worker.queues else ())
