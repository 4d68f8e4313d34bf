"""Write one object, whole or not at all, into a folder or an object store."""

import errno
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from octavia.errors import Unavailable
from octavia.files import part_name
from octavia.storage.failures import failures
from octavia.storage.space import Reservation

_RACES = 1000
_REMOTE_BLOCK = 8 * 1024 * 1024
"""Bytes that wait in memory to be sent to an object store, of each object that is being written.

S3 takes no less than 5 MiB and 10,000 of them for one object; s3fs would take 50 MiB.
"""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A written object: its key, size in bytes and sha256 in hex."""

    key: str
    size: int
    sha256: str


class ObjectWriter(ABC):
    """Writes one object, which readers see only after ``finish``. Any thread may use it, but only one at a time.

    Use it as a context manager, or call ``open``, ``write`` and then either ``finish`` or ``discard``.

    Parameters:
      room: What each block must fit into; None takes whatever the storage has.

    Attributes:
      size: Bytes written so far.
      stored: The written object; set by ``finish``.
    """

    stored: StoredObject

    def __init__(self, key: str, room: Reservation | None = None) -> None:
        self.key = key
        self.size = 0
        self._room = room
        self._hash = hashlib.sha256()

    def open(self) -> None:
        """Begin the object.

        Raises:
          StorageFull, StorageRefused, Unavailable: Also raised by ``write`` and ``finish``.
        """
        with self._discarding_on_failure():
            self._open()

    def write(self, block: bytes) -> int:
        """Append a block; returns its length, as files do. After an error the object is discarded."""
        with self._discarding_on_failure(), self._room.writing(len(block)) if self._room else nullcontext():
            self._write(block)
        self._hash.update(block)
        self.size += len(block)
        return len(block)

    def finish(self) -> StoredObject:
        """Publish the object, whole and safe from a loss of power."""
        with self._discarding_on_failure():
            self._publish()
        self.stored = StoredObject(self.key, self.size, self._hash.hexdigest())
        return self.stored

    def discard(self) -> None:
        """Remove the unfinished object. Never raises; may be called again."""
        with suppress(Exception):
            self._abandon()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()

    @contextmanager
    def _discarding_on_failure(self) -> Iterator[None]:
        try:
            with failures(self.key, writing=True):
                yield
        except BaseException:
            self.discard()
            raise

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _write(self, block: bytes) -> None: ...

    @abstractmethod
    def _publish(self) -> None: ...

    @abstractmethod
    def _abandon(self) -> None: ...


class FileWriter(ObjectWriter):
    """Writes a temporary file beside the final name and renames it; syncs the bytes before and the folders after."""

    def __init__(self, path: Path, key: str, room: Reservation | None = None) -> None:
        super().__init__(key, room)
        self._path = path
        self._part = path.with_name(part_name())
        self._root = path.parents[key.count("/")]
        self._file: BinaryIO | None = None

    def _open(self) -> None:
        for _ in range(_RACES):
            # A deletion may prune the folder until it holds this file.
            with suppress(FileNotFoundError):
                self._unsynced = _make_folders(self._path.parent, self._root)
                self._file = self._part.open("wb")
                return
        raise Unavailable(
            "The folder of the storage is gone.",
            reason=str(self._root),
            code="storage_unavailable",
            hint="Restore the folder of OCTAVIA_STORAGE_URL; perhaps its disk is not mounted.",
        )

    def _write(self, block: bytes) -> None:
        assert self._file is not None
        self._file.write(block)

    def _publish(self) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)
        for folder in (self._path.parent, *self._unsynced):
            _sync_folder(folder)

    def _abandon(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._part.unlink(missing_ok=True)
        prune(self._path.parent, self._root)


class RemoteWriter(ObjectWriter):
    """Writes to an object store, which shows an object only after its file is closed."""

    def __init__(self, fs: Any, path: str, key: str, room: Reservation | None = None) -> None:
        super().__init__(key, room)
        self._fs = fs
        self._path = path

    def _open(self) -> None:
        self._file = self._fs.open(self._path, "wb", block_size=_REMOTE_BLOCK)

    def _write(self, block: bytes) -> None:
        self._file.write(block)

    def _publish(self) -> None:
        self._file.close()

    def _abandon(self) -> None:
        self._file.discard()
        # When garbage-collected, fsspec's files publish their content unless they are marked as closed.
        with suppress(AttributeError):
            self._file.closed = True


class DroppingWriter(ObjectWriter):
    """Writes nothing; only computes the size and hash that the object would have."""

    def _open(self) -> None: ...

    def _write(self, block: bytes) -> None: ...

    def _publish(self) -> None: ...

    def _abandon(self) -> None: ...


def make_root(root: Path) -> None:
    """Make a storage's own folder, for this user alone, safe from a loss of power."""
    for folder in _make_folders(root, None, 0o700):
        _sync_folder(folder)


def _make_folders(folder: Path, root: Path | None, mode: int = 0o777) -> list[Path]:
    """Make a folder and its parents below the root; returns the folders with a new entry, nearest first.

    Raises:
      FileNotFoundError: The root is missing; it is not made anew, because its disk may just not be mounted.
    """
    if folder.is_dir():
        return []
    if folder == root:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    changed = _make_folders(folder.parent, root, mode)
    try:
        folder.mkdir(mode)
    except FileExistsError:
        # Another process has just made it, and may prune it again; opening a file in it then fails.
        if folder.is_file():
            raise
    return [folder.parent, *changed]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prune(folder: Path, root: Path) -> None:
    """Remove a folder and its parents below the root, up to the first one that is not empty."""
    with suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent
