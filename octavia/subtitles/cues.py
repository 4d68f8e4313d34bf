"""Cues made from utterances."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from octavia.subtitles.cueing import plan
from octavia.subtitles.layout import Layout
from octavia.subtitles.rules import MAX_LINE_LENGTH, MAX_LINES, Faults, Report
from octavia.subtitles.streams import Stream
from octavia.subtitles.units import Unit, units_of
from octavia.text.lines import pieces
from octavia.text.utterances import Utterance

_BLOCK: Final = 100
"""Units of a given cue that are laid out at once: in a longer cue, the best line breaks no longer matter."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cue: its units and their language, ISO 639-1."""

    units: tuple[Unit, ...]
    language: str | None = None

    @property
    def text(self) -> str:
        """The line as it is shown."""
        return "".join(
            f" {unit.text}" if unit.spaced and number else unit.text for number, unit in enumerate(self.units)
        )


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: its times in milliseconds, and its lines."""

    start: int
    end: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Subtitles:
    """Cues in order, and how well they keep to the soft rules.

    Attributes:
      report: None for cues from a client's file.
      language: Their language; the translation's if they have two.
    """

    cues: tuple[Cue, ...]
    report: Report | None
    language: str | None = None


def subtitles(
    utterances: Iterable[Utterance],
    *,
    translated: bool = False,
    language: str | None = None,
    max_line_length: int = MAX_LINE_LENGTH,
    max_lines: int = MAX_LINES,
) -> Subtitles:
    """Make subtitles of utterances.

    Parameters:
      translated: Take the translations instead of the texts.
      language: Their language.
      max_line_length: In columns; wide East Asian characters take two.
    """
    units = units_of(utterances, translated=translated, language=language)
    return _cut(Stream.of(units), (language,), width=max_line_length, lines=max_lines)


def given(
    utterances: Sequence[Utterance],
    *,
    translated: bool = False,
    language: str | None = None,
    max_line_length: int = MAX_LINE_LENGTH,
) -> Subtitles:
    """Make one cue of each utterance, at its own times and with as many lines as it needs."""
    cues: list[Cue] = []
    all_units = units_of(utterances, translated=translated, language=language)
    for utterance, units in zip(utterances, all_units, strict=True):
        layout = Layout(units, width=max_line_length, lines=_BLOCK)
        ends = [0]
        for turn in _turns(utterance.spoken if translated else utterance.text):
            while ends[-1] < turn:
                rows = layout.rows(ends[-1], min(ends[-1] + _BLOCK, turn))
                assert rows is not None, "there is a line for each unit"
                ends += rows.ends
        lines = tuple(Line(tuple(units[first:end]), language) for first, end in pairwise(ends))
        cues.append(Cue(round(utterance.start * 1000), round(utterance.end * 1000), lines))
    return Subtitles(tuple(cues), None, language)


def _turns(text: str) -> Iterable[int]:
    """Return the number of units up to the end of each line of a text: speakers' lines are never joined."""
    return accumulate(len(pieces(line)) for line in text.split("\n"))


def bilingual(
    utterances: Sequence[Utterance],
    *,
    source_language: str | None,
    language: str | None,
    max_line_length: int = MAX_LINE_LENGTH,
    max_lines: int = MAX_LINES,
) -> Subtitles:
    """Make subtitles with the text above its translation; each has half of the lines.

    Text without a translation is shown once.

    Parameters:
      source_language, language: The languages of the texts and of the translations.
    """
    said = units_of(utterances, translated=False, language=source_language)
    meant = units_of(utterances, translated=True, language=language)
    meant = [[] if utterance.translation is None else units for utterance, units in zip(utterances, meant, strict=True)]
    languages = (source_language, language)
    return _cut(Stream.of(said, meant), languages, width=max_line_length, lines=max(1, max_lines // 2))


def _cut(stream: Stream, languages: Sequence[str | None], *, width: int, lines: int) -> Subtitles:
    stream, plans = plan(stream, width=width, lines=lines)
    cues: list[Cue] = []
    for planned in plans:
        shown: list[Line] = []
        for number, (units, rows) in enumerate(zip(stream.tracks, planned.rows, strict=True)):
            ends = (stream.places[planned.first][number], *rows.ends)
            shown += [Line(units[first:end], languages[number]) for first, end in pairwise(ends)]
        cues.append(Cue(planned.start, planned.until, tuple(shown)))
    report = Report(len(cues), Faults.sum(planned.faults for planned in plans))
    return Subtitles(tuple(cues), report, languages[-1])
