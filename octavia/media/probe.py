"""Read a file's headers: its length, its tracks and its codec."""

from dataclasses import dataclass
from typing import Any, Self

from octavia.media.containers import holders
from octavia.media.source import Source, open_media
from octavia.media.tracks import SoundTrack


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """The facts that the headers of a file give.

    Attributes:
      duration: Length of the longest stream in seconds; None if the container does not give it.
      audio_start: Seconds from the start of the file to the first sound.
      has_video: True if the file has moving pictures; cover art does not count.
      container: FFmpeg's name of the format, such as ``matroska,webm``.
      codec: FFmpeg's name of the audio codec.
      channels: Number of audio channels.
      rate: Sample rate in Hz.
      sounds: All sound tracks; the facts above are those of the one that ``octavia.media.tracks.choose`` takes.
      film_formats: The containers that can hold its pictures, of ``octavia.media.containers.VIDEO_FORMATS``.
    """

    duration: float | None
    audio_start: float
    has_video: bool
    container: str
    codec: str
    channels: int
    rate: int
    sounds: tuple[SoundTrack, ...]
    film_formats: tuple[str, ...]

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """Build it from the result of ``dataclasses.asdict``, which may have been JSON."""
        sounds = tuple(SoundTrack(**track) for track in value["sounds"])
        return cls(**{**value, "sounds": sounds, "film_formats": tuple(value["film_formats"])})


def probe(source: Source) -> MediaInfo:
    """Read the headers without decoding the whole file.

    Raises:
      InputError: As ``open_media``.
    """
    with open_media(source) as media:
        container, stream = media.container, media.stream
        origin = (container.start_time or 0) / 1e6
        start = stream.start_time * stream.time_base if stream.start_time and stream.time_base else 0
        return MediaInfo(
            duration=container.duration / 1e6 if container.duration else None,
            audio_start=max(0.0, float(start) - origin) if stream.start_time is not None else 0.0,
            has_video=media.has_video,
            container=container.format.name,
            codec=stream.codec_context.name,
            channels=stream.codec_context.channels,
            rate=stream.codec_context.sample_rate,
            sounds=media.tracks,
            film_formats=holders(container) if media.has_video else (),
        )
