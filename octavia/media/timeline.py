"""Place spoken utterances along the time of the original."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

GAP = 0.08
"""Least pause between two utterances, in seconds."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of a spoken utterance; times are seconds from the start of the recording.

    Attributes:
      slot_start, slot_end: Start and end of the original.
      start: Start of this utterance; never before ``slot_start``.
      seconds: Its length.
      rate: Its speed as a multiple of the natural one.
      until: Start of the next utterance's original, or end of the recording.
    """

    slot_start: float
    slot_end: float
    start: float
    seconds: float
    rate: float = 1.0
    until: float = math.inf

    @property
    def end(self) -> float:
        """End of the utterance."""
        return self.start + self.seconds

    @property
    def free(self) -> float:
        """Earliest start of the next utterance."""
        return self.end + (GAP if self.seconds > 0 else 0.0)

    @property
    def late(self) -> float:
        """Seconds that it starts behind the original."""
        return self.start - self.slot_start


def place(items: Sequence[tuple[float, float, float]]) -> list[Placement]:
    """Place utterances in order at their natural speed.

    Each starts with its original, or as soon as the previous one has ended; none overlaps another.

    Parameters:
      items: ``(slot_start, slot_end, spoken_seconds)`` of each.
    """
    placements: list[Placement] = []
    free = 0.0
    for slot_start, slot_end, seconds in items:
        placements.append(Placement(slot_start, slot_end, max(slot_start, free), seconds))
        free = placements[-1].free
    return placements
