"""Fit spoken utterances to the time of the original: when each starts, and how fast it is spoken."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

from octavia.media.timeline import GAP, Placement

T = TypeVar("T")

ON_TIME = 0.1
"""Seconds behind the original up to which nobody notices."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast speech may be, as multiples of its natural speed.

    Attributes:
      slowest: Where the speaker took longer.
      fastest: Before a shorter wording is looked for.
      hurried: One utterance that fits in no other way; what is still too long makes the next one late.
    """

    slowest: float = 0.85
    fastest: float = 1.25
    hurried: float = 1.5


class Fitter:
    """Places utterances in order, each with as much haste as it needs and no more.

    None starts before its original and none overlaps another. One that is too long even when hurried keeps the next
    from starting in time; those that follow have that much less room, until a pause makes up for it.
    """

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self._free = 0.0

    def room(self, slot_start: float, until: float) -> float:
        """Seconds for an utterance whose original starts at ``slot_start`` and the next one's at ``until``.

        Nothing and less where the one before takes it all.
        """
        return until - GAP - max(slot_start, self._free)

    def place(self, slot_start: float, slot_end: float, natural: float, until: float) -> Placement:
        """Place the next utterance, ``natural`` seconds long at its natural speed; a silent one takes no time."""
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
        # As long as the speaker was, but never so long that there is no pause left.
        return max(natural / min(max(own, natural), room), self.rates.slowest)


def fit(items: Sequence[tuple[float, float, float]], *, total: float, rates: Rates) -> list[Placement]:
    """Place utterances in order, given as ``(slot_start, slot_end, natural_seconds)``, in ``total`` seconds.

    One of no length is silent: its time is free for the one before it.
    """
    fitter = Fitter(rates)
    untils: list[float] = []
    until = total
    for start, _, natural in reversed(items):
        untils.append(until)
        until = start if natural > 0 else until
    return [fitter.place(*item, until) for item, until in zip(items, reversed(untils), strict=True)]


def choose(versions: Iterable[T], seconds: Callable[[T], float], *, room: float, rates: Rates) -> T:
    """The first of several wordings that fits at ``rates.fastest``, or the shortest where none does.

    Each is looked at only when those before it do not fit.

    Parameters:
      versions: The best first; at least one.
      seconds: How long one is at its natural speed.
      room: Seconds that there are.
    """
    tried: list[tuple[float, T]] = []
    for version in versions:
        natural = seconds(version)
        if natural <= room * rates.fastest:
            return version
        tried.append((natural, version))
    return min(tried, key=lambda pair: pair[0])[1]


def fitted(placement: Placement) -> bool:
    """Whether an utterance has its own place: it starts in time, and does not make the next one late."""
    return placement.late <= ON_TIME and placement.free - placement.until <= ON_TIME


def summary(placements: Sequence[Placement]) -> dict[str, float] | None:
    """How well a dub keeps to the speaker: shares from 0 to 1, seconds, rates; None where nothing is said."""
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
