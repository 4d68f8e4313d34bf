"""Requests and answers of OpenAI's protocol, limited to the fields that are supported here."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from octavia.api.http.fields import Fields
from octavia.catalog import languages
from octavia.errors import InputError

TextFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


def _language(tag: str) -> str | None:
    """Return a language's code; None for ``auto``, which some clients send instead of nothing."""
    return None if tag.strip().lower() == "auto" else languages.normalize(tag, field="language")


def _english(tag: str) -> str:
    if _language(tag) not in (None, "en"):
        raise ValueError("the translation is into English")
    return tag


def _off(value: bool) -> bool:
    if value:
        raise ValueError("it is not available")
    return value


def _granularities(given: Any) -> Any:
    """Return names from a list, of which some clients send the JSON, or write the names with commas between."""
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        return given
    return [name.strip(' []"') for item in given for name in item.split(",")]


def _voice_id(value: Any) -> Any:
    """Return a voice's name: OpenAI's clients send their users' own voices as ``{"id": …}``."""
    return value["id"] if isinstance(value, dict) and value.keys() == {"id"} else value


Language = Annotated[str, Field(max_length=100), AfterValidator(_language)]
Off = Annotated[bool, AfterValidator(_off)]


class AudioRequest(Fields):
    """The fields that all requests share, among them those of other servers and clients of the protocol."""

    user: str | None = Field(None, description="A name for your user; accepted, but without effect.")
    output_format: str | None = Field(None, description="Another name of response_format, in some clients.")

    @model_validator(mode="before")
    @classmethod
    def _with_one_format(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not values.get("output_format"):
            return values
        named = {**values, "response_format": values.get("response_format") or values["output_format"]}
        if named["response_format"] != values["output_format"]:
            raise InputError(
                "There are two formats.",
                code="not_applicable",
                hint="Send response_format only.",
                field="output_format",
            )
        return named


class RecordingRequest(AudioRequest):
    """The fields beside a recording that transcriptions and translations share."""

    model: str = Field(min_length=1, description="whisper-1, or another id of /v1/models.")
    prompt: str | None = Field(None, description="Words to expect in the recording; the last 1000 characters count.")
    hotwords: str | None = Field(None, description="Words to expect in the recording, as in a prompt.")
    response_format: TextFormat = Field("json", description="One of json, text, srt, verbose_json, vtt.")
    temperature: float = Field(0.0, ge=0, le=1, description="0 to 1; accepted, but without effect.")
    vad_filter: bool | None = Field(None, description="Accepted; recordings are always cut at silences.")
    diarize: Off = Field(False, description="Only false: speakers are not told apart.")
    diarization: Off = Field(False, description="Only false: speakers are not told apart.")


class TranscriptionRequest(RecordingRequest):
    """The fields of a transcription, without its file."""

    language: Language | None = Field(
        None, description="An ISO 639 code such as en; if not given, or auto, it is detected."
    )
    languages: list[Language] | None = Field(None, description="Codes of possible languages; a single one is used.")
    keywords: list[str] | None = Field(None, description="Words to expect in the recording, as in a prompt.")
    timestamp_granularities: Annotated[list[Literal["word", "segment"]], BeforeValidator(_granularities)] = Field(
        ["segment"], description="word, segment or both; words need response_format=verbose_json."
    )
    include: list[Literal["logprobs"]] = Field([], description="logprobs; accepted, but never included in an answer.")
    chunking_strategy: str | None = Field(None, description="Accepted; recordings are always cut at silences.")
    stream: bool = Field(False, description="true for events, with response_format json or text.")
    task: Literal["transcribe"] = Field("transcribe", description="To translate, POST to /v1/audio/translations.")


class TranslationRequest(RecordingRequest):
    """The fields of a translation, without its file."""

    language: Annotated[str, AfterValidator(_english)] | None = Field(
        None, description="Only en or auto: the translation is into English, and the recording's language is detected."
    )
    stream: Off = Field(False, description="Only false: a translation is sent when it is complete.")
    task: Literal["translate"] = Field("translate", description="To transcribe, POST to /v1/audio/transcriptions.")


class SpeechRequest(AudioRequest):
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
    stream: bool | None = Field(None, description="Accepted; speech is sent when it is complete. See stream_format.")
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
