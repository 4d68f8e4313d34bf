"""What every kind of source is and takes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Progress = Callable[[str, int, int | None], None]
"""Called with a label, the bytes done and the bytes in all (None: not known)."""


class SourceError(Exception):
    """This source cannot give the model; the message says why, the next source is tried."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch: the patterns of the files, and about how many bytes they are."""

    files: tuple[str, ...]
    size: int


class Source(Protocol):
    """One place to get a model from."""

    def in_place(self) -> Path | None:
        """The folder of the model where this machine already has it, to be read there and never written."""
        ...

    def fetch(self, wanted: Wanted, target: Path, scratch: Path, progress: Progress) -> None:
        """Put the model's files into ``target``; ``scratch`` is an empty folder to work in, removed afterwards.

        Raises:
          SourceError: It cannot, and why.
        """
        ...
