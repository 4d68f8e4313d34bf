"""Requests and answers of OpenAI's protocol, limited to the fields that are supported here."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from octavia.catalog import languages

TextFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


def _language(tag: str) -> str:
    return languages.normalize(tag, field="language")


def _voice_id(value: Any) -> Any:
    """Return a voice's name: OpenAI's clients send their users' own voices as ``{"id": …}``."""
    return value["id"] if isinstance(value, dict) and value.keys() == {"id"} else value


Language = Annotated[str, Field(max_length=100), AfterValidator(_language)]


class RecordingRequest(BaseModel, extra="forbid"):
    """The fields beside a recording that transcriptions and translations share."""

    model: str = Field(min_length=1, description="whisper-1, or another id of /v1/models.")
    prompt: str | None = Field(None, description="Words to expect in the recording; the last 1000 characters count.")
    response_format: TextFormat = Field("json", description="One of json, text, srt, verbose_json, vtt.")
    temperature: float = Field(0.0, ge=0, le=1, description="0 to 1; accepted, but without effect.")


class TranscriptionRequest(RecordingRequest):
    """The fields of a transcription, without its file."""

    language: Language | None = Field(None, description="An ISO 639 code such as en; if not given, it is detected.")
    languages: list[Language] | None = Field(None, description="Codes of possible languages; a single one is used.")
    keywords: list[str] | None = Field(None, description="Words to expect in the recording, as in a prompt.")
    timestamp_granularities: list[Literal["word", "segment"]] = Field(
        ["segment"], description="word, segment or both, with response_format=verbose_json."
    )
    include: list[Literal["logprobs"]] = Field([], description="logprobs; accepted, but never included in an answer.")
    chunking_strategy: str | None = Field(None, description="Accepted; recordings are always cut at silences.")
    stream: bool = Field(False, description="true for events, with response_format json or text.")


class SpeechRequest(BaseModel, extra="forbid"):
    """Text to speak."""

    model: str = Field(min_length=1, description="tts-1, or another id of /v1/models.")
    input: str = Field(description="The text.")
    voice: Annotated[str, BeforeValidator(_voice_id)] = Field(
        min_length=1, description="alloy or another of OpenAI's names, or the id of a voice from /api/v1/voices."
    )
    language: Language | None = Field(
        None, description="The text's language, for OpenAI's names of voices; not part of OpenAI's API."
    )
    response_format: SpeechFormat = Field("mp3", description="One of mp3, opus, aac, flac, wav, pcm.")
    speed: float = Field(1.0, ge=0.25, le=4.0, description="0.25 to 4; 1 is natural.")
    instructions: str | None = Field(None, description="How to speak; accepted, but without effect.")
    stream_format: Literal["audio", "sse"] = Field("audio", description="audio, or sse for events.")


class UsageOut(BaseModel):
    """The length of the recording in seconds, rounded up."""

    type: Literal["duration"] = "duration"
    seconds: int


class TextOut(BaseModel):
    """A transcript."""

    text: str
    usage: UsageOut


class SegmentOut(BaseModel):
    """A segment; its tokens are not kept."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int] = []
    temperature: float = 0.0
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class WordOut(BaseModel):
    """A word and its times in seconds."""

    word: str
    start: float
    end: float


class VerboseOut(BaseModel):
    """A transcript or a translation with timestamps."""

    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    segments: list[SegmentOut] | None = None
    words: list[WordOut] | None = None
    usage: UsageOut
