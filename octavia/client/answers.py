"""What the server answers, as a client sees it.

These are the client's own models, not those of ``octavia.api.schemas``: a client must live with newer servers, so it
passes over fields that it does not know, and takes statuses, stages and kinds of events as plain words.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

ENDED: Final = frozenset({"completed", "failed", "canceled"})
"""The statuses in which a job stays; also the kinds of the events that tell of them."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class JobError(_Model):
    """Why a job failed."""

    code: str
    message: str
    hint: str = ""


class JobInput(_Model):
    """What a job works on; ``size`` and ``sha256`` are None until it is on the server."""

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
        """Whether it stays as it is until somebody asks for another run."""
        return self.status in ENDED


class Dub(_Model):
    """How well a dub keeps to the speaker: shares from 0 to 1, seconds, and multiples of the voice's natural speed."""

    utterances: int
    on_time: float
    fitted: float
    mean_lateness: float
    worst_lateness: float
    mean_rate: float
    worst_rate: float


class Job(_Standing):
    """A job."""

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
    cancel_requested_at: datetime | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None


class StageStatus(_Model):
    """How far one stage is: tasks done, of so many, and that as a fraction."""

    done: float
    total: int
    progress: float


class Status(_Standing):
    """How far a job is; ``expected_seconds`` are None where too little is known to say."""

    queue_position: int | None = None
    expected_seconds: float | None = None
    stages: dict[str, StageStatus] = Field(default_factory=dict)
    dub: Dub | None = None


class Page(_Model):
    """Some jobs, newest first, and where the next ones begin."""

    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class Artifact(_Model):
    """A file that a job made; ``partial``: what a chunk left of a job that did not come to its end."""

    name: str
    media_type: str
    size: int
    sha256: str
    revision: int = 0
    partial: bool = False
    created_at: datetime


class Artifacts(_Model):
    """The files that a job made."""

    artifacts: tuple[Artifact, ...]


class Utterance(_Model):
    """A sentence or clause of a job; ``start`` and ``end``, in seconds, are None in a text.

    ``edited``: what of it was mended; ``pending``: that is still to be carried out.
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
    """All that is said in a job, or a page of it, as a revision of its results has it; ``etag`` is for ``edit``."""

    utterances: tuple[Utterance, ...]
    revision: int
    etag: str = ""
    next_cursor: str | None = None


class Event(_Model):
    """Something that happened to a job: its number within the job, what it is, and what is told of it."""

    id: int
    type: str
    data: dict[str, Any]
