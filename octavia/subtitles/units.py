"""The units of utterances, which no cue splits, with their times and the boundaries after them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from octavia.subtitles.clauses import Boundary, boundaries
from octavia.subtitles.rules import PAUSE, TICK
from octavia.text.lines import Piece, letters, pieces
from octavia.text.utterances import Utterance


@dataclass(frozen=True, slots=True)
class Unit:
    """A word, or a letter of a script without spaces.

    Attributes:
      start, end: Milliseconds; multiples of ``TICK``.
      after: The boundary after it.
      heard: True if its times are the recogniser's, False if they are its share of the utterance's.
    """

    text: str
    spaced: bool
    columns: int
    start: int
    end: int
    after: Boundary
    heard: bool = False


def units_of(utterances: Iterable[Utterance], *, translated: bool, language: str | None) -> list[list[Unit]]:
    """Return the units of each utterance; no unit begins before the one before it.

    Parameters:
      translated: Take the translations instead of the texts.
      language: Their language.
    """
    found: list[list[Unit]] = []
    earliest = 0
    for utterance in utterances:
        units = _units(utterance, translated=translated, language=language)
        for number, unit in enumerate(units):
            earliest = max(earliest, unit.start)
            units[number] = replace(unit, start=earliest, end=max(earliest, unit.end))
        found.append(_with_pauses(units))
    return found


def _units(utterance: Utterance, *, translated: bool, language: str | None) -> list[Unit]:
    text = utterance.spoken if translated else utterance.text
    parts = pieces(text)
    own = not translated or utterance.translation is None
    times = own and _heard(utterance, parts)
    spans = times or _shared(utterance, parts)
    return [
        Unit(part.text, part.spaced, part.columns, _ticks(start), _ticks(end), after, heard=bool(times))
        for part, (start, end), after in zip(parts, spans, boundaries(text, parts, language), strict=True)
    ]


def _heard(utterance: Utterance, parts: Sequence[Piece]) -> list[tuple[float, float]]:
    """Return each piece's start and end in seconds if the recognised words are those of the text; else nothing."""
    spans: list[tuple[float, float]] = []
    for word in utterance.words:
        count = letters(word.text)
        start, end = (min(max(time, utterance.start), utterance.end) for time in (word.start, word.end))
        step = max(end - start, 0.0) / count if count else 0.0
        spans += [(start + number * step, start + (number + 1) * step) for number in range(count)]
    if len(spans) != sum(len(part.text) for part in parts) or not all(math.isfinite(start) for start, _ in spans):
        return []
    said = accumulate((len(part.text) for part in parts), initial=0)
    return [(spans[first][0], spans[end - 1][1]) for first, end in pairwise(said)]


def _shared(utterance: Utterance, parts: Sequence[Piece]) -> list[tuple[float, float]]:
    """Return each piece's share of the utterance's time, by letters."""
    start, length = utterance.start, max(utterance.end - utterance.start, 0.0)
    said = list(accumulate((len(part.text) for part in parts), initial=0))
    return [(start + length * first / said[-1], start + length * end / said[-1]) for first, end in pairwise(said)]


def _with_pauses(units: Sequence[Unit]) -> list[Unit]:
    """Mark units before a pause as the end of a clause."""
    return [
        replace(unit, after=max(unit.after, Boundary.COMMA))
        if following is not None and following.start - unit.end >= PAUSE
        else unit
        for unit, following in zip(units, [*units, None][1:], strict=True)
    ]


def _ticks(seconds: float) -> int:
    return max(0, round(seconds * 1000 / TICK) * TICK)
