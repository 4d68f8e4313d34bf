"""Frozen records: the values that the jobs rooms take and return, never rows of a session."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from sqlmodel import SQLModel

from octavia.errors import OctaviaError
from octavia.jobs.tables.rows import Job, Worker
from octavia.jobs.tables.states import TEXT_KINDS, JobStatus, JobType, Priority, Queue, Stage, chunk_stages
from octavia.storage import StorageFull, StoredObject, no_space
from octavia.text.utterances import PIECE_CHARS
from octavia.tracing import trace_id_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")


def copied(kind: type[Record], row: SQLModel, **computed: Any) -> Record:
    """Copy a row's columns into the fields of these names of a dataclass; ``computed`` gives the other fields."""
    names = [field.name for field in fields(kind) if field.name not in computed]
    values = {name: getattr(row, name) for name in names}
    # The row's own dictionaries stay its own.
    return kind(**{name: dict(it) if isinstance(it, dict) else it for name, it in values.items()}, **computed)


@dataclass(frozen=True, slots=True)
class TaskRef:
    """The name of one task; ``chunk`` is ``WHOLE_JOB`` for prepare, detect and assemble."""

    job_id: UUID
    run: int
    chunk: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """The error of a failed job: a stable code, a sentence, a remedy."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job when it was read: columns of ``rows.Job``, with the error as one field.

    ``expired`` says that ``expires_at`` had passed by the database's clock: its files are gone or about to be removed.
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
    message_format: int
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
    traceparent: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The id of its trace; None if nobody traced when it was submitted."""
        return trace_id_of(self.traceparent)

    @property
    def result_language(self) -> str:
        """The language of the results: the target language, or the source language if no target is named."""
        return self.target_language or self.source_language

    @property
    def from_text(self) -> bool:
        """True if the input is text without times."""
        return bool(self.input["kind"] == "text")

    @property
    def in_one_piece(self) -> bool:
        """True if the input is a short text, kept with the job: see ``piece_input``."""
        return is_one_piece(self.input)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that each chunk goes through."""
        return chunk_stages(self.type, from_text=self.input["kind"] in TEXT_KINDS)

    @classmethod
    def from_row(cls, job: Job, *, expired: bool = False) -> "JobRecord":
        """Copy a row."""
        failed = ErrorRecord(job.error_code, job.error_message or "", job.error_hint or "") if job.error_code else None
        return copied(cls, job, warnings=tuple(map(dict, job.warnings)), error=failed, expired=expired)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A checked request for a job; ``jobs_in_flight`` is the limit of its key, 0 for none."""

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
    """Describe a stored object as a job's ``input``; ``kind`` is ``media``, ``text``, ``subtitles`` or ``url``."""
    return {"kind": kind, "filename": filename, "media_type": media_type, **asdict(stored)}


def piece_input(text: str, *, filename: str, media_type: str) -> dict[str, Any] | None:
    """Describe a text as a job's ``input`` that holds it; None if it is too long to be one piece.

    Such a job is planned when it is made: its tasks read the text from the job, the first one chooses the models, as
    ``prepare`` does for others, and the last one writes the results, as ``assemble`` does.
    """
    if len(text) > PIECE_CHARS or "\0" in text:  # which PostgreSQL cannot keep
        return None
    data = text.encode()
    described = {"kind": "text", "filename": filename, "media_type": media_type, "text": text}
    return {**described, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def is_one_piece(given: Mapping[str, Any]) -> bool:
    """Return whether a job's ``input`` comes from ``piece_input``."""
    return "text" in given


@dataclass(frozen=True, slots=True)
class Claim:
    """A task that this worker holds while it renews the lease.

    Parameters:
      attempt: Only grows. Every later call must show it, so that a worker that lost the task cannot change it.
      seconds: Media that the task works on; 0 if unknown.
    """

    task_id: UUID
    ref: TaskRef
    attempt: int
    seconds: float
    job: JobRecord


@dataclass(frozen=True, slots=True)
class Renewal:
    """The answer to a renewal: is the lease still this attempt's, and must it stop, as the result is not wanted?"""

    alive: bool
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """A file that a task made; ``size`` in bytes.

    Parameters:
      published: Makes it a result of the next revision.
      content: Its bytes, if its row holds them; None: they are in the storage.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    storage_key: str
    published: bool = False
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """One chunk: number from 0, start and length in seconds."""

    index: int
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class HeardSegment:
    """A recognised segment: its number in the chunk, from 0, and its start and end in seconds of the recording."""

    index: int
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of ``prepare``; ``language`` is None if only listening can tell it.

    While ``prepare`` reads the recording, ``chunks`` are those cut so far, and ``duration`` is None.
    """

    chunks: tuple[ChunkPlan, ...]
    duration: float | None
    language: str | None
    models: dict[str, Any]
    warnings: tuple[dict[str, str], ...]
    needs_detect: bool = False


@dataclass(frozen=True, slots=True)
class Detected:
    """The result of ``detect``; ``models`` are added to those that prepare pinned."""

    language: str
    models: dict[str, Any]
    warnings: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of a failed attempt."""

    code: str
    message: str
    hint: str
    retryable: bool

    @classmethod
    def of(cls, error: BaseException, job_id: UUID) -> "Failure":
        """Describe an error. Errors of this project say if they are retryable; any other is retried.

        The words of any other stay in the log: they may name files, or quote what somebody sent.
        """
        if isinstance(error, OctaviaError):
            return cls(error.code, error.message, error.hint, error.retryable)
        if no_space(error):
            # Not the store's disk, which raises StorageFull: results are made in temporary files first.
            hint = "Free space in the worker's data folder (OCTAVIA_DATA_DIR), then start the job again."
            return cls(StorageFull.code, "The worker's disk is full.", hint, StorageFull.retryable)
        if isinstance(error, MemoryError):
            hint = "Give the machine more memory, or take a smaller model or fewer worker slots; then retry the job."
            return cls("internal_error", "The worker ran out of memory.", hint, True)
        hint = f"Report it with the lines of the worker's log for the job {job_id}."
        return cls("internal_error", "Something went wrong in the worker.", hint, True)


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a worker process that held a task; ``how`` continues the words "the worker process"."""

    how: str
    hint: str


class Disposition(StrEnum):
    """The outcome of a failed attempt."""

    RETRYING = "retrying"
    FAILED = "failed"
    CANCELED = "canceled"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A leased outbox row: an encoded message, its logical queue and its priority level, 1–3."""

    id: int
    queue: Queue
    priority: int
    message: bytes


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event of a job; ``seq`` counts from 1 within the job."""

    job_id: UUID
    seq: int
    type: str
    data: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker process when last seen; ``memory`` in resident bytes.

    One without a pid stands for processes that die whenever they are started; it serves no queue.
    """

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
