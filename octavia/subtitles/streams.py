"""Streams, from which cues are cut: the units of one language, or of two side by side, in spoken order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import itemgetter

import numpy as np

from octavia.subtitles.clauses import Boundary
from octavia.subtitles.rules import SILENCE, TICK
from octavia.subtitles.units import Unit


@dataclass(frozen=True, slots=True)
class Stream:
    """Units of one or two tracks, and the cuts between them; cut ``n`` lies before unit ``n`` of the merged tracks.

    There is one cut more than there are units. Times are milliseconds.

    Attributes:
      tracks: The units of each language.
      places: For each cut, the number of units of each track before it.
      starts: For each unit, its start.
      ends: For each cut, the end of the units before it.
      levels: For each cut, its boundary; of two tracks, the weaker one.
      silent: For each cut, True if it is a silence that no cue may reach over.
    """

    tracks: tuple[tuple[Unit, ...], ...]
    places: tuple[tuple[int, ...], ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    levels: tuple[Boundary, ...]
    silent: tuple[bool, ...]

    @classmethod
    def of(cls, *tracks: Sequence[Sequence[Unit]]) -> "Stream":
        """Merge the units of each track, given by utterance; both tracks have the same utterances."""
        order = [unit for spoken in zip(*tracks, strict=True) for unit in _merged(*spoken)]
        places = [(0,) * len(tracks)]
        starts: list[int] = []
        ends = [0]
        for track, unit in order:
            places.append(tuple(count + (number == track) for number, count in enumerate(places[-1])))
            starts.append(max(unit.start, starts[-1] if starts else 0))
            ends.append(max(unit.end, starts[-1], ends[-1]))
        joined = tuple(tuple(unit for units in track for unit in units) for track in tracks)
        levels = tuple(
            min(
                Boundary.SENTENCE if place == 0 else units[place - 1].after
                for units, place in zip(joined, at, strict=True)
            )
            for at in places
        )
        silent = (True, *(start - end > SILENCE for start, end in zip(starts[1:], ends[1:], strict=False)), True)
        return cls(joined, tuple(places), tuple(starts), tuple(ends), levels, silent[: len(order) + 1])

    def __len__(self) -> int:
        """Return the number of units in all tracks."""
        return len(self.starts)

    def later(self, starts: Sequence[int]) -> "Stream":
        """Return a copy whose units begin at ``starts``."""
        return replace(self, starts=tuple(starts), ends=(0, *map(max, starts, self.ends[1:])))


def _merged(*spoken: Sequence[Unit]) -> list[tuple[int, Unit]]:
    """Merge one utterance's units, with their track, ordered by the share of the utterance said before each."""
    first, *others = spoken
    order = [(share, 0, unit) for share, unit in zip(_shares(first), first, strict=True)]
    for track, units in enumerate(others, 1):
        shares = _aligned(units, first)
        times = _times(shares, first, units)
        order += [
            (share, track, replace(unit, start=start, end=max(start, unit.end)))
            for share, start, unit in zip(shares, times, units, strict=True)
        ]
    return [(track, unit) for _, track, unit in sorted(order, key=itemgetter(0, 1))]


def _shares(units: Sequence[Unit]) -> list[float]:
    """Return the share of the text before each unit, by letters."""
    said = list(accumulate((len(unit.text) for unit in units), initial=0))
    return [before / said[-1] for before in said[:-1]]


def _aligned(units: Sequence[Unit], other: Sequence[Unit]) -> list[float]:
    """Return the shares of a translation, clause beside clause if it has as many clauses as the other text."""
    shares = _shares(units)
    marks, others = (_clauses(side) for side in (units, other))
    if not other or len(marks) != len(others):
        return shares
    return [float(share) for share in np.interp(shares, [*marks, 1.0], [*others, 1.0])]


def _clauses(units: Sequence[Unit]) -> list[float]:
    """Return the shares at which clauses begin."""
    shares = _shares(units)
    return [share for number, share in enumerate(shares) if number == 0 or units[number - 1].after >= Boundary.COMMA]


def _times(shares: Sequence[float], other: Sequence[Unit], units: Sequence[Unit]) -> list[int]:
    """Return the starts of units with these shares, interpolated between the times of the other track's units."""
    if not other:
        return [unit.start for unit in units]
    known, starts = [*_shares(other), 1.0], [*(unit.start for unit in other), other[-1].end]
    return [round(float(start) / TICK) * TICK for start in np.interp(shares, known, starts)]
