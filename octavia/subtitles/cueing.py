"""The best way to cut a stream into cues: the fewest broken soft rules, then the prettiest cues."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from octavia.subtitles.clauses import Boundary
from octavia.subtitles.layout import Layout, Rows
from octavia.subtitles.rules import GAP, LAST_WORD, MAX_DURATION, MIN_DURATION, SHORTEST, Faults, show_until, too_fast
from octavia.subtitles.streams import Stream

_CUE: Final = 40
_ENDS_CUE: Final = (200, 60, 30, 10, 0)  # by boundary, from ``NONE`` to ``SENTENCE``
_SENTENCE_INSIDE: Final = 15
_SENTENCE_BEGUN: Final = 60
_PAUSE_INSIDE: Final = 20  # milliseconds that cost one


class Badness(NamedTuple):
    """Faults of several cues together; earlier fields matter more.

    Attributes:
      late: Cues that leave the next one no time.
      faults: Broken soft rules, except ``splits``.
      splits: Lines that end inside a clause.
      cost: How far they are from pretty, in points.
    """

    late: int
    faults: int
    splits: int
    cost: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One cue of a stream: the cut before it, its times, its lines for each track, and the soft rules it breaks."""

    first: int
    start: int
    until: int
    rows: tuple[Rows, ...]
    faults: Faults


def plan(stream: Stream, *, width: int, lines: int) -> tuple[Stream, list[Plan]]:
    """Return the best cues, and the stream with the times that they have.

    The times are the stream's own, unless words come faster than cues may follow each other: then later ones are
    delayed.

    Parameters:
      width: The most columns of a line.
      lines: The most lines of a cue for each track.
    """
    search = _Search(stream, width, lines)
    cuts = search.cuts()
    starts = _delayed(stream, cuts)
    if starts != list(stream.starts):
        stream = stream.later(starts)
        search = _Search(stream, width, lines)
        cuts = search.cuts()
    return stream, [search.planned(first, end) for first, end in pairwise(cuts)]


def _delayed(stream: Stream, cuts: list[int]) -> list[int]:
    """Return the starts of all units, delayed so that each of these cues has ``SHORTEST``."""
    starts = list(stream.starts)
    earliest = 0
    for first, end in pairwise(cuts):
        for number in range(first, end):
            earliest = starts[number] = max(starts[number], earliest)
        earliest = max(earliest, starts[first] + SHORTEST + GAP)
    return starts


class _Search:
    """Dynamic programming over the cuts, from the last: a cue's badness depends on where it and the next begin."""

    def __init__(self, stream: Stream, width: int, lines: int) -> None:
        self._stream = stream
        self._layouts = [Layout(units, width=width, lines=lines) for units in stream.tracks]
        self._sentences = [0, *accumulate(level == Boundary.SENTENCE for level in stream.levels[1:])]
        pauses = (max(start - end, 0) for start, end in zip(stream.starts[1:], stream.ends[1:], strict=False))
        self._pauses = [0, 0, *accumulate(pauses)]

    def cuts(self) -> list[int]:
        """Return the cuts between the best cues, from 0 to the stream's end."""
        count = len(self._stream)
        best: list[Badness] = [Badness(0, 0, 0, 0)] * (count + 1)
        following = list(range(1, count + 2))
        for first in range(count - 1, -1, -1):
            found: Badness | None = None
            for end in range(first + 1, count + 1):
                rows = self._rows(first, end)
                if rows is None:
                    break
                here = self._badness(first, end, rows)
                rest = best[end]
                whole = Badness(here[0] + rest[0], here[1] + rest[1], here[2] + rest[2], here[3] + rest[3])
                if found is None or whole < found:
                    found, following[first] = whole, end
                if self._stream.silent[end]:
                    break
            assert found is not None, "a single unit always makes a cue"
            best[first] = found
        cuts = [0]
        while cuts[-1] < count:
            cuts.append(following[cuts[-1]])
        return cuts

    def planned(self, first: int, end: int) -> Plan:
        """Return the cue between two of ``cuts``."""
        rows = self._rows(first, end)
        assert rows is not None, "it was found by its lines"
        start, until, faults = self._timed(first, end, rows)
        return Plan(first, start, until, rows, faults)

    def _rows(self, first: int, end: int) -> tuple[Rows, ...] | None:
        """Return the lines of each track; None if the units cannot be one cue."""
        stream = self._stream
        earliest_end = min(stream.ends[end], stream.starts[end - 1] + LAST_WORD)
        if end - first > 1 and earliest_end > stream.starts[first] + MAX_DURATION:
            return None
        found: list[Rows] = []
        for layout, left, right in zip(self._layouts, stream.places[first], stream.places[end], strict=True):
            rows = layout.rows(left, right)
            if rows is None:
                return None
            found.append(rows)
        return tuple(found)

    def _timed(self, first: int, end: int, rows: tuple[Rows, ...]) -> tuple[int, int, Faults]:
        stream = self._stream
        sides = zip(self._layouts, stream.places[first], stream.places[end], strict=True)
        # A viewer reads one of the languages.
        width = max(layout.columns(left, right) for layout, left, right in sides)
        start = stream.starts[first]
        following = stream.starts[end] if end < len(stream) else None
        until = show_until(start, stream.ends[end], width, following)
        faults = Faults(
            too_fast=int(too_fast(width, until - start)),
            too_short=int(until - start < MIN_DURATION),
            clause_split=int(stream.levels[end] == Boundary.NONE),
            sentence_begun=int(stream.levels[end] < Boundary.COMMA and self._inside(first, end) > 0),
            line_split=sum(side.splits for side in rows),
            widow=sum(side.widows for side in rows),
        )
        return start, until, faults

    def _inside(self, first: int, end: int) -> int:
        """Return the number of sentences that end inside a cue."""
        return self._sentences[end - 1] - self._sentences[first]

    def _badness(self, first: int, end: int, rows: tuple[Rows, ...]) -> Badness:
        stream = self._stream
        start, until, faults = self._timed(first, end, rows)
        level = stream.levels[end]
        inside = self._inside(first, end)
        cost = (
            _CUE
            + _ENDS_CUE[level]
            + inside * _SENTENCE_INSIDE
            + (_SENTENCE_BEGUN if inside and level != Boundary.SENTENCE else 0)
            + (self._pauses[end] - self._pauses[first + 1]) // _PAUSE_INSIDE
            + sum(side.cost for side in rows)
        )
        return Badness(int(until - start < SHORTEST), faults.total - faults.line_split, faults.line_split, cost)
