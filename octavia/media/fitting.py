"""Fit spoken utterances to the time of the original: choose the start and the rate of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

from octavia.media.timeline import GAP, Placement

T = TypeVar("T")

ON_TIME = 0.1
"""Seconds of lateness that nobody notices."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits on the rate of speech, as multiples of its natural speed.

    Attributes:
      slowest: Lowest rate, used when the speaker took longer.
      fastest: Highest rate before a shorter wording is sought.
      hurried: Highest rate of an utterance that fits in no other way; if it is still too long, the next one is late.
    """

    slowest: float = 0.85
    fastest: float = 1.25
    hurried: float = 1.5


class Fitter:
    """Places utterances in order, each no faster than it needs to be.

    An utterance never starts before its original or overlaps another. One that is too long even when hurried makes the
    next one late; the following ones have less room until a pause makes up for it.
    """

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self._free = 0.0

    def room(self, slot_start: float, until: float) -> float:
        """Return the seconds available to the next utterance; 0 or less if the previous one takes them all.

        Parameters:
          slot_start: Start of its original, in seconds.
          until: Start of the following utterance's original, in seconds.
        """
        return until - GAP - max(slot_start, self._free)

    def place(self, slot_start: float, slot_end: float, natural: float, until: float) -> Placement:
        """Place the next utterance; all times are in seconds.

        Parameters:
          slot_start, slot_end: Start and end of its original.
          natural: Its length at its natural speed; 0 for a silent one, which takes no time.
          until: Start of the following utterance's original.
        """
        if natural <= 0:
            return Placement(slot_start, slot_end, slot_start, 0.0, until=until)
        start = max(slot_start, self._free)
        rate = self._rate(natural, self.room(slot_start, until), slot_end - start)
        placed = Placement(slot_start, slot_end, start, natural / rate, rate=rate, until=until)
        self._free = placed.free
        return placed

    def _rate(self, natural: float, room: float, own: float) -> float:
        if natural > room:
            return min(natural / room, self.rates.hurried) if room > 0 else self.rates.hurried
        # As long as the original, but with a pause before the next one.
        return max(natural / min(max(own, natural), room), self.rates.slowest)


def fit(items: Sequence[tuple[float, float, float]], *, total: float, rates: Rates) -> list[Placement]:
    """Place all utterances of a recording; all times are in seconds.

    Parameters:
      items: ``(slot_start, slot_end, natural_seconds)`` in order; one of no length is silent, and the previous one may
        use its time.
      total: Length of the recording.
    """
    fitter = Fitter(rates)
    untils: list[float] = []
    until = total
    for start, _, natural in reversed(items):
        untils.append(until)
        until = start if natural > 0 else until
    return [fitter.place(*item, until) for item, until in zip(items, reversed(untils), strict=True)]


def choose(versions: Iterable[T], seconds: Callable[[T], float], *, room: float, rates: Rates) -> T:
    """Return the first wording that fits at ``rates.fastest``, or the shortest if none does.

    Parameters:
      versions: The best first; at least one; drawn only as long as none fits.
      seconds: Returns a wording's length in seconds at its natural speed.
      room: Available seconds.
    """
    tried: list[tuple[float, T]] = []
    for version in versions:
        natural = seconds(version)
        if natural <= room * rates.fastest:
            return version
        tried.append((natural, version))
    return min(tried, key=lambda pair: pair[0])[1]


def fitted(placement: Placement) -> bool:
    """Return whether an utterance starts in time and does not make the next one late."""
    return placement.late <= ON_TIME and placement.free - placement.until <= ON_TIME


def summary(placements: Sequence[Placement]) -> dict[str, float] | None:
    """Measure how well a dub keeps to the speaker: shares from 0 to 1, seconds, rates; None if nothing is spoken."""
    spoken = [placement for placement in placements if placement.seconds > 0]
    if not spoken:
        return None
    late = [placement.late for placement in spoken]
    rates = [placement.rate for placement in spoken]
    return {
        "utterances": len(spoken),
        "on_time": round(fmean(seconds <= ON_TIME for seconds in late), 4),
        "fitted": round(fmean(map(fitted, spoken)), 4),
        "mean_lateness": round(fmean(late), 3),
        "worst_lateness": round(max(late), 3),
        "mean_rate": round(fmean(rates), 3),
        "worst_rate": round(max(rates), 3),
    }
