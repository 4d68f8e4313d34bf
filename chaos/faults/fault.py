"""What a fault is: a function that breaks something, holds it broken, and undoes that."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from chaos.deployment import Deployment

Whole = Callable[[], bool]


class Struck(NamedTuple):
    """What was hit, and whether that is whole again: what was killed runs, what was stopped answers."""

    target: str
    whole: Whole


Strike = Callable[[Deployment, Random], Struck]
"""Strikes; returns when there is nothing more to undo. Raises nothing that it could wait out."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault.

    Attributes:
      title: As the report names it.
      alone: What it needs for itself: no other fault that needs it strikes before this one has healed.
    """

    title: str
    strike: Strike
    alone: str = ""


def whole_at_once() -> bool:
    """Nothing has to come back: what was struck went on."""
    return True
