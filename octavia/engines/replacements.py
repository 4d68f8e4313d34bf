"""Parts of a text replaced: those that a table's patterns match, or given spans."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar


class Span(Protocol):
    """A part of a text, ``text[start:end]``."""

    @property
    def start(self) -> int:
        """Its first character."""

    @property
    def end(self) -> int:
        """The end, after its last character."""


Part = TypeVar("Part", bound=Span)


class Replacement(NamedTuple):
    """``text[start:end]`` becomes ``written``."""

    start: int
    end: int
    written: str


class Replacer:
    """A compiled table of patterns and the texts that replace their matches; where several match, the first counts.

    Parameters:
      table: Pairs of a regular expression, without capturing groups, and its replacement.
      before: A regular expression of no characters, for what comes before every match.
    """

    def __init__(self, table: Iterable[tuple[str, str]], *, before: str = "") -> None:
        pairs = list(table)
        self._written = [written for _, written in pairs]
        # The group that tells which one matched is its end: ``re`` quickly leaves out what begins with another letter.
        choice = "|".join(f"(?:{pattern})()" for pattern, _ in pairs)
        self._pattern = re.compile(f"{before}(?:{choice or '(?!)'})")

    def __call__(self, text: str) -> str:
        """Return ``text`` with every match replaced."""
        return replaced(text, self.find(text))

    def find(self, text: str) -> Iterator[Replacement]:
        """Yield a replacement for every match, in order."""
        for match in self._pattern.finditer(text):
            yield Replacement(*match.span(), self._written[(match.lastindex or 1) - 1])


def apart(parts: Iterable[Part], others: Iterable[Span]) -> list[Part]:
    """Return the parts of a text that overlap none of the others, which do not overlap each other."""
    spans = sorted((other.start, other.end) for other in others)
    starts = [start for start, _ in spans]
    # Of the others, the last one that begins before a part ends.
    last = ((one, bisect_left(starts, one.end) - 1) for one in parts)
    return [one for one, place in last if place < 0 or spans[place][1] <= one.start]


def replaced(text: str, replacements: Iterable[Replacement]) -> str:
    """Return ``text`` with replacements made; they are in order and do not overlap."""
    parts: list[str] = []
    done = 0
    for start, end, written in replacements:
        parts += [text[done:start], written]
        done = end
    return "".join([*parts, text[done:]])
