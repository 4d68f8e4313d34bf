"""Write one object, whole or not at all: into a folder, or into an object store."""

import errno
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self
from uuid import uuid4

from octavia.errors import Unavailable
from octavia.storage.failures import failures

_RACES = 1000


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was written: its key, size in bytes and sha256 in hex."""

    key: str
    size: int
    sha256: str


class ObjectWriter(ABC):
    """Writes one object, which nobody sees before ``finish``. Not for two threads at once; any thread may go on.

    Used as a context manager, or by ``open``, ``write`` and then either ``finish`` or ``discard``.

    Attributes:
      size: Bytes written so far.
      stored: What was written; set by ``finish``.
    """

    stored: StoredObject

    def __init__(self, key: str) -> None:
        self.key = key
        self.size = 0
        self._hash = hashlib.sha256()

    def open(self) -> None:
        """Begin.

        Raises:
          StorageFull, Unavailable: As every method here.
        """
        with self._discarding_on_failure():
            self._open()

    def write(self, block: bytes) -> int:
        """Append a block; returns its length, as files do. After an error nothing is left of the object."""
        with self._discarding_on_failure():
            self._write(block)
        self._hash.update(block)
        self.size += len(block)
        return len(block)

    def finish(self) -> StoredObject:
        """Make the object visible, whole, and safe from a loss of power."""
        with self._discarding_on_failure():
            self._publish()
        self.stored = StoredObject(self.key, self.size, self._hash.hexdigest())
        return self.stored

    def discard(self) -> None:
        """Leave nothing of it. Never raises; may be called again."""
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
    """Writes beside the final name and renames. Both the bytes and the names are flushed to the disk first."""

    def __init__(self, path: Path, key: str) -> None:
        super().__init__(key)
        self._path = path
        self._part = path.with_name(f"{path.name}.{uuid4().hex}.part")
        self._root = path.parents[key.count("/")]
        self._file: BinaryIO | None = None

    def _open(self) -> None:
        for _ in range(_RACES):
            # A deletion may prune the folder at any moment before it has this file.
            with suppress(FileNotFoundError):
                self._unsynced = _make_folders(self._path.parent, self._root)
                self._file = self._part.open("wb")
                return
        raise Unavailable(
            "The folder of the storage is gone.",
            reason=str(self._root),
            code="storage_unavailable",
            hint="Bring what OCTAVIA_STORAGE_URL names back, such as a disk that is not mounted.",
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
    """Writes to an object store, which shows an object only once its file is closed."""

    def __init__(self, fs: Any, path: str, key: str) -> None:
        super().__init__(key)
        self._fs = fs
        self._path = path

    def _open(self) -> None:
        self._file = self._fs.open(self._path, "wb")

    def _write(self, block: bytes) -> None:
        self._file.write(block)

    def _publish(self) -> None:
        self._file.close()

    def _abandon(self) -> None:
        self._file.discard()
        # fsspec's files publish what they hold when they are collected, unless they count as closed.
        with suppress(AttributeError):
            self._file.closed = True


class DroppingWriter(ObjectWriter):
    """Writes nothing: for whoever only wants to know what the object would have been."""

    def _open(self) -> None: ...

    def _write(self, block: bytes) -> None: ...

    def _publish(self) -> None: ...

    def _abandon(self) -> None: ...


def make_root(root: Path) -> None:
    """Make a store's own folder, safe from a loss of power."""
    for folder in _make_folders(root, None):
        _sync_folder(folder)


def _make_folders(folder: Path, root: Path | None) -> list[Path]:
    """Make a folder and its parents below the root; returns the folders that got a new entry, nearest first.

    Raises:
      FileNotFoundError: The root is not there, which nobody should make in its place: a disk may be missing.
    """
    if folder.is_dir():
        return []
    if folder == root:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))
    changed = _make_folders(folder.parent, root)
    try:
        folder.mkdir()
    except FileExistsError:
        # Another has made it just now, and may have pruned it again; whoever opens a file in it finds out.
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
    """Remove a folder and its parents below the root, as long as they are empty."""
    with suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent
