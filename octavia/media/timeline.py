"""Lay spoken utterances along the time of the original, and write them as one track."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from octavia.engines.types import Audio
from octavia.media.encode import Encoder
from octavia.media.levels import leveled
from octavia.media.resample import resample

GAP = 0.08
"""Seconds between two utterances that follow each other at once."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an utterance is spoken, in seconds.

    Attributes:
      slot_start, slot_end: Where the original is spoken.
      start: Where this one is; never before ``slot_start``.
      seconds: How long it is.
      rate: How fast it is spoken, as a multiple of its natural speed.
      until: Where the original of the next one starts, or the recording ends.
    """

    slot_start: float
    slot_end: float
    start: float
    seconds: float
    rate: float = 1.0
    until: float = math.inf

    @property
    def end(self) -> float:
        """Where it ends."""
        return self.start + self.seconds

    @property
    def free(self) -> float:
        """Where the next one may start."""
        return self.end + (GAP if self.seconds > 0 else 0.0)

    @property
    def late(self) -> float:
        """How far behind the original it starts."""
        return self.start - self.slot_start


def place(items: Sequence[tuple[float, float, float]]) -> list[Placement]:
    """Place utterances in order at their natural speed, given as ``(slot_start, slot_end, spoken_seconds)``.

    Each starts with its original, or as soon as the one before has ended; none overlaps another.
    """
    placements: list[Placement] = []
    free = 0.0
    for slot_start, slot_end, seconds in items:
        placements.append(Placement(slot_start, slot_end, max(slot_start, free), seconds))
        free = placements[-1].free
    return placements


def render(
    placements: Sequence[Placement],
    open_audio: Callable[[int], Audio],
    encoders: Sequence[Encoder],
    *,
    rate: int,
    total: float = 0.0,
) -> float:
    """Write silence and speech to every encoder at once; returns the length in seconds.

    One utterance is in memory at a time. Each is brought to a common level that leaves room, so that none clips.

    Parameters:
      placements: From ``place``.
      open_audio: Gives the speech of the placement at an index; it is called once for each, in order.
      encoders: Open, all at ``rate``; the caller closes them.
      rate: Samples per second.
      total: The track is at least this long, in seconds.
    """
    written = 0

    def silence(until: int) -> int:
        for start in range(written, until, rate):
            block = np.zeros(min(rate, until - start), dtype=np.float32)
            for encoder in encoders:
                encoder.write(block)
        return max(written, until)

    for index, placement in enumerate(placements):
        audio = open_audio(index)
        written = silence(round(placement.start * rate))
        samples = leveled(resample(audio.samples, audio.rate, rate), rate)
        for encoder in encoders:
            encoder.write(samples)
        written += len(samples)
    return silence(round(total * rate)) / rate
