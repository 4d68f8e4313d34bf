"""Cues as readers find them, gathered within limits that are counted while a file is read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from octavia.errors import InputError
from octavia.text.lines import clean

CueFormat = Literal["srt", "vtt", "ass", "ttml", "sbv", "lrc", "sub", "json"]

NAMES: Final[dict[CueFormat, str]] = {
    "srt": "SubRip",
    "vtt": "WebVTT",
    "ass": "SubStation Alpha",
    "ttml": "TTML",
    "sbv": "SubViewer",
    "lrc": "LRC",
    "sub": "MicroDVD",
    "json": "transcript.json",
}
"""The name of each format, as messages have it."""

LONGEST_SPEAKER: Final = 100
"""The most characters kept of a speaker's name."""

# A longer cue is no subtitle, and slow to translate and to lay out.
_CUE_CHARS: Final = 4000
# The least a cue counts: cues without words cost time as well.
_LEAST_CHARS: Final = 10
# A cue of ten characters has hardly twenty parts.
_PARTS_A_CHAR: Final = 2
_MORE_PARTS: Final = 4096
_SHOWN: Final = 80


class Line(NamedTuple):
    """A line of a file, without its end, and its number from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class FoundCue:
    """A cue of a file.

    Attributes:
      number: Of the line in the file that has its times.
      start, end: Milliseconds.
      lines: Its lines without markup, each in single spaces; none is empty.
      speaker: Their speaker, if named.
      raw: Its text with markup.
    """

    number: int
    start: int
    end: int
    lines: tuple[str, ...]
    speaker: str | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """The latest time at which a cue may end, in seconds, and the most characters of all cues together."""

    longest_seconds: float
    most_chars: int

    @property
    def most_parts(self) -> int:
        """The most lines, elements or times of a file: each takes more memory and time than its text."""
        return _MORE_PARTS + _PARTS_A_CHAR * self.most_chars


class Gathering:
    """The cues of one file, and what was left out of it.

    Readers call ``check_parts`` and ``check_cue`` as soon as they know what these ask for, before any work on a text.

    Attributes:
      limits: Those of the file.
      cues: In the order of the file.
      left_out: Numbers of lines that belong to no cue.
      unstyled: Numbers of the lines of cues whose position or style is not kept.
      moved: Numbers of the lines of cues that began before 0 s.
    """

    def __init__(self, format: CueFormat, limits: Limits) -> None:
        self.limits = limits
        self._format = format
        self._chars = 0
        self.cues: list[FoundCue] = []
        self.left_out: list[int] = []
        self.unstyled: list[int] = []
        self.moved: list[int] = []

    def check_parts(self, count: int) -> None:
        """Refuse a file of more than ``most_parts`` parts. Raises ``InputError`` (``text_too_long``)."""
        if count > self.limits.most_parts:
            raise too_long(self.limits.most_chars)

    def check_cue(self, number: int, length: int) -> None:
        """Refuse a cue of more than 4,000 characters, markup included. Raises ``InputError`` (``bad_subtitles``)."""
        if length > _CUE_CHARS:
            raise self.bad(f"{self.named(number)} is longer than {_CUE_CHARS} characters", hint="Split the cue.")

    def add(
        self,
        number: int,
        times: tuple[int, int],
        text: str,
        *,
        raw: str = "",
        speaker: str | None = None,
        styled: bool = False,
    ) -> None:
        """Take a cue.

        Parameters:
          number: Of the line that has its times.
          times: Its start and end in milliseconds.
          text: Its lines, without markup.
          raw: Its text with markup, if any.
          styled: It has a position or a style.

        Raises:
          InputError: ``bad_subtitles``, ``media_too_long`` or ``text_too_long``.
        """
        start, end = times
        if end < start:
            raise self.bad(f"{self.named(number)} ends before it begins", hint="Correct its times.")
        if end < 0:
            raise self.bad(f"{self.named(number)} lies before the start", hint="Remove it, or correct its times.")
        if start < 0:
            self.moved.append(number)
            start = 0
        if end > self.limits.longest_seconds * 1000:
            raise InputError(
                f"The subtitles last longer than {self.limits.longest_seconds:,.0f} s: see {self.named(number)}.",
                code="media_too_long",
                hint="Send them in parts, or have the operator raise OCTAVIA_MAX_MEDIA_SECONDS.",
            )
        self.check_cue(number, max(len(raw), len(text)))
        lines = tuple(filter(None, (" ".join(line.split()) for line in clean(text).split("\n"))))
        self._chars += max(sum(map(len, lines)) + len(lines) - 1, _LEAST_CHARS)
        if self._chars > self.limits.most_chars:
            raise too_long(self.limits.most_chars)
        if styled:
            self.unstyled.append(number)
        self.cues.append(FoundCue(number, start, end, lines, named(speaker), raw or text))

    def leave_out(self, lines: Iterable[Line]) -> None:
        """Note lines that belong to no cue; blank ones do not count."""
        self.left_out += [number for number, text in lines if text.strip()]

    def not_understood(self, line: Line, hint: str = "Correct the line or remove it.") -> InputError:
        """Return the error for a line that has no meaning in its place."""
        return self.bad(f"line {line.number} is not understood: {clean(line.text[:_SHOWN])!r}", hint=hint)

    def bad(self, what: str, *, hint: str) -> InputError:
        """Return the error for a file that cannot be read."""
        return bad(self._format, what, hint=hint)

    def named(self, number: int) -> str:
        """Name the cue whose times are in the line ``number``, as messages have it."""
        return f"utterance {number}" if self._format == "json" else f"the cue at line {number}"


def named(speaker: str | None) -> str | None:
    """Return a speaker's name in one line, cut to ``LONGEST_SPEAKER``; None if it is empty."""
    return " ".join(clean(speaker or "").split())[:LONGEST_SPEAKER] or None


def bad(format: CueFormat, what: str, *, hint: str) -> InputError:
    """Return the error ``bad_subtitles`` for a file that cannot be read as ``format``."""
    message = f"The subtitles cannot be read as {NAMES[format]}: {what}."
    return InputError(message, code="bad_subtitles", hint=hint, field="file")


def too_long(most_chars: int) -> InputError:
    """Return the error for subtitles of more than ``most_chars`` characters."""
    return InputError(
        f"The subtitles have more than {most_chars:,} characters.",
        code="text_too_long",
        hint="Send them in parts, or have the operator raise OCTAVIA_MAX_TEXT_CHARS.",
    )
