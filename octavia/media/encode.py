"""Write mono speech to a file, and read back the small files we wrote."""

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast
from uuid import uuid4

import av
import numpy as np
from av.audio.stream import AudioStream

from octavia.engines.types import Samples
from octavia.media.formats import FORMATS
from octavia.media.resample import Resampler, to_frame
from octavia.media.source import Source, open_media


def media_type(format: str) -> str:
    """The MIME type of one of ``FORMATS``."""
    return FORMATS[format].media_type


class Encoder:
    """Writes mono samples, piece by piece, in one of ``FORMATS``; memory does not grow with the length.

    Leaving its ``with`` block normally finishes the file. A ``Path`` appears only then, whole; after an exception there
    is nothing under it. A file object is left open, and after an exception what it holds is no valid file.

    Parameters:
      target: Where to; a file object should be seekable, so that lengths can be written into headers.
      format: One of ``FORMATS``.
      rate: Samples per second of what is written; lossy formats change it to the nearest they know above.

    Raises:
      OSError: From writing, as the file gives it, such as when the disk is full.
    """

    def __init__(self, target: Path | BinaryIO, format: str, rate: int) -> None:
        self.rate = rate
        chosen = FORMATS[format]
        self._path = target if isinstance(target, Path) else None
        self._part = target.with_name(f".{target.name}.{uuid4().hex}.part") if isinstance(target, Path) else None
        self._file = self._part.open("w+b") if self._part else cast(BinaryIO, target)
        self._container = av.open(_Unnamed(self._file), "w", format=chosen.muxer)
        # A plain str: the stubs know each codec's name as a literal.
        codec: Any = chosen.codec
        encoded_rate = _nearest(av.codec.Codec(chosen.codec, "w").audio_rates, rate)
        self._stream = cast(AudioStream, self._container.add_stream(codec, rate=encoded_rate, layout="mono"))
        if chosen.bit_rate:
            self._stream.bit_rate = chosen.bit_rate
        self._position = 0
        self._open = True

    def write(self, samples: Samples) -> None:
        """Append samples of any number."""
        if not len(samples):
            return
        # Whole numbers would wrap round.
        frame = to_frame(np.clip(samples, -1.0, 1.0), self.rate)
        # Without times, what lossy codecs put before the sound would not be known to be too much.
        frame.pts, frame.time_base = self._position, Fraction(1, self.rate)
        self._position += len(samples)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            if self._path and self._part:
                self._file.close()
                os.replace(self._part, self._path)
        except BaseException:
            self._discard()
            raise

    def abandon(self) -> None:
        """Give up: a path gets no file."""
        if self._open:
            self._open = False
            self._discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _discard(self) -> None:
        if self._part:
            self._file.close()
            self._part.unlink(missing_ok=True)


class _Unnamed:
    """The file under no name; what FFmpeg writes after we have given up goes nowhere."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def write(self, data: bytes) -> int:
        return len(data) if self._file.closed else self._file.write(data)


def read_audio(source: Source) -> tuple[Samples, int]:
    """Read a short mono file whole, at its own rate: ``(samples, rate)``.

    In this process, unlike what strangers send: ``Encoder`` wrote it, from samples.

    Raises:
      InputError: The file is not what ``Encoder`` wrote.
    """
    with open_media(source) as media:
        rate = media.stream.rate
        resampler = Resampler(rate)
        pieces = [resampler.push(frame) for frame in media.container.decode(media.stream)]
        pieces.append(resampler.flush())
    return np.concatenate(pieces), rate


def _nearest(rates: list[int] | None, wanted: int) -> int:
    """The lowest supported rate that loses nothing, or the highest there is."""
    if not rates:
        return wanted
    return min((rate for rate in rates if rate >= wanted), default=max(rates))
