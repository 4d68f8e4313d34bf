"""Decode any recording to a stream of mono samples that stays in time with its video."""

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
from octavia.media.continuity import Continuity
from octavia.media.resample import Resampler
from octavia.media.source import OpenMedia, Source, open_media

# Seconds; shorter gaps come from containers that round times to milliseconds, and from codecs' delays.
_GAP = 0.1
# Longest gap in seconds if the container declares no length; else the length is the bound.
_LONGEST_GAP = 600.0
# Containers that store times; for others FFmpeg counts the samples, and a gap would be its mistake.
_TIMED = frozenset({"mov", "matroska", "mpegts", "mpeg", "asf", "flv", "ogg", "mxf"})
_TOLERATED_SECONDS = 1.0
_TOLERATED_SHARE = 0.02


def decode(
    source: Source, *, rate: int = SPEECH_RATE, longest: float = math.inf, track: int | None = None
) -> Iterator[Samples]:
    """Yield the sound as mono blocks of at most one second; memory does not grow with the length.

    Sample 0 is the start of the file: silence precedes sound that starts late and fills gaps in the timestamps, so
    that times match the video.

    Parameters:
      rate: Sample rate of the blocks in Hz.
      longest: Longest recording to accept, in seconds.
      track: Number of the sound track, from 1; None leaves the choice to ``octavia.media.tracks.choose``.

    Raises:
      InputError: ``empty_file``, ``not_media``, ``no_audio`` or ``no_such_track`` before the first block;
        ``truncated_media`` after the last readable one; ``media_too_long``, before the first block if the headers
        declare the length; ``media_too_complex``: the gaps are far longer than the file's size allows.
    """
    with open_media(source, track) as media:
        if media.declared_seconds is not None and longest < media.declared_seconds < math.inf:
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
        self._continuity = Continuity(media.container)
        self._origin = 0.0 if self._continuity.joinable else (media.container.start_time or 0) / 1e6
        self._clock = 0.0  # End of the frames taken so far, in seconds from the origin.
        self._written = 0
        self._lead = 0.0  # Seconds of silence before the first frame.
        self._heard = False
        self._cause: Exception | None = None
        self._reached = 0.0  # End of the latest packet of any track, in seconds of the container's clock.
        names = media.container.format.name.split(",")
        self._by_tracks = "matroska" in names
        self._timed = not _TIMED.isdisjoint(names)
        self._longest_gap = self._bound_of_gaps()

    def _bound_of_gaps(self) -> float:
        if self._continuity.joinable:
            # What such a file says of its length is the difference of two clocks.
            return math.inf
        duration = self._media.container.duration
        return duration / 1e6 + _GAP if duration else _LONGEST_GAP

    def blocks(self) -> Iterator[Samples]:
        """Yield the whole sound."""
        for packet in self._packets():
            for frame in _frames(packet):
                yield from self._take(frame)
        yield from self._cut(self._resampler.flush())
        self._check_end()

    def _packets(self) -> "Iterator[Packet[AudioStream]]":
        """Yield the audio track's packets until the end, or until the file cannot be read on: then note the cause."""
        try:
            yield from self._demuxed()
        except IndexError:
            # The end of the file: PyAV raises this if tracks have appeared while reading.
            return
        except MemoryError as error:
            raise too_complex("A part of the file asks for more memory than any recording needs.") from error
        except av.FFmpegError as error:
            self._cause = error

    def _demuxed(self) -> "Iterator[Packet[AudioStream]]":
        """Yield the audio track's packets; look at those of the other tracks if their times tell something."""
        container, chosen = self._media.container, self._media.stream
        if self._by_tracks or self._continuity.joinable:
            for packet in container.demux():
                self._continuity.set_time(packet)
                if packet.pts is not None:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    self._reached = max(self._reached, end)
                if packet.stream.index == chosen.index:
                    yield cast("Packet[AudioStream]", packet)
            return
        for stream in container.streams:
            if stream.index != chosen.index:
                # Then an MP4's pictures are not even read.
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
            # The layout cannot be mixed to mono: treat the frame as damaged, like a packet that cannot be decoded.
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
        """Return the seconds missing before ``frame``; ignore times that run backwards or far beyond the end."""
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

    def _check_end(self) -> None:
        declared = self._media.declared_seconds
        held = self._reached if self._by_tracks else self._clock - self._lead
        if declared is None:
            cut = self._cause is not None
        else:
            cut = math.isinf(declared) or declared - held > max(_TOLERATED_SECONDS, declared * _TOLERATED_SHARE)
        if cut:
            whole = f" of {declared:.1f} s" if declared is not None and math.isfinite(declared) else ""
            raise InputError(
                f"The file is cut off: it ends after {held:.1f} s{whole}.",
                code="truncated_media",
                hint="Use the whole file. If no more of it exists, convert it to another format first.",
                field="file",
            ) from self._cause
        if not self._heard:
            raise InputError(
                "The file has an audio track, but no sound in it can be decoded.",
                code="no_audio",
                hint="Check that it plays, or convert it, for example to FLAC or MP3.",
                field="file",
            )


def _frames(packet: "Packet[AudioStream]") -> list[AudioFrame]:
    """Decode a packet; a damaged one is left out and leaves a gap, as in players."""
    try:
        frames = [frame for frame in packet.decode() if isinstance(frame, AudioFrame)]
    except av.FFmpegError:
        return []
    # A frame need not agree with the header of its track, which was checked.
    return [frame for frame in frames if frame.sample_rate in RATES and frame.layout.nb_channels <= MOST_CHANNELS]
