"""The audio formats that Octavia writes; requests are checked against them without loading FFmpeg."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from octavia.errors import InputError


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """FFmpeg's names of the container and codec, the MIME type, and the bits per second of a lossy codec."""

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
"""Formats by name, which is also the file suffix; ``aac`` is a bare stream (ADTS), ``pcm`` bare 16-bit samples."""


def chosen(given: Iterable[str]) -> list[str]:
    """Return the requested formats, each once.

    Parameters:
      given: Names of formats; an item may hold several, separated by commas.

    Raises:
      InputError: ``unsupported_format``: a name is unknown, or none is given.
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
