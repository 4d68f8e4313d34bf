"""The plan of faults, by a seed: rounds of every kind in random order, at random distances with a given mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

_SPREAD = 0.7


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to come: its time in seconds from the beginning, its kind, and the seed of its own choices."""

    at: float
    kind: str
    seed: int


def plan(kinds: Sequence[str], count: int, every: float, random: Random) -> list[Planned]:
    """Plan ``count`` faults, one every ``every`` seconds on average.

    No kind comes twice in a row, and none again before all others have come.
    """
    order: list[str] = []
    while len(order) < count:
        turn = list(kinds)
        random.shuffle(turn)
        if len(turn) > 1 and order and turn[0] == order[-1]:
            turn.append(turn.pop(0))
        order += turn
    planned, at = [], 0.0
    for kind in order[:count]:
        at += every * random.uniform(1 - _SPREAD, 1 + _SPREAD)
        planned.append(Planned(at, kind, random.getrandbits(32)))
    return planned


def may_order(ordered: int, total: int, passed: float, *, ahead: int = 3) -> bool:
    """Return True if it is time for the next of ``total`` jobs.

    Jobs are spread over the faults, some ``ahead``, so that each fault finds some under way even on a fast machine.

    Parameters:
      passed: The share of the faults that have come, 0–1.
    """
    return ordered < min(total, ahead + passed * total)
