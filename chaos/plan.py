"""What is broken when, by a seed: rounds of every kind in random order, at random distances with a given mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

_SPREAD = 0.7


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to come: seconds from the beginning, its kind, and the seed of its own choices."""

    at: float
    kind: str
    seed: int


def plan(kinds: Sequence[str], count: int, every: float, random: Random) -> list[Planned]:
    """So many faults, one every so many seconds on average; of ``count`` kinds or more each comes at least once.

    No kind comes twice in a row.
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
    """Whether it is time for the next of ``total`` jobs.

    They are spread over the faults, of which the share ``passed`` has come, ``ahead`` of them by some: each fault finds
    some of them under way, on a machine that has them done at once too.
    """
    return ordered < min(total, ahead + passed * total)
