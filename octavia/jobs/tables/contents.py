"""The bytes of a job's files: of some small ones from their rows, of the others from the storage."""

import io
from typing import BinaryIO, Final, Protocol

import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.tables.rows import Artifact
from octavia.storage import Storage

SMALL_BYTES: Final = 8 * 1024
"""Files up to this size may be kept in their rows: that costs less than an object of their own."""


IN_STORAGE: Final[sa.ColumnElement[bool]] = col(Artifact.content).is_(None)
"""Clause on ``Artifact``: the storage has its bytes."""


class Kept(Protocol):
    """A file that is kept either way; ``content`` is None if the storage has it."""

    @property
    def storage_key(self) -> str:
        """The key of its object."""

    @property
    def content(self) -> bytes | None:
        """Its bytes, if its row holds them."""


def opened(storage: Storage, file: Kept) -> BinaryIO:
    """Open a file for reading; it is seekable. Raises as ``Storage.open``."""
    return storage.open(file.storage_key) if file.content is None else io.BytesIO(file.content)


def read(storage: Storage, file: Kept) -> bytes:
    """Read a small file whole. Raises as ``Storage.get``."""
    return storage.get(file.storage_key) if file.content is None else file.content


def exists(storage: Storage, file: Kept) -> bool:
    """Return whether a file is there. Raises as ``Storage.exists``."""
    return file.content is not None or storage.exists(file.storage_key)
