"""A fault: a function that breaks a part of the deployment, keeps it broken, and undoes that."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from chaos.deployment import Deployment

Whole = Callable[[], bool]


class Struck(NamedTuple):
    """The target that was hit, and a check that it is whole again: that it runs, or answers."""

    target: str
    whole: Whole


Strike = Callable[[Deployment, Random], Struck]
"""Strikes; returns when there is nothing more to undo. It waits out errors that pass, and raises others."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault.

    Attributes:
      title: Its name in the report.
      alone: A part that it needs for itself: no other fault that needs it strikes before this one has healed.
    """

    title: str
    strike: Strike
    alone: str = ""


def whole_at_once() -> bool:
    """Return True: the target went on, and nothing has to come back."""
    return True
