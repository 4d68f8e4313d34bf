"""Bare AAC (ADTS): a stream of frames, each with a header, so that pieces of a track play one behind the other."""

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np

FORMAT: Final = "aac"
"""The name of the format among those of ``octavia.media.formats``."""

_SAMPLES: Final = 1024
_HEADER: Final = 7
_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


def silence(seconds: float, rate: int) -> bytes:
    """Return whole frames of silence, at most so many seconds of them."""
    return _silent_frame(rate) * max(0, int(seconds * rate / _SAMPLES))


def seconds_of(stream: bytes) -> float:
    """Return the length of a stream that ``Encoder`` wrote."""
    return sum(_SAMPLES / _rate(frame) for frame in _frames(stream))


def _frames(stream: bytes) -> Iterator[bytes]:
    start = 0
    while start + _HEADER <= len(stream):
        size = (stream[start + 3] & 0b11) << 11 | stream[start + 4] << 3 | stream[start + 5] >> 5
        yield stream[start : start + size]
        start += size


def _rate(frame: bytes) -> int:
    return _RATES[frame[2] >> 2 & 0b1111]


@lru_cache(maxsize=4)
def _silent_frame(rate: int) -> bytes:
    """A frame from the middle of a second of silence: it needs none before it."""
    # Imported here, so that reading streams does not load FFmpeg.
    from octavia.media.encode import Encoder

    target = io.BytesIO()
    with Encoder(target, FORMAT, rate) as encoder:
        encoder.write(np.zeros(rate, np.float32))
    frames = list(_frames(target.getvalue()))
    return frames[len(frames) // 2]
