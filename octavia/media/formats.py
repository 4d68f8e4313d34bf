"""The audio formats that Octavia writes, known without loading FFmpeg: requests are checked against them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from octavia.errors import InputError


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """FFmpeg's names of its container and codec, its MIME type, and its bits a second where they are ours to choose."""

    muxer: str
    codec: str
    media_type: str
    bit_rate: int | None = None


FORMATS: Final = {
    "wav": AudioFormat("wav", "pcm_s16le", "audio/wav"),
    "mp3": AudioFormat("mp3", "libmp3lame", "audio/mpeg", 80_000),
    "opus": AudioFormat("ogg", "libopus", "audio/ogg", 40_000),
    "flac": AudioFormat("flac", "flac", "audio/flac"),
    "m4a": AudioFormat("ipod", "aac", "audio/mp4", 80_000),
    "aac": AudioFormat("adts", "aac", "audio/aac", 80_000),
    "pcm": AudioFormat("s16le", "pcm_s16le", "audio/pcm"),
}
"""By name, which is also the file's suffix; ``aac`` is a bare stream (ADTS), ``pcm`` bare samples, 16 bits each."""


def chosen(given: Iterable[str]) -> list[str]:
    """The formats that are asked for, each once; an item may hold several, parted by commas.

    Raises:
      InputError: ``unsupported_format``: there is none of that name, or none is given.
    """
    names = [name.strip().lower() for item in given for name in item.split(",") if name.strip()]
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        raise InputError(
            f"There is no audio format {unknown[0][:40]!r}." if unknown else "No audio format is given.",
            code="unsupported_format",
            hint=f"There are {', '.join(FORMATS)}.",
            field="formats",
        )
    return list(dict.fromkeys(names))
