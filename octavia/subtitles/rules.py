"""The rules of subtitles, as docs/subtitles.md explains them, and how often cues break the soft ones.

Times are milliseconds.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Final, Self

GAP: Final = 80
"""The least time between two cues: two frames of video."""

TICK: Final = 10
"""All times are multiples of this: every format can write them, and no gap is rounded away."""

SHORTEST: Final = 200
"""The least time of a cue on screen, even where speech leaves no room."""

MIN_DURATION: Final = 1000
"""The least time of a cue on screen, where the next one leaves it room."""

MAX_DURATION: Final = 7000
"""The most time of a cue on screen; a single word can always have a cue of its own, so no cue is longer."""

LETTERS_PER_SECOND: Final = 17
"""The fastest reading speed, in columns, spaces included."""

SILENCE: Final = 1200
"""No cue reaches over a longer silence."""

PAUSE: Final = 300
"""A silence between two words that ends a clause, whatever the punctuation."""

LAST_WORD: Final = 1000
"""The most time that a cue stays on screen for its last word: recognisers stretch words."""

MAX_LINE_LENGTH: Final = 42
"""The default width of a line in columns; a single wider word has a line of its own."""

MAX_LINES: Final = 2
"""The default number of lines of a cue."""


def show_until(start: int, said: int, width: int, following: int | None) -> int:
    """Return the end of a cue that begins at ``start``.

    Parameters:
      said: The end of its last word.
      width: Its text's columns.
      following: The start of the next cue.
    """
    reading = -(-width * 1000 // LETTERS_PER_SECOND)
    end = max(said, start + MIN_DURATION, start + -(-reading // TICK) * TICK)
    end = min(end, start + MAX_DURATION)
    return end if following is None else min(end, following - GAP)


def too_fast(width: int, duration: int) -> bool:
    """Return True if ``width`` columns cannot be read in ``duration``."""
    return width * 1000 > LETTERS_PER_SECOND * duration


@dataclass(frozen=True, slots=True)
class Faults:
    """Counts of broken soft rules, by rule.

    Attributes:
      too_fast: Cues with more columns than can be read in their time.
      too_short: Cues on screen for less than ``MIN_DURATION``.
      clause_split: Cues that end inside a clause.
      sentence_begun: Cues that end a sentence and begin another one without reaching its first comma.
      line_split: Lines that end inside a clause.
      widow: Words that have a cue or a line to themselves and are not a sentence.
    """

    too_fast: int = 0
    too_short: int = 0
    clause_split: int = 0
    sentence_begun: int = 0
    line_split: int = 0
    widow: int = 0

    @property
    def total(self) -> int:
        """The sum over all rules."""
        return sum(getattr(self, field.name) for field in fields(self))

    @classmethod
    def sum(cls, faults: Iterable[Self]) -> "Faults":
        """Add up the faults of several cues."""
        found = list(faults)
        return cls(*(sum(getattr(one, field.name) for one in found) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class Report:
    """The number of cues of a file, and their faults."""

    cues: int
    faults: Faults

    def to_dict(self) -> dict[str, int]:
        """Return a JSON object: the number of cues, and how often each soft rule is broken."""
        return {"cues": self.cues, **asdict(self.faults)}
