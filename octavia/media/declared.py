"""Read the length that a file's headers declare, where it is no estimate of FFmpeg's, to detect truncated files."""

import math
import os
import struct
from typing import BinaryIO

from av.audio.stream import AudioStream
from av.container import InputContainer

# Recorders that cannot know the size yet write one of the largest values.
_UNKNOWN_SIZE = 0x7FFF_0000
_TOLERATED_SHARE = 0.02
_EBML_INFO = b"\x15\x49\xa9\x66"
_EBML_DURATION = (b"\x44\x89\x88", b"\x44\x89\x84")
_MP3_COUNTS = (b"Xing", b"Info", b"VBRI")
_OGG_TAIL = 2 * 65_307
_OGG_LAST = 0x04
_MOST_BOXES = 100_000


def declared_seconds(head: bytes, file: BinaryIO, container: InputContainer, stream: AudioStream) -> float | None:
    """Return the seconds of sound (Matroska: of the longest track) that the headers declare.

    Infinity if the file's last part is cut off but the length of the whole is unknown; None if the headers declare
    nothing.

    Parameters:
      head: The file's first 64 KiB.
      file: The file itself; its position is kept.
    """
    names = container.format.name.split(",")
    position = file.tell()
    try:
        if "wav" in names:
            return _riff_seconds(head)
        if "matroska" in names:
            return container.duration / 1e6 if container.duration and _matroska_says(head) else None
        if "avi" in names:
            return math.inf if _riff_is_cut(head, file) else None
        if "ogg" in names:
            return math.inf if _ogg_is_cut(file) else None
        if "mov" in names and stream.frames == 0:
            return math.inf if _fragments_are_cut(file) else None
        if "mov" in names or ("flac" in names and _flac_says(head)) or ("mp3" in names and _mp3_says(head, file)):
            return float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        return None
    finally:
        file.seek(position)


def _riff_seconds(head: bytes) -> float | None:
    """Read a WAV's declared length, which FFmpeg replaces by the file's actual one."""
    if head[:4] != b"RIFF":
        return None
    at, bytes_per_second = 12, 0
    while at + 8 <= len(head):
        kind, size = struct.unpack_from("<4sI", head, at)
        if kind == b"fmt " and at + 20 <= len(head):
            bytes_per_second = struct.unpack_from("<I", head, at + 16)[0]
        if kind == b"data":
            return size / bytes_per_second if bytes_per_second and 0 < size < _UNKNOWN_SIZE else None
        at += 8 + size + size % 2
    return None


def _riff_is_cut(head: bytes, file: BinaryIO) -> bool:
    size: int = struct.unpack_from("<I", head, 4)[0] if len(head) >= 8 else 0
    return size < _UNKNOWN_SIZE and size * (1 - _TOLERATED_SHARE) > file.seek(0, os.SEEK_END)


def _matroska_says(head: bytes) -> bool:
    """Return whether a duration is stored; without one, as in a live recording, FFmpeg guesses by the bit rate."""
    info = head.find(_EBML_INFO)
    return info >= 0 and any(mark in head[info : info + 512] for mark in _EBML_DURATION)


def _flac_says(head: bytes) -> bool:
    """Return whether STREAMINFO gives the number of samples: 36 bits, not 0."""
    start = head.find(b"fLaC")
    info = head[start + 8 : start + 42] if start >= 0 else b""
    return len(info) == 34 and (info[13] & 0x0F > 0 or any(info[14:18]))


def _mp3_says(head: bytes, file: BinaryIO) -> bool:
    """Return whether the first frame gives the number of frames; without it FFmpeg guesses by the bit rate."""
    if head[:3] == b"ID3" and len(head) >= 10:
        file.seek(10 + ((head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9]))
        head = file.read(4096)
    return any(mark in head[:4096] for mark in _MP3_COUNTS)


def _ogg_is_cut(file: BinaryIO) -> bool:
    """Return whether the file ends inside a page that is not marked as the last."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _OGG_TAIL))
    tail = file.read(_OGG_TAIL)
    page = tail[tail.rfind(b"OggS") :] if b"OggS" in tail else b""
    if len(page) < 27:
        return bool(page)
    segments = page[26]
    length = 27 + segments + sum(page[27 : 27 + segments])
    return not page[5] & _OGG_LAST and (len(page) < 27 + segments or len(page) < length)


def _fragments_are_cut(file: BinaryIO) -> bool:
    """Return whether a fragmented MP4's last box extends past the end of the file."""
    end = file.seek(0, os.SEEK_END)
    at = 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return len(header) > 0
        size: int = struct.unpack_from(">I", header)[0]
        if size == 1 and len(header) == 16:
            size = struct.unpack_from(">Q", header, 8)[0]
        if size < 8:
            # 0 means up to the end of the file; other values are no boxes.
            return False
        at += size
        if at >= end:
            return at > end
    return False
