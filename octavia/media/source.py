"""Open media from clients: known containers only, and no reference to another file or address is followed."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from octavia.errors import InputError
from octavia.media.bounds import MOST_STREAMS, too_complex
from octavia.media.declared import declared_seconds
from octavia.media.tracks import SoundTrack, choose, is_readable, numbered, sound_tracks

Source = Path | BinaryIO
"""A file's path, or a seekable binary file opened for reading."""

_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dv,eac3,flac,flv,loas,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpc,mpc8,mpeg,mpegts,mxf,ogg,rm,tak,truehd,tta,voc,w64,wav,wv"
)
_OPTIONS = {
    "format_whitelist": _DEMUXERS,
    "protocol_whitelist": "none",
    "enable_drefs": "0",
    "max_streams": str(MOST_STREAMS),
}
_READ_SIZE = 256 * 1024
_SNIFF_SIZE = 64 * 1024
_PLAYLISTS = (b"#extm3u", b"#ext-x-", b"ffconcat", b"[playlist]", b"[reference]", b"<asx", b"<smil", b"v=0", b"file ")
_PLAYLIST_TEXTS = (b"<mpd", b"<smoothstreamingmedia", b"\nfile ", b"\n#ext")
_MOV_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"skip")


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """An open container and its chosen audio stream.

    Attributes:
      tracks: All its sound tracks, in order.
      track: The chosen one.
      has_video: True if it has moving pictures; cover art does not count.
      declared_seconds: As the function ``declared_seconds`` returns it.
      size: Size of the file in bytes.
    """

    container: InputContainer
    stream: AudioStream
    tracks: tuple[SoundTrack, ...]
    track: SoundTrack
    has_video: bool
    declared_seconds: float | None
    size: int


@contextmanager
def open_media(source: Source, track: int | None = None) -> Iterator[OpenMedia]:
    """Open a container and choose its audio stream.

    Parameters:
      track: Number of the sound track, from 1; None leaves the choice to ``choose``.

    Raises:
      InputError: ``empty_file``, ``not_media``, ``no_audio``, ``no_such_track``, ``truncated_media`` or
        ``media_too_complex``.
    """
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        size = file.seek(0, os.SEEK_END)
        head = _sniff(file)
        with _open_container(file, head) as container:
            tracks = sound_tracks(container)
            chosen = choose(tracks) if track is None else numbered(tracks, track)
            stream = _audio_stream(container, chosen)
            has_video = any(is_picture(video) for video in container.streams.video)
            declared = declared_seconds(head, file, container, stream)
            yield OpenMedia(container, stream, tracks, chosen, has_video, declared, size)


def is_picture(video: VideoStream) -> bool:
    """Return whether a video stream has moving pictures, unlike cover art."""
    return not video.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image)


class _Nameless:
    """A file without a name, so that FFmpeg can neither resolve references next to it nor guess by its suffix."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = file.read
        self.tell = file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position; returns -1 for an impossible one, as from a damaged index, which FFmpeg handles."""
        try:
            return self._file.seek(offset, whence)
        except ValueError:
            return -1
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return -1


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("media may not refer to other files")


def _sniff(file: BinaryIO) -> bytes:
    file.seek(0)
    head = file.read(_SNIFF_SIZE)
    file.seek(0)
    if not head:
        raise InputError("The file is empty.", code="empty_file", hint="Use the whole recording.", field="file")
    text = head[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_PLAYLISTS) or (text.startswith(b"<") and any(mark in text for mark in _PLAYLIST_TEXTS)):
        raise InputError(
            "The file is a playlist: it names media, but holds none.",
            code="not_media",
            hint="Playlists and manifests (M3U8, DASH, SDP, concat lists) are not accepted; use the recording itself.",
            field="file",
        )
    return head


def _open_container(file: BinaryIO, head: bytes) -> InputContainer:
    arguments: dict[str, Any] = {"container_options": _OPTIONS, "buffer_size": _READ_SIZE, "io_open": _refuse}
    try:
        container: InputContainer = av.open(_Nameless(file), "r", metadata_errors="replace", **arguments)
    except MemoryError as error:
        raise too_complex("The headers of the file take more memory than those of a recording do.") from error
    except (av.FFmpegError, PermissionError) as error:
        if head[4:8] in _MOV_BOXES:
            # An MP4 with its index at the end.
            raise InputError(
                "The file ends before its index: it was cut off.",
                code="truncated_media",
                hint="Use the whole file.",
                field="file",
            ) from error
        raise InputError(
            "The file is not audio or video in a format that Octavia reads.",
            code="not_media",
            hint="Use a recording such as WAV, MP3, FLAC, Ogg, M4A, MP4, MKV or WebM.",
            field="file",
        ) from error
    return container


def _audio_stream(container: InputContainer, track: SoundTrack) -> AudioStream:
    stream = container.streams.audio[track.number - 1]
    if not is_readable(stream):
        raise InputError(
            "The sound of the file is in a codec, sample rate or channel count that Octavia does not read.",
            code="not_media",
            hint="Convert it, for example to FLAC or MP3.",
            field="file",
        )
    # More threads would not speed up audio, and the sandbox forbids them.
    stream.codec_context.thread_count = 1
    return stream
