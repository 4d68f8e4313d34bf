"""How well cues keep to the soft rules."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class Faults:
    """How often each soft rule is broken.

    Attributes:
      too_fast: More columns to read than a second has room for.
      too_short: On screen.
      clause_split: Cues that end inside a clause.
      sentence_begun: Cues that end a sentence and begin another, without so much of it as ends with a comma.
      line_split: Lines that end inside a clause.
      widow: Words that have a cue or a line to themselves, and are no sentence.
    """

    too_fast: int = 0
    too_short: int = 0
    clause_split: int = 0
    sentence_begun: int = 0
    line_split: int = 0
    widow: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, field.name) for field in fields(self))

    @classmethod
    def sum(cls, faults: Iterable[Self]) -> "Faults":
        """Of several cues."""
        found = list(faults)
        return cls(*(sum(getattr(one, field.name) for one in found) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class Report:
    """About all cues of a file."""

    cues: int
    faults: Faults

    def to_dict(self) -> dict[str, int]:
        """As JSON has it: the number of cues, and how often each soft rule is broken."""
        return {"cues": self.cues, **asdict(self.faults)}
