"""Models of requests about jobs; a field's description is the hint of its errors."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from octavia import signing
from octavia.api.http import checks
from octavia.api.http.fields import Fields
from octavia.catalog import languages
from octavia.errors import InputError
from octavia.jobs.tables.states import AudioTracks, Background, JobStatus, JobType, Priority, Stage
from octavia.links import API
from octavia.media.bounds import MOST_STREAMS
from octavia.media.formats import FORMATS
from octavia.text import glossaries
from octavia.text.cue_files import CueFormat


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
    """Refuse bare numbers, which pydantic would take for seconds since 1970."""
    if isinstance(moment, str) and moment.replace(".", "", 1).lstrip("+-").isdigit():
        raise ValueError("a number is not a time")
    return moment


def _utc(moment: datetime) -> datetime:
    """Return a time in UTC, which is assumed for times without a zone."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range in UTC") from None


def _secret(text: str) -> str:
    try:
        return signing.check_secret(text)
    except ValueError as error:
        raise InputError(
            f"The webhook_secret is not valid: {error}.",
            code="invalid_field",
            hint="Make it from random bytes; with OpenSSL: echo whsec_$(openssl rand -base64 32).",
            field="webhook_secret",
        ) from None


InputFormat = Literal["media", CueFormat]


class JobRequest(Fields):
    """The fields of a new job, except its file."""

    type: JobType = Field(description=f"One of {', '.join(JobType)}.")
    text: str | None = Field(None, description="Text to translate or speak, instead of a file; in JSON requests.")
    input_url: str | None = Field(
        None, max_length=2000, description="Address of a recording to download, instead of a file; in JSON requests."
    )
    input_format: InputFormat | None = Field(
        None,
        description="Format of the file or text: media, srt, vtt, ass (SubStation Alpha), ttml, sbv (SubViewer), lrc, "
        "sub (MicroDVD), or json for a transcript.json. If not given, subtitles are recognized by their first lines "
        "and the file's name.",
    )
    source_language: Annotated[str, Field(max_length=100), AfterValidator(_source)] = Field(
        "auto", description="An ISO 639 code such as en, or auto to detect it from speech."
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
        default_factory=dict, description="A JSON object of your own, stored with the job."
    )
    start: bool = Field(True, description="true, or false to upload without starting the job.")
    beam_size: int | None = Field(None, ge=1, le=10, description="Beam size of speech recognition, 1 to 10.")
    vocabulary: Annotated[str, Field(max_length=1000), BeforeValidator(_vocabulary)] | None = Field(
        None, description="Words that the recording may contain, a list or a text, at most 1000 characters."
    )
    glossary: Annotated[dict[str, str] | None, BeforeValidator(checks.glossary)] = Field(
        None,
        description=f"Translations of terms: a JSON object of at most {glossaries.MOST_TERMS} pairs of texts, "
        f"each of at most {glossaries.LONGEST} characters.",
    )
    max_line_length: int | None = Field(None, ge=20, le=100, description="Columns of a line of subtitles, 20 to 100.")
    voices: Annotated[dict[str, str] | None, BeforeValidator(checks.voices)] = Field(
        None,
        description="Voices of speakers: a JSON object of at most 100 speakers, as named in the subtitles or "
        "transcript, with the ids of their voices.",
    )
    speed: float | None = Field(None, ge=0.25, le=4.0, description="Speed of the voice, 0.25 to 4; 1 is natural.")
    revoice: bool = Field(False, description="true to dub into the same language with another voice.")
    background: Background | None = Field(
        None, description="Original sound under a dub: keep, duck (quieter while the dub speaks) or none."
    )
    background_level: float | None = Field(
        None, ge=-60, le=0, description="Level of the original sound, -60 to 0 dB; with duck, while the dub speaks."
    )
    audio_track: int | None = Field(
        None,
        ge=1,
        le=MOST_STREAMS,
        description="Number of the sound track of a recording to work on, from 1. If not given, it is the one in the "
        "source language, else the default one, else the first that is no commentary or description.",
    )
    audio_tracks: AudioTracks | None = Field(None, description="add the dub to a film's audio tracks, or replace them.")
    webhook_url: str | None = Field(None, max_length=2000, description="Address that is notified of the job's end.")
    webhook_secret: Annotated[str, AfterValidator(_secret)] | None = Field(
        None,
        repr=False,
        max_length=200,
        description="Signs the webhook: whsec_ and the base64 of 24 to 64 random bytes.",
    )

    @classmethod
    def matters(cls, name: str, values: dict[str, Any]) -> bool:
        """Return whether an empty field counts: an empty text does, if it is all that there is to work on."""
        return super().matters(name, values) or (
            values.get(name) == "" and name == "text" and not values.get("input_url")
        )


class ListRequest(Fields):
    """The query of a list of jobs."""

    status: JobStatus | None = Field(None, description=f"One of {', '.join(JobStatus)}.")
    type: JobType | None = Field(None, description=f"One of {', '.join(JobType)}.")
    priority: Priority | None = Field(None, description=f"One of {', '.join(Priority)}.")
    created_after: Annotated[datetime, BeforeValidator(_iso), AfterValidator(_utc)] | None = Field(
        None, description="Only jobs submitted at this time or later, in ISO 8601."
    )
    created_before: Annotated[datetime, BeforeValidator(_iso), AfterValidator(_utc)] | None = Field(
        None, description="Only jobs submitted before this time, in ISO 8601."
    )
    cursor: str | None = Field(None, max_length=100, description="The next_cursor of the previous page.")
    limit: int = Field(50, ge=1, le=100, description="Jobs per page, 1 to 100.")


class RetryRequest(Fields):
    """The stage from which a job is run again."""

    from_stage: Stage | None = Field(
        None, alias="from", description=f"The stage to repeat, with all later ones: one of {', '.join(Stage)}."
    )
