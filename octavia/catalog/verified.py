"""The record of models in Python packages that were hashed, so that not every process hashes them anew.

A model in the store has a manifest with the size and time of each file. One in a package has none, and the package's
folder may belong to another user, so its record lies in the store: ``.verified/MODEL.json``.

What lets a later process trust it: whoever can write there can replace the store's own models too, so it opens no new
way in. A file that was replaced has another inode or another time of change of its inode, which no program can set, as
it can the time of change of the contents; so a package that was upgraded, restored or damaged by a program is hashed
again. Bits that rot on the disk change no stamp: ``octavia models pull`` hashes every file.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from octavia.catalog import tree
from octavia.files import written_whole
from octavia.private import as_given


@dataclass(frozen=True, slots=True)
class Stamp:
    """The marks of a file that change when it is replaced: size in bytes, times in nanoseconds, inode and device."""

    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


@dataclass(frozen=True, slots=True)
class Verified:
    """The files of a model, as they were when their digest was ``sha256``."""

    sha256: str
    folder: str
    stamps: tuple[Stamp, ...]

    @classmethod
    def now(cls, sha256: str, folder: Path, patterns: tuple[str, ...]) -> Self:
        """Look at the matching files of a folder, without reading them."""
        stats = ((name, (folder / name).stat()) for name in tree.names(folder, patterns))
        return cls(
            sha256,
            str(folder),
            tuple(
                Stamp(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)
                for name, stat in stats
            ),
        )

    def noted(self, path: Path) -> bool:
        """Return whether this is what a record says; a record that cannot be read says nothing."""
        try:
            return bool(json.loads(path.read_text()) == json.loads(self._text()))
        except (OSError, ValueError, RecursionError):
            return False

    def note(self, path: Path) -> None:
        """Write the record; where that cannot be done, each process goes on to hash."""
        with suppress(OSError):
            with as_given():
                path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as file:
                # Whoever may read the models may read this.
                os.fchmod(file.fileno(), path.parent.stat().st_mode & 0o644)
                file.write(self._text().encode())

    def _text(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"
