"""Objects in a folder or a bucket, by key, on top of fsspec. Keys are written once and never changed."""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

from fsspec.core import url_to_fs

from octavia.errors import InputError
from octavia.storage.failures import StorageFull, StorageRefused, failures, gone, no_space
from octavia.storage.writers import (
    DroppingWriter,
    FileWriter,
    ObjectWriter,
    RemoteWriter,
    StoredObject,
    make_root,
    prune,
)

__all__ = [
    "DroppingWriter",
    "ObjectWriter",
    "Storage",
    "StorageFull",
    "StorageRefused",
    "StoredObject",
    "gone",
    "no_space",
]

_BLOCK = 1024 * 1024


class Storage:
    """A place for objects.

    Parameters:
      url: An fsspec URL such as ``file:///var/lib/octavia`` or ``s3://bucket/prefix``.

    Raises:
      InputError: ``invalid_setting``: no kind of store has such URLs, or the package for it is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._fs, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"The storage {url.partition('://')[0]}:// cannot be used: {error}.",
                code="invalid_setting",
                hint="Mend OCTAVIA_STORAGE_URL; for s3:// pip install 'octavia[s3]'.",
            ) from error
        self._root = root.rstrip("/")
        self._local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))
        self._begun = not self._local

    def put(self, key: str, data: bytes | Iterable[bytes] | BinaryIO) -> StoredObject:
        """Write an object whole: readers see all of it or nothing.

        Raises:
          StorageFull: The disk or quota is full.
          StorageRefused: The store does not let us.
          Unavailable: The store does not answer.
        """
        with self.writer(key) as writer:
            for block in _blocks(data):
                writer.write(block)
        return writer.stored

    def writer(self, key: str) -> ObjectWriter:
        """A writer for an object that comes piece by piece; leaving its ``with`` block normally publishes it."""
        path = self._path(key)
        if not self._local:
            return RemoteWriter(self._fs, path, key)
        self._begin()
        return FileWriter(Path(path), key)

    def open(self, key: str) -> BinaryIO:
        """Open for reading; seekable.

        Raises:
          NotFound: No such object.
        """
        with failures(key):
            return cast(BinaryIO, self._fs.open(self._path(key), "rb"))

    def get(self, key: str) -> bytes:
        """Read a small object whole."""
        with self.open(key) as file, failures(key):
            return file.read()

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        with failures(key):
            return bool(self._fs.exists(self._path(key)))

    def delete(self, key: str) -> None:
        """Remove an object, and folders that this leaves empty; one that is not there is fine."""
        with failures(key), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(key))
        if self._local:
            prune(Path(self._path(key)).parent, Path(self._root))

    def keys(self, prefix: str = "") -> Iterator[tuple[str, float]]:
        """Every key under a folder, as it is found, with its modification time in epoch seconds.

        A store that does not tell the time is taken to have been written just now.
        """
        with failures(prefix):
            self._fs.invalidate_cache()
            for _, _, files in self._fs.walk(self._path(prefix) if prefix else self._root, detail=True):
                for info in files.values():
                    modified = info.get("mtime") or info.get("LastModified") or info.get("created")
                    seconds = modified.timestamp() if hasattr(modified, "timestamp") else modified or time.time()
                    yield info["name"][len(self._root) + 1 :], float(seconds)

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """The object as a file on this machine: itself where it is one, else a temporary copy."""
        if self._local:
            path = Path(self._path(key))
            with failures(key):
                path.stat()
            yield path
            return
        with tempfile.NamedTemporaryFile(suffix=Path(key).suffix) as copy:
            with self.open(key) as source, failures(key):
                shutil.copyfileobj(source, copy, _BLOCK)
            copy.flush()
            yield Path(copy.name)

    def free(self) -> int | None:
        """Bytes that can still be written, as the file system has it; None: an object store, which does not say.

        Raises:
          Unavailable: The store does not answer.
        """
        if not self._local:
            return None
        self._begin()
        with failures("", writing=True):
            return shutil.disk_usage(self._root).free

    def check(self) -> None:
        """Write, read and delete a small object.

        Raises:
          OctaviaError: Saying why that is not possible now.
        """
        # Under the id of a job that does not exist: whatever a crash leaves of it is swept.
        key = f"jobs/{uuid4()}/check"
        self.put(key, b"ok")
        self.get(key)
        self.delete(key)

    def _begin(self) -> None:
        """Make a local store's own folder, once: should it vanish later, it is not to be replaced by an empty one."""
        if not self._begun:
            with failures("", writing=True):
                make_root(Path(self._root))
            self._begun = True

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if "\0" in key or not {"", ".", ".."}.isdisjoint(parts):
            raise ValueError(f"bad storage key: {key!r}")
        return f"{self._root}/{key}"


def _blocks(data: bytes | Iterable[bytes] | BinaryIO) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif hasattr(data, "read"):
        while block := data.read(_BLOCK):
            yield block
    else:
        yield from data
