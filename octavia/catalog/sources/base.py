"""The protocol of sources, and its parameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from octavia.catalog.model import Model

Progress = Callable[[str, int, int | None], None]
"""Called with a label, the bytes done and the total bytes (None if unknown)."""


class SourceError(Exception):
    """A source cannot give the model; the message says why. The caller tries the next source."""


class Source(Protocol):
    """One place to get a model from."""

    def in_place(self) -> Path | None:
        """Return the model's folder if this machine already has it outside of the store; it is only read."""
        return None

    def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
        """Put the model's files into ``target``; ``scratch`` is an empty working folder that the caller removes.

        Raises:
          SourceError: It cannot give them; the message says why.
        """
        ...
