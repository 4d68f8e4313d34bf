"""Extract a model's files, and no others, from a wheel, zip or tarball; no path leaves the target folder."""

import errno
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Final

from octavia.catalog import bounds, packed, tree
from octavia.catalog.packed import BadArchive, TooMuch

__all__ = ["BadArchive", "TooMuch", "extract", "names"]

# A disk that is full stops everything else on it.
_LEFT_FREE: Final = 64 * 1024**2


def extract(archive: Path, folder: str, patterns: tuple[str, ...], target: Path, *, size: int = 0) -> None:
    """Unpack the files under ``folder`` that match the patterns into ``target``, keeping their paths below ``folder``.

    Bytes and files are counted as they are written. After an error, what was written stays: the caller removes the
    target.

    Parameters:
      size: The model's size in bytes by the catalogue; 0 if it has none, so that the archive's own size is the bound.

    Raises:
      BadArchive: No file matches, a path leads out of the archive, or the file is no archive.
      TooMuch: It has more files or bytes than a model of that size, see ``bounds``.
      OSError: ``ENOSPC`` already when the disk is nearly full.
    """
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    most = bounds.unpacked(archive.stat().st_size)
    most = min(most, bounds.of_model(size)) if size else most
    target.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(target).free - _LEFT_FREE
    written = 0
    taken = _Taken()
    with packed.opened(archive) as entries:
        for name, content in entries:
            relative = name.removeprefix(prefix)
            if not name.startswith(prefix) or not tree.matches(relative, patterns):
                continue
            taken.add(relative)
            path = target / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                for block in content():
                    written += len(block)
                    if written > most:
                        raise packed.too_much(most)
                    if written > room:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
                    file.write(block)
    if not taken.paths:
        raise BadArchive(f"holds no {', '.join(patterns)} under {folder or 'its root'}")


def names(archive: Path) -> list[str]:
    """List the paths of the files in an archive.

    Raises:
      BadArchive: The file is no archive.
      TooMuch: As ``extract``.
    """
    with packed.opened(archive) as entries:
        return [name for name, _ in entries]


class _Taken:
    """The paths that were taken so far, on any file system: none is there twice, or below a file."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self._folders: set[str] = set()

    def add(self, path: str) -> None:
        """Note a path. Raises ``BadArchive`` if it leads outside, is absurd, or is in the way of another one."""
        if not bounds.is_plain(path):
            raise BadArchive(f"has a path that no model has: {path[:100]!r}")
        # Some file systems take names that differ in case only for one.
        plain = PurePosixPath(path.casefold())
        above = [folder.as_posix() for folder in plain.parents]
        taken = plain.as_posix() in self.paths or plain.as_posix() in self._folders
        if taken or not self.paths.isdisjoint(above):
            raise BadArchive(f"has two files in one place: {path[:100]!r}")
        self.paths.add(plain.as_posix())
        self._folders.update(above)
