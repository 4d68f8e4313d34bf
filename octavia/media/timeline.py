"""Lay spoken utterances along the time of the original."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
