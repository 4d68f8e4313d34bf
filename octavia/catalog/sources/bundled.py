"""Models bundled with Octavia's own package."""

from dataclasses import dataclass
from pathlib import Path

from octavia.catalog.model import Model
from octavia.catalog.sources.base import Progress, Source, SourceError

FOLDER = Path(__file__).parent.parent / "bundled"


@dataclass(frozen=True, slots=True)
class Bundled(Source):
    """A folder of the package, used where it is."""

    name: str

    def in_place(self) -> Path | None:
        """Return the folder, if this installation has it."""
        folder = FOLDER / self.name
        return folder if folder.is_dir() else None

    def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
        """Always fail: a bundled model that is missing cannot be fetched.

        Raises:
          SourceError: Always.
        """
        raise SourceError("it comes with Octavia: install Octavia again")
