"""What subtitles keep to. Times are milliseconds; docs/subtitles.md says it for readers."""

from typing import Final

GAP: Final = 80
"""Between two cues, at least: two frames of video."""

TICK: Final = 10
"""Every time is a multiple of this: all formats can say it, and no gap is rounded away."""

SHORTEST: Final = 200
"""On screen at least, even where speech leaves no room."""

MIN_DURATION: Final = 1000
"""On screen at least, where the next cue leaves it room."""

MAX_DURATION: Final = 7000
"""On screen at most; as a word can always have a cue of its own, no cue is longer."""

LETTERS_PER_SECOND: Final = 17
"""To read at most, in columns, spaces included."""

SILENCE: Final = 1200
"""No cue reaches over a longer one."""

PAUSE: Final = 300
"""A silence between two words that ends a clause, whatever the punctuation."""

LAST_WORD: Final = 1000
"""A cue stays until its last word is said, but for what that takes longer than this: recognisers stretch words."""

MAX_LINE_LENGTH: Final = 42
"""Columns of a line where nothing else is asked for; a single word that is wider has a line of its own."""

MAX_LINES: Final = 2
"""Lines of a cue where nothing else is asked for."""


def show_until(start: int, said: int, width: int, following: int | None) -> int:
    """When a cue that begins at ``start`` ends.

    Parameters:
      said: When its last word ends.
      width: Its text's columns.
      following: When the next cue begins.
    """
    reading = -(-width * 1000 // LETTERS_PER_SECOND)
    end = max(said, start + MIN_DURATION, start + -(-reading // TICK) * TICK)
    end = min(end, start + MAX_DURATION)
    return end if following is None else min(end, following - GAP)


def needed(said: int, last: int) -> int:
    """Until when a cue has to stay on screen whose last word begins at ``last`` and ends at ``said``."""
    return min(said, last + LAST_WORD)


def too_fast(width: int, duration: int) -> bool:
    """Whether so many columns cannot be read in so many milliseconds."""
    return width * 1000 > LETTERS_PER_SECOND * duration
