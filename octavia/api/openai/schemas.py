"""What OpenAI's protocol takes and answers, as far as there is something here that does it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from octavia.catalog import languages

TextFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


def _language(tag: str) -> str:
    return languages.normalize(tag, field="language")


def _voice_id(value: Any) -> Any:
    """OpenAI's own voices are named, those of its users come as ``{"id": …}``."""
    return value["id"] if isinstance(value, dict) and value.keys() == {"id"} else value


Language = Annotated[str, Field(max_length=100), AfterValidator(_language)]


class RecordingRequest(BaseModel):
    """The fields beside a recording, but for those of transcriptions alone."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(min_length=1, description="whisper-1, or another id of /v1/models.")
    prompt: str | None = Field(None, description="Words that the recording may have; the last 1000 characters count.")
    response_format: TextFormat = Field("json", description="One of json, text, srt, verbose_json, vtt.")
    temperature: float = Field(0.0, ge=0, le=1, description="0 to 1; it changes nothing here.")


class TranscriptionRequest(RecordingRequest):
    """The fields of a transcription, but for its file."""

    language: Language | None = Field(None, description="An ISO 639 code such as en; left out, it is heard.")
    languages: list[Language] | None = Field(None, description="Codes of what it may be; of a single one, that it is.")
    keywords: list[str] | None = Field(None, description="Words that the recording may have, as in a prompt.")
    timestamp_granularities: list[Literal["word", "segment"]] = Field(
        ["segment"], description="word, segment or both, with response_format=verbose_json."
    )
    include: list[Literal["logprobs"]] = Field([], description="logprobs, which there are none of here.")
    chunking_strategy: str | None = Field(None, description="How it is cut; here always at silences.")
    stream: bool = Field(False, description="true for events, with response_format json or text.")


class SpeechRequest(BaseModel):
    """Text to speak."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(min_length=1, description="tts-1, or another id of /v1/models.")
    input: str = Field(description="The text.")
    voice: Annotated[str, BeforeValidator(_voice_id)] = Field(
        min_length=1, description="alloy or another name of OpenAI's, or the id of a voice of /api/v1/voices."
    )
    language: Language | None = Field(
        None, description="Of the text, for OpenAI's names of voices; not OpenAI's: each of our voices speaks one."
    )
    response_format: SpeechFormat = Field("mp3", description="One of mp3, opus, aac, flac, wav, pcm.")
    speed: float = Field(1.0, ge=0.25, le=4.0, description="0.25 to 4; 1 is natural.")
    instructions: str | None = Field(None, description="How to speak; it changes nothing here.")
    stream_format: Literal["audio", "sse"] = Field("audio", description="audio, or sse for events.")


class UsageOut(BaseModel):
    """What was worked on: ``seconds`` of sound, begun ones counted whole."""

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
    """A word, and when it is said."""

    word: str
    start: float
    end: float


class VerboseOut(BaseModel):
    """A transcript or a translation with times."""

    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    segments: list[SegmentOut] | None = None
    words: list[WordOut] | None = None
    usage: UsageOut
