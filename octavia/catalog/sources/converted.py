"""A model that comes in a format which no engine loads, and is converted here."""

from dataclasses import dataclass, replace
from pathlib import Path

from octavia import programs
from octavia.catalog.conversions import Conversion
from octavia.catalog.model import Model
from octavia.catalog.sources import commands
from octavia.catalog.sources.base import Progress, Source, SourceError


@dataclass(frozen=True, slots=True)
class Converted(Source):
    """The source of the other format, and the conversion, which runs in a process of its own."""

    source: Source
    name: str
    conversion: Conversion

    def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
        """Fetch the files of the other format and convert them.

        Raises:
          SourceError: The source cannot give them, one is missing, or they cannot be converted.
        """
        original, fetching, converting = (scratch / name for name in ("original", "fetching", "converting"))
        for folder in (original, fetching, converting):
            folder.mkdir()
        self.source.fetch(replace(model, files=self.conversion.files), original, fetching, progress)
        missing = [name for name in self.conversion.files if not (original / name).is_file()]
        if missing:
            raise SourceError(f"missing {', '.join(missing)}")
        made = converting / "made"
        made.mkdir()
        commands.run(
            programs.module(self.conversion.module, str(original), str(made)),
            folder=converting,
            environment={},
            label=f"convert {self.name}",
            size=model.size,
            progress=progress,
        )
        for path in made.iterdir():
            path.rename(target / path.name)
