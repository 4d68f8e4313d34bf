"""Lay spoken utterances along the time of the original."""

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
    """

    slot_start: float
    slot_end: float
    start: float
    seconds: float

    @property
    def end(self) -> float:
        """Where it ends."""
        return self.start + self.seconds

    @property
    def late(self) -> float:
        """How far behind the original it starts."""
        return self.start - self.slot_start


def place(items: Sequence[tuple[float, float, float]], *, gap: float = GAP) -> list[Placement]:
    """Place utterances in order, given as ``(slot_start, slot_end, spoken_seconds)``.

    Each starts with its original, or as soon as the one before has ended: lateness carries over and is caught up in
    pauses. None overlaps another.
    """
    placements: list[Placement] = []
    free = 0.0
    for slot_start, slot_end, seconds in items:
        start = max(slot_start, free)
        placements.append(Placement(slot_start, slot_end, start, seconds))
        free = start + seconds + (gap if seconds > 0 else 0.0)
    return placements
