"""Any recording to mono samples, streamed, in time with its video."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Discard

from octavia.engines.types import SPEECH_RATE, Samples
from octavia.errors import InputError
from octavia.media.bounds import MOST_CHANNELS, RATES, silence_allowed, too_complex, too_long
from octavia.media.resample import Resampler
from octavia.media.source import OpenMedia, Source, open_media

# Containers round times to milliseconds and codecs have delays; less than this is no gap.
_GAP = 0.1
# What a container without a length may leave out at once; with a length, that is the bound.
_LONGEST_GAP = 600.0
# Containers that store times; in others FFmpeg counts them up, and a gap would be its own mistake.
_TIMED = frozenset({"mov", "matroska", "mpegts", "mpeg", "asf", "flv", "ogg", "mxf"})
_TOLERATED_SECONDS = 1.0
_TOLERATED_SHARE = 0.02


def decode(source: Source, *, rate: int = SPEECH_RATE, longest: float = math.inf) -> Iterator[Samples]:
    """Yield the sound as mono blocks of at most one second at ``rate`` Hz; memory does not grow with the length.

    Sample 0 is the start of the whole file: sound that starts late is preceded by silence, and gaps in its
    timestamps become silence, so that times match the video.

    Raises:
      InputError: ``empty_file``, ``not_media`` or ``no_audio`` before the first block; ``truncated_media`` after the
        last one that could be read; ``media_too_long`` for more than ``longest`` seconds, before the first block if
        the headers say so; ``media_too_complex`` where there is far more silence to fill than the file's size allows.
    """
    with open_media(source) as media:
        if media.promised is not None and longest < media.promised < math.inf:
            raise too_long(longest)
        yield from _Decoder(media, rate, longest).blocks()


class _Decoder:
    """One pass over one file."""

    def __init__(self, media: OpenMedia, rate: int, longest: float) -> None:
        self._media = media
        self._rate = rate
        self._longest = longest
        self._silence_left = silence_allowed(media.size)
        self._resampler = Resampler(rate)
        self._origin = (media.container.start_time or 0) / 1e6
        self._clock = 0.0  # Seconds from the origin at which the frames taken so far end.
        self._written = 0
        self._lead = 0.0  # Seconds of silence before the first frame.
        self._heard = False
        self._reached = 0.0  # Where the latest packet of any track ends, on the container's own clock.
        names = media.container.format.name.split(",")
        self._by_tracks = "matroska" in names
        self._timed = not _TIMED.isdisjoint(names)
        duration = media.container.duration
        self._longest_gap = duration / 1e6 + _GAP if duration else _LONGEST_GAP

    def blocks(self) -> Iterator[Samples]:
        """The whole sound."""
        cause: Exception | None = None
        packets = self._packets()
        while True:
            try:
                packet = next(packets, None)
            except IndexError:
                # All has been read; at the end PyAV stumbles over tracks that have turned up on the way.
                break
            except MemoryError as error:
                raise too_complex("A part of the file asks for more memory than any recording needs.") from error
            except av.FFmpegError as error:
                cause = error
                break
            if packet is None:
                break
            for frame in _frames(packet):
                yield from self._take(frame)
        yield from self._cut(self._resampler.flush())
        self._check_end(cause)

    def _packets(self) -> "Iterator[Packet[AudioStream]]":
        """The packets of the audio track; where the length is that of all tracks, the others' times are noted."""
        container, chosen = self._media.container, self._media.stream
        if self._by_tracks:
            for packet in container.demux():
                if packet.pts is not None:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    self._reached = max(self._reached, end)
                if packet.stream.index == chosen.index:
                    yield cast("Packet[AudioStream]", packet)
            return
        for stream in container.streams:
            if stream.index != chosen.index:
                # An MP4's pictures are then not even read.
                stream.discard = Discard.all
        yield from container.demux(chosen)

    def _take(self, frame: AudioFrame) -> Iterator[Samples]:
        gap = self._gap_before(frame)
        if gap > _GAP or not self._resampler.matches(frame):
            yield from self._cut(self._resampler.flush())
            self._resampler = Resampler(self._rate)
        if gap > _GAP:
            self._lead = self._lead if self._heard else gap
            self._advance(gap)
            self._silence_left -= gap
            if self._silence_left < 0:
                raise too_complex("The file asks for far more silence than a recording of its size has.")
            yield from self._silence(round(self._clock * self._rate) - self._written)
        try:
            samples = self._resampler.push(frame)
        except av.FFmpegError:
            # Of a shape that cannot be made mono: damaged, as in a packet that cannot be decoded.
            self._resampler = Resampler(self._rate)
            return
        self._heard = True
        yield from self._cut(samples)
        self._advance(frame.samples / frame.sample_rate)

    def _advance(self, seconds: float) -> None:
        self._clock += seconds
        if self._clock > self._longest:
            raise too_long(self._longest)

    def _gap_before(self, frame: AudioFrame) -> float:
        """Seconds missing before ``frame``; times that run backwards, or far beyond the end, are not believed."""
        if frame.pts is None or frame.time_base is None or (self._heard and not self._timed):
            return 0.0
        time = float(frame.pts * Fraction(frame.time_base)) - self._origin
        gap = time - self._clock
        return gap if gap > 0 and time <= max(self._longest_gap, self._clock + _GAP) else 0.0

    def _silence(self, count: int) -> Iterator[Samples]:
        while count > 0:
            block = min(count, self._rate)
            count -= block
            self._written += block
            yield np.zeros(block, dtype=np.float32)

    def _cut(self, samples: Samples) -> Iterator[Samples]:
        for start in range(0, len(samples), self._rate):
            block = samples[start : start + self._rate]
            self._written += len(block)
            yield block

    def _check_end(self, cause: Exception | None) -> None:
        promised = self._media.promised
        held = self._reached if self._by_tracks else self._clock - self._lead
        if promised is None:
            cut = cause is not None
        else:
            cut = math.isinf(promised) or promised - held > max(_TOLERATED_SECONDS, promised * _TOLERATED_SHARE)
        if cut:
            whole = f" of {promised:.1f} s" if promised is not None and math.isfinite(promised) else ""
            raise InputError(
                f"The file is cut off: it ends after {held:.1f} s{whole}.",
                code="truncated_media",
                hint="Upload it again, whole. If there is no more of it, convert it to another format first.",
                field="file",
            ) from cause
        if not self._heard:
            raise InputError(
                "The file has an audio track, but no sound in it can be decoded.",
                code="no_audio",
                hint="Check that it plays, or convert it, for example to FLAC or MP3.",
                field="file",
            )


def _frames(packet: "Packet[AudioStream]") -> list[AudioFrame]:
    """A packet's sound; a damaged packet is left out and leaves a gap, as players do."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, AudioFrame) and _believable(frame)]
    except av.FFmpegError:
        return []


def _believable(frame: AudioFrame) -> bool:
    """Within the bounds that its track's header is held to: a frame may say otherwise."""
    return frame.sample_rate in RATES and frame.layout.nb_channels <= MOST_CHANNELS
