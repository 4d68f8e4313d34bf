"""A model that is spread over several packages, each below a registry's limit, as those who publish one cut it up."""

import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from octavia.catalog import tree
from octavia.catalog.model import Model
from octavia.catalog.sources.base import Progress, Source, SourceError

_PART = re.compile(r"(.+)\.part(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Parts(Source):
    """Sources that have a model only together: ``NAME.part1``, ``NAME.part2`` … of any of them become ``NAME``."""

    sources: tuple[Source, ...]

    def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
        """Fetch all of them, and join what they bring.

        Raises:
          SourceError: One of them cannot give its part, a part is missing, or two of them give the same file.
        """
        wanted = replace(model, files=(*model.files, *(f"{pattern}.part*" for pattern in model.files)))
        folders = []
        for number, source in enumerate(self.sources, 1):
            folder, working = scratch / f"{number}", scratch / f"{number}-scratch"
            folder.mkdir()
            working.mkdir()
            source.fetch(wanted, folder, working, progress)
            shutil.rmtree(working)
            folders.append(folder)
        _join(folders, target)


def _join(folders: Sequence[Path], target: Path) -> None:
    """Move the files of all folders into ``target``, with their parts joined."""
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    for folder in folders:
        for name in tree.names(folder):
            part = _PART.fullmatch(name)
            whole, number = (part[1], int(part[2])) if part else (name, 0)
            if number in found[whole]:
                raise SourceError(f"two of its packages hold {name}")
            found[whole][number] = folder / name
    for whole, parts in found.items():
        numbers = sorted(parts)
        if numbers != [0]:
            missing = [number for number in range(1, max(2, *numbers) + 1) if number not in parts]
            if missing or 0 in parts:
                raise SourceError(f"missing {whole}.part{missing[0]}" if missing else f"{whole} is also there whole")
        path = target / whole
        path.parent.mkdir(parents=True, exist_ok=True)
        first, *others = (parts[number] for number in numbers)
        first.rename(path)
        with path.open("ab") as file:
            for other in others:
                with other.open("rb") as content:
                    shutil.copyfileobj(content, file)
                other.unlink()
