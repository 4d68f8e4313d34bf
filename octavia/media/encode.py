"""Write mono speech to a file, and read back small files that Octavia wrote."""

import io
from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import av
import numpy as np
from av.audio.stream import AudioStream

from octavia.engines.types import Samples
from octavia.files import written_whole
from octavia.media.formats import FORMATS
from octavia.media.resample import Resampler, to_frame
from octavia.media.source import Source, open_media


def flac(samples: Samples, rate: int) -> bytes:
    """Encode mono samples as a FLAC file."""
    target = io.BytesIO()
    with Encoder(target, "flac", rate) as encoder:
        encoder.write(samples)
    return target.getvalue()


class Encoder:
    """Writes mono samples, piece by piece, in one of ``FORMATS``; memory does not grow with the length.

    Leaving its ``with`` block normally finishes the file: a ``Path`` appears only then, whole, and not at all after an
    exception. A file object is left open; after an exception its content is no valid file.

    Parameters:
      target: A path, or a file object, which should be seekable so that headers can be completed.
      format: One of ``FORMATS``.
      rate: Samples per second of the input; lossy formats store the next higher rate that they support.
      options: The codec's own settings, by FFmpeg's names.

    Raises:
      OSError: The file cannot be written, for example because the disk is full.
    """

    def __init__(
        self, target: Path | BinaryIO, format: str, rate: int, *, options: Mapping[str, str] | None = None
    ) -> None:
        self.rate = rate
        chosen = FORMATS[format]
        with ExitStack() as stack:
            file = stack.enter_context(written_whole(target)) if isinstance(target, Path) else target
            self._container = av.open(_Unnamed(file), "w", format=chosen.muxer)
            # A plain str: the stubs know each codec's name as a literal.
            codec: Any = chosen.codec
            encoded_rate = _nearest(av.codec.Codec(chosen.codec, "w").audio_rates, rate)
            self._stream = cast(AudioStream, self._container.add_stream(codec, rate=encoded_rate, layout="mono"))
            self._stream.options = dict(options or {})
            if chosen.bit_rate:
                self._stream.bit_rate = chosen.bit_rate
            self._file = stack.pop_all()
        self._position = 0
        self._open = True

    def write(self, samples: Samples) -> None:
        """Append any number of samples; values beyond [-1, 1] are clipped."""
        if not len(samples):
            return
        # Integer samples would wrap around.
        frame = to_frame(np.clip(samples, -1.0, 1.0), self.rate)
        # Without times, players would not know how much padding a lossy codec puts before the sound.
        frame.pts, frame.time_base = self._position, Fraction(1, self.rate)
        self._position += len(samples)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        with self._file:
            self._container.mux(self._stream.encode(None))
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._open:
            self._open = False
            self._file.__exit__(kind, error, trace)


class _Unnamed:
    """A file without a name; bytes that FFmpeg writes after the file was closed are dropped."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def write(self, data: bytes) -> int:
        return len(data) if self._file.closed else self._file.write(data)


def read_audio(source: Source) -> tuple[Samples, int]:
    """Read a short mono file whole, at its own rate: ``(samples, rate)``.

    It is decoded in this process, which is safe only for files that ``Encoder`` wrote.

    Raises:
      InputError: The file was not written by ``Encoder``.
    """
    with open_media(source) as media:
        rate = media.stream.rate
        resampler = Resampler(rate)
        pieces = [resampler.push(frame) for frame in media.container.decode(media.stream)]
        pieces.append(resampler.flush())
    return np.concatenate(pieces), rate


def _nearest(rates: list[int] | None, wanted: int) -> int:
    """Return the lowest supported rate that is high enough, else the highest."""
    if not rates:
        return wanted
    return min((rate for rate in rates if rate >= wanted), default=max(rates))
