"""Read a file's headers: its length, its tracks and its codec."""

from dataclasses import dataclass

from octavia.media.source import Source, open_media


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
    """

    duration: float | None
    audio_start: float
    has_video: bool
    container: str
    codec: str
    channels: int
    rate: int


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
        )
