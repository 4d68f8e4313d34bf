"""What comes in and what goes out, as types."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from octavia import glossaries, signing
from octavia.api import checks
from octavia.catalog import languages
from octavia.errors import InputError
from octavia.jobs.queries import ArtifactRecord
from octavia.jobs.records import ErrorRecord, JobRecord
from octavia.jobs.standing import Standing
from octavia.jobs.states import AudioTracks, Background, JobStatus, JobType, Priority, Stage
from octavia.links import API as API
from octavia.links import job_links
from octavia.links import job_url as job_url
from octavia.media.formats import FORMATS


def _source(tag: str) -> str:
    return "auto" if tag.strip().lower() == "auto" else languages.normalize(tag, field="source_language")


def _target(tag: str) -> str:
    return languages.normalize(tag, field="target_language")


def _vocabulary(words: Any) -> Any:
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        words = ", ".join(words)
    if isinstance(words, str):
        checks.check_text(words, field="vocabulary")
    return words


def _iso(moment: Any) -> Any:
    """A bare number would be taken for seconds since 1970."""
    if isinstance(moment, str) and moment.replace(".", "", 1).lstrip("+-").isdigit():
        raise ValueError("a number is no time")
    return moment


def _utc(moment: datetime) -> datetime:
    """Times without a zone are UTC."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("there is no such time in UTC") from None


def _secret(text: str) -> str:
    try:
        return signing.check_secret(text)
    except ValueError as error:
        raise InputError(
            f"The webhook_secret is not one: {error}.",
            code="invalid_field",
            hint="Make one from random bytes; with OpenSSL: echo whsec_$(openssl rand -base64 32).",
            field="webhook_secret",
        ) from None


InputFormat = Literal["media", "srt", "vtt", "json"]


class JobRequest(BaseModel):
    """The fields of a new job, but for its file. The descriptions are shown to whoever gets one wrong."""

    model_config = ConfigDict(extra="forbid")

    type: JobType = Field(description=f"One of {', '.join(JobType)}.")
    text: str | None = Field(None, description="What to translate or speak, instead of a file; in JSON requests.")
    input_url: str | None = Field(
        None, max_length=2000, description="Where a recording is fetched, instead of a file; in JSON requests."
    )
    input_format: InputFormat | None = Field(
        None,
        description="What the file, or the text, is: media, srt, vtt, or json for a transcript.json. "
        "If not given, subtitles are known by their beginning.",
    )
    source_language: Annotated[str, Field(max_length=100), AfterValidator(_source)] = Field(
        "auto", description="An ISO 639 code such as en, or auto to hear which it is."
    )
    target_language: Annotated[str, Field(max_length=100), AfterValidator(_target)] | None = Field(
        None, description="An ISO 639 code such as es."
    )
    voice: str | None = Field(
        None, pattern=r"^[\w./-]{1,100}$", description=f"The id of a voice; {API}/voices lists them."
    )
    formats: Annotated[list[str], BeforeValidator(checks.audio_formats)] | None = Field(
        None, description=f"Any of {', '.join(FORMATS)}."
    )
    priority: Priority = Field(Priority.NORMAL, description=f"One of {', '.join(Priority)}.")
    metadata: Annotated[dict[str, Any], BeforeValidator(checks.metadata)] = Field(
        default_factory=dict, description="A JSON object of yours, kept with the job."
    )
    start: bool = Field(True, description="true, or false to only upload.")
    beam_size: int | None = Field(None, ge=1, le=10, description="How widely speech is searched, 1 to 10.")
    vocabulary: Annotated[str, Field(max_length=1000), BeforeValidator(_vocabulary)] | None = Field(
        None, description="Words that the recording may have, a list or a text, at most 1000 characters."
    )
    glossary: Annotated[dict[str, str] | None, BeforeValidator(checks.glossary)] = Field(
        None,
        description=f"What terms become in the translation: a JSON object of at most {glossaries.MOST_TERMS} pairs of "
        f"texts, each of at most {glossaries.LONGEST} characters.",
    )
    max_line_length: int | None = Field(None, ge=20, le=100, description="Columns of a subtitle's line, 20 to 100.")
    voices: Annotated[dict[str, str] | None, BeforeValidator(checks.voices)] = Field(
        None,
        description="Who speaks for whom: a JSON object of at most 100 speakers, as subtitles or a transcript "
        "name them, and the ids of their voices.",
    )
    speed: float | None = Field(None, ge=0.25, le=4.0, description="Of the voice, 0.25 to 4; 1 is natural.")
    revoice: bool = Field(False, description="true to dub into the same language with another voice.")
    background: Background | None = Field(
        None, description="The original under a dub: keep, duck (quieter while the dub speaks) or none."
    )
    background_level: float | None = Field(
        None, ge=-60, le=0, description="How loud that is, -60 to 0 dB; with duck, while the dub speaks."
    )
    audio_tracks: AudioTracks | None = Field(None, description="add the dub to a film's own sound, or replace it.")
    webhook_url: str | None = Field(None, max_length=2000, description="Where the end of the job is told.")
    webhook_secret: Annotated[str, AfterValidator(_secret)] | None = Field(
        None, repr=False, max_length=200, description="What signs that: whsec_ and the base64 of 24 to 64 random bytes."
    )


class ListRequest(BaseModel):
    """The query of a list of jobs."""

    model_config = ConfigDict(extra="forbid")

    status: JobStatus | None = Field(None, description=f"One of {', '.join(JobStatus)}.")
    type: JobType | None = Field(None, description=f"One of {', '.join(JobType)}.")
    priority: Priority | None = Field(None, description=f"One of {', '.join(Priority)}.")
    created_after: Annotated[datetime, BeforeValidator(_iso), AfterValidator(_utc)] | None = Field(
        None, description="The earliest time of submission, in ISO 8601."
    )
    created_before: Annotated[datetime, BeforeValidator(_iso), AfterValidator(_utc)] | None = Field(
        None, description="The time of submission that is too late, in ISO 8601."
    )
    cursor: str | None = Field(None, max_length=100, description="The next_cursor of the page before.")
    limit: int = Field(50, ge=1, le=100, description="Jobs on a page, 1 to 100.")


class RetryRequest(BaseModel):
    """From where a job is run again."""

    model_config = ConfigDict(extra="forbid")

    from_stage: Stage | None = Field(
        None, alias="from", description=f"The stage to redo with all after it: one of {', '.join(Stage)}."
    )


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
    def of(cls, standing: Standing, expected: float | None) -> "StatusOut":
        """From what the queries give."""
        job = standing.job
        return cls(
            id=job.id,
            status=job.status,
            stage=job.stage,
            progress=job.progress,
            queue_position=standing.position,
            expected_seconds=expected,
            stages={
                stage: StageOut(done=part.done, total=part.total, progress=part.done / part.total)
                for stage, part in standing.stages.items()
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
