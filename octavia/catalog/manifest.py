"""The manifest beside an installed model's files: what was installed, from where, and how to tell damage."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from octavia.catalog import tree
from octavia.catalog.tree import FileEntry

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """Of one installed model.

    Parameters:
      id: The model's.
      source: Which of its sources gave it.
      files: As they were when they were verified.
      model: The model's own description, for one that the catalogue does not know.
    """

    id: str
    source: str
    files: tuple[FileEntry, ...]
    model: Mapping[str, Any] | None = field(default=None)

    @property
    def sha256(self) -> str:
        """The tree digest."""
        return tree.digest(self.files)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def write(self, folder: Path) -> None:
        """Put it into the folder, whole or not at all."""
        content = {
            "format": _FORMAT,
            "id": self.id,
            "source": self.source,
            "sha256": self.sha256,
            "files": [asdict(file) for file in self.files],
            "model": self.model,
        }
        part = folder / f".{tree.MANIFEST}.{os.getpid()}"
        part.write_text(json.dumps(content, indent=1) + "\n")
        part.replace(folder / tree.MANIFEST)

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """The manifest of a folder; None where there is none that this version can read."""
        path = folder / tree.MANIFEST
        try:
            stat = path.stat()
            return _read(path, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        except (OSError, ValueError, KeyError, TypeError):
            return None


@lru_cache(maxsize=128)
def _read(path: Path, inode: int, modified: int, size: int) -> Manifest | None:
    """Kept as long as the file is the same one: every submission asks which models are installed."""
    content = json.loads(path.read_text())
    if content["format"] != _FORMAT:
        return None
    files = tuple(FileEntry(**file) for file in content["files"])
    return Manifest(content["id"], content["source"], files, content.get("model"))
