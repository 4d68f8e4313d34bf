"""The lines of a cue: as few as its text needs, broken at clauses, and of similar length."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from octavia.subtitles.clauses import Boundary
from octavia.subtitles.units import Unit

_ENDS_LINE: Final = (60, 20, 10, 0, 0)  # by boundary, from ``NONE`` to ``SENTENCE``
_EVEN: Final = 16


class Rows(NamedTuple):
    """Lines of one track. Earlier fields matter more.

    Attributes:
      widows: Words that have a line to themselves and are not a sentence.
      splits: Lines that end inside a clause.
      cost: How far they are from pretty, in points.
      ends: The end of each line, as a number of units.
    """

    widows: int
    splits: int
    cost: int
    ends: tuple[int, ...]


class Layout:
    """Breaks any stretch of a track into lines.

    Parameters:
      width: The most columns of a line, which only a single unit may exceed.
      lines: The most lines.
    """

    def __init__(self, units: Sequence[Unit], *, width: int, lines: int) -> None:
        self._units = units
        self._width = width
        self._lines = lines
        # The column of each unit if all were in one line. Even a lone mark takes one: a line must not hold any number.
        self._offsets = [0, *accumulate(max(unit.columns, 1) + unit.spaced for unit in units)]
        # Results for one first unit: stretches with the same one are asked for in a row.
        self._first = -1
        self._known: dict[tuple[int, int], Rows | None] = {}

    def columns(self, first: int, end: int) -> int:
        """Return the width of units in one line, in columns."""
        return self._offsets[end] - self._offsets[first] - self._units[first].spaced if first < end else 0

    def rows(self, first: int, end: int) -> Rows | None:
        """Return the best lines for units ``first`` to ``end``; None if they need too many."""
        if first == end:
            return Rows(0, 0, 0, ())
        if first != self._first:
            self._first = first
            self._known.clear()
        if (cost := self._row(first, end)) is not None:
            return Rows(int(self._widow(first, end)), 0, cost, (end,))
        for count in range(2, self._lines + 1):
            if (found := self._best(first, end, count)) is not None:
                return found
        return None

    def _best(self, first: int, end: int, count: int) -> Rows | None:
        """Return the best ``count`` lines; a single line is not checked for a widow."""
        if count == 1:
            cost = self._row(first, end)
            return None if cost is None else Rows(0, 0, cost, (end,))
        if (end, count) not in self._known:
            self._known[end, count] = self._search(first, end, count)
        return self._known[end, count]

    def _search(self, first: int, end: int, count: int) -> Rows | None:
        best: Rows | None = None
        for cut in range(end - 1, first + count - 2, -1):
            below = self._row(cut, end)
            if below is None:
                break
            above = self._best(first, cut, count - 1)
            if above is None:
                continue
            after = self._units[cut - 1].after
            found = Rows(
                above.widows + (count == 2 and self._widow(first, cut)) + self._widow(cut, end),
                above.splits + (after == Boundary.NONE),
                above.cost + below + _ENDS_LINE[after],
                (*above.ends, end),
            )
            best = found if best is None else min(best, found)
        return best

    def _row(self, first: int, end: int) -> int | None:
        """Return the cost of one line, its squared width so that even lines are best; None if it is too wide."""
        columns = self.columns(first, end)
        return columns**2 // _EVEN if columns <= self._width or end - first == 1 else None

    def _widow(self, first: int, end: int) -> bool:
        """Return True if the units are a single word that is not a sentence."""
        before = first == 0 or self._units[first - 1].after == Boundary.SENTENCE
        return end - first == 1 and not (before and self._units[first].after == Boundary.SENTENCE)
