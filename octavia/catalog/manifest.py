"""The manifest beside an installed model's files: its source, and the size, time and hash of each file."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from octavia.catalog import tree
from octavia.catalog.tree import FileEntry
from octavia.files import written_whole

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """The record of one installed model.

    Parameters:
      id: The model's id.
      source: The source that it came from.
      files: Its files when they were last verified.
      model: The model's own description if it is not in the catalogue.
    """

    id: str
    source: str
    files: tuple[FileEntry, ...]
    model: Mapping[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """The tree digest of the files, in hex (see ``tree.digest``)."""
        return tree.digest(self.files)

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(file.size for file in self.files)

    def write(self, folder: Path) -> None:
        """Write it into the folder, whole or not at all.

        Raises:
          OSError: The folder cannot be written.
        """
        content = {
            "format": _FORMAT,
            "id": self.id,
            "source": self.source,
            "sha256": self.sha256,
            "files": [asdict(file) for file in self.files],
            "model": self.model,
        }
        with written_whole(folder / tree.MANIFEST) as file:
            # Whoever may read the folder may read this.
            os.fchmod(file.fileno(), folder.stat().st_mode & 0o644)
            file.write((json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """Return a folder's manifest; None if it has none that this version can read."""
        path = folder / tree.MANIFEST
        try:
            stat = path.stat()
            return _read(path, (stat.st_ino, stat.st_mtime_ns, stat.st_size))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None


@lru_cache(maxsize=128)
def _read(path: Path, _version: tuple[int, ...]) -> Manifest | None:
    """Read it once per version of the file: every submission asks which models are installed."""
    content = json.loads(path.read_text())
    if content["format"] != _FORMAT:
        return None
    files = tuple(FileEntry(**file) for file in content["files"])
    return Manifest(content["id"], content["source"], files, content.get("model"))
