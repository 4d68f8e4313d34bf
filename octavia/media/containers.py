"""The containers of films that Octavia writes, and the tracks that each of them can hold."""

import io
from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, Protocol, cast

import av
from av.container import InputContainer, OutputContainer

from octavia.media.source import is_picture

_WRITE_SIZE = 256 * 1024
# Matroska holds any codec that has a code in Microsoft's lists, as AVI does. FFmpeg writes such tracks, but denies it
# when PyAV asks; its segmenting muxer is never asked. Here it writes one segment, without an end.
_SEGMENTS = {"segment_format": "matroska", "segment_time": "1000000000", "avoid_negative_ts": "disabled"}
_SEGMENT_NAME = "%d"
# Its order of pixels is known by its code alone, and Matroska has not all of them.
_RAW = "rawvideo"


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A video container and the formats of the tracks that Octavia adds to it.

    Attributes:
      muxer: FFmpeg's name of the container.
      voice: Format of the voice, one of ``octavia.media.formats.FORMATS``.
      captions: FFmpeg's codec of the subtitles.
      text: File format in which the subtitles are given.
      text_demuxer: FFmpeg's name of that file format.
    """

    muxer: str
    media_type: str
    voice: str
    captions: Literal["mov_text", "subrip", "webvtt"]
    text: Literal["srt", "vtt"]
    text_demuxer: Literal["srt", "webvtt"]


VIDEO_FORMATS: Final = {
    "mp4": VideoFormat("mp4", "video/mp4", "m4a", "mov_text", "srt", "srt"),
    "mov": VideoFormat("mov", "video/quicktime", "m4a", "mov_text", "srt", "srt"),
    "mkv": VideoFormat("matroska", "video/x-matroska", "opus", "subrip", "srt", "srt"),
    "webm": VideoFormat("webm", "video/webm", "opus", "webvtt", "vtt", "webvtt"),
}
"""Containers by name, which is also the file suffix."""

# Where a picture goes that its own container, or the one for films of its kind, cannot have.
_OTHERS = ("mkv", "mov")


class Target(Protocol):
    """A seekable file that a film is written to, out of order."""

    def write(self, data: bytes) -> int:
        """Write at the current position; returns the bytes written."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position; returns it."""

    def tell(self) -> int:
        """Return the position."""


def video_format(container: str, filename: str, holders: Container[str]) -> tuple[str, bool]:
    """Choose one of ``VIDEO_FORMATS`` for a film; returns it, and whether the film came in that container.

    Parameters:
      container: FFmpeg's name of the film's container, such as ``mov,mp4,m4a,3gp,3g2,mj2``.
      filename: The client's name of the file; its suffix tells apart containers that FFmpeg gives one name.
      holders: The containers that can hold its pictures, as ``holders`` returns them.
    """
    own = _own_format(container.split(","), filename.rpartition(".")[2].lower())
    wanted = _OTHERS if own is None else (own, *_OTHERS)
    chosen = next((name for name in wanted if name in holders), wanted[0])
    return chosen, chosen == own


def _own_format(names: list[str], suffix: str) -> str | None:
    if "mov" in names:
        return "mov" if suffix in ("mov", "qt") else "mp4"
    if "matroska" in names:
        return "webm" if suffix == "webm" else "mkv"
    return None


def holders(film: InputContainer) -> tuple[str, ...]:
    """Return the names of those ``VIDEO_FORMATS`` that can hold all moving pictures of a film."""
    pictures = [stream for stream in film.streams.video if is_picture(stream)]
    return tuple(name for name in VIDEO_FORMATS if all(holds(name, stream) for stream in pictures))


def holds(format: str, stream: Any) -> bool:
    """Return whether a container, one of ``VIDEO_FORMATS``, can hold a track."""
    if stream.codec_context is None:
        return False
    if _is_named(format, stream):
        return True
    return format == "mkv" and _holds_by_code(stream)


def opened(target: Target, format: str, tracks: Iterable[Any], options: dict[str, str]) -> OutputContainer:
    """Open a container for writing.

    Parameters:
      tracks: The tracks that will be copied into it, each of which it ``holds``.
      options: Of the muxer.
    """
    if all(_is_named(format, stream) for stream in tracks):
        muxer = VIDEO_FORMATS[format].muxer
        return av.open(target, "w", format=muxer, container_options=options, buffer_size=_WRITE_SIZE)
    return _segment(target, options)


def add_copy(output: OutputContainer, stream: Any) -> Any:
    """Add a track that is like ``stream``, to copy its packets into it."""
    # Describe the track by its decoder: not every codec that can be read can be encoded.
    copy: Any = output.add_stream_from_template(stream, opaque=True)
    tag = _tag(stream) if stream.type == "video" else None
    # HEVC has two names; Apple's players know this one.
    told = tag == "hvc1" and output.format.name in ("mp4", "mov")
    if tag is not None and (told or stream.codec_context.name == _RAW or output.format.name == "segment"):
        copy.codec_context.codec_tag = tag
    return copy


def _tag(stream: Any) -> str | None:
    """The code that names the codec in the container of the track; None if it is no text."""
    try:
        tag: str = stream.codec_context.codec_tag
    except UnicodeDecodeError:
        return None
    return tag if tag.strip("\0") else None


@cache
def _named(muxer: str) -> frozenset[str]:
    """The codecs for which a container has a name of its own."""
    with av.open(io.BytesIO(), "w", format=muxer) as container:
        return frozenset(container.supported_codecs)


def _is_named(format: str, stream: Any) -> bool:
    name = stream.codec_context.name
    return name in _named(VIDEO_FORMATS[format].muxer) and not (name == _RAW and format == "mkv")


def _holds_by_code(stream: Any) -> bool:
    """Find out by writing a header."""
    try:
        with _segment(io.BytesIO(), {}) as trial:
            add_copy(trial, stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _segment(target: Target, options: dict[str, str]) -> OutputContainer:
    passed = ":".join(f"{name}={value}" for name, value in options.items())
    arguments: dict[str, Any] = {
        "container_options": {**options, **_SEGMENTS, "segment_format_options": passed},
        "buffer_size": _WRITE_SIZE,
        "io_open": lambda url, flags, given: target,
    }
    return cast(OutputContainer, av.open(_SEGMENT_NAME, "w", format="segment", **arguments))
