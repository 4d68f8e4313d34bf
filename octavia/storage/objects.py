"""The storage: read, write, list and delete objects by key, in a folder or a bucket."""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

from fsspec.core import url_to_fs

from octavia import tracing
from octavia.errors import InputError
from octavia.storage.failures import failures
from octavia.storage.space import Reservation
from octavia.storage.writers import FileWriter, ObjectWriter, RemoteWriter, StoredObject, make_root, prune
from octavia.urls import shown, without_logins

_BLOCK = 1024 * 1024


class Storage:
    """A folder or bucket of objects. Keys are relative paths with ``/``.

    Parameters:
      url: An fsspec URL such as ``file:///var/lib/octavia`` or ``s3://bucket/prefix``.

    Raises:
      InputError: ``invalid_setting``: the URL's scheme is unknown, or the package for it is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._fs, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"The storage {shown(url)} cannot be used: {without_logins(str(error))}.",
                code="invalid_setting",
                hint="Correct OCTAVIA_STORAGE_URL; for s3:// run pip install 'octavia[s3]'.",
            ) from error
        self._root = root.rstrip("/")
        self._local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))
        self._begun = not self._local

    @property
    def folder(self) -> Path | None:
        """The storage's own folder, which may not exist yet; None if it is not on this machine."""
        return Path(self._root) if self._local else None

    def put(
        self, key: str, data: bytes | Iterable[bytes] | BinaryIO, *, room: Reservation | None = None
    ) -> StoredObject:
        """Write an object whole: readers see all of it or nothing.

        Parameters:
          data: The content: bytes, blocks of bytes, or an open binary file.
          room: What it must fit into; None takes whatever the storage has.

        Raises:
          StorageFull: The disk or quota is full.
          StorageRefused: Octavia may not write there.
          Unavailable: The storage does not answer.
          ValueError: The key is invalid.
        """
        if isinstance(data, bytes):
            data = [data]
        elif hasattr(data, "read"):
            data = iter(partial(data.read, _BLOCK), b"")
        with tracing.span("storage put") as span:
            with self.writer(key, room=room) as writer:
                for block in data:
                    writer.write(block)
            span.note({"octavia.bytes": writer.size})
        return writer.stored

    def writer(self, key: str, *, room: Reservation | None = None) -> ObjectWriter:
        """Make a writer for an object that comes piece by piece; leaving its ``with`` block normally publishes it.

        Parameters:
          room: As for ``put``.

        Raises:
          StorageFull, StorageRefused, Unavailable: The storage's own folder cannot be made.
          ValueError: The key is invalid.
        """
        path = self._path(key)
        if not self._local:
            return RemoteWriter(self._fs, path, key, room)
        self._begin()
        return FileWriter(Path(path), key, room)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading; the file is seekable.

        Raises:
          NotFound: The object does not exist.
          StorageRefused, Unavailable: As ``put``.
        """
        with failures(key):
            return cast(BinaryIO, self._fs.open(self._path(key), "rb"))

    def get(self, key: str) -> bytes:
        """Read a small object whole.

        Raises:
          NotFound, StorageRefused, Unavailable: As ``open``.
        """
        with tracing.span("storage get") as span, self.open(key) as file, failures(key):
            data = file.read()
            span.note({"octavia.bytes": len(data)})
            return data

    def exists(self, key: str) -> bool:
        """Return whether the object exists."""
        with failures(key):
            return bool(self._fs.exists(self._path(key)))

    def delete(self, key: str) -> None:
        """Delete an object, and folders that this leaves empty; a missing object is no error."""
        with failures(key), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(key))
        if self._local:
            prune(Path(self._path(key)).parent, Path(self._root))

    def keys(self, prefix: str = "") -> Iterator[tuple[str, float]]:
        """Yield every key under a folder, as it is found, with its modification time in epoch seconds.

        If the storage does not tell the time of an object, that is the current time.
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
        """Give the object as a file on this machine: the file itself, or a temporary copy from a bucket.

        Raises:
          NotFound, StorageRefused, Unavailable: As ``open``.
        """
        if self._local:
            path = Path(self._path(key))
            with failures(key):
                path.stat()
            yield path
            return
        with tempfile.NamedTemporaryFile(suffix=Path(key).suffix) as copy:
            with tracing.span("storage get"), self.open(key) as source, failures(key):
                shutil.copyfileobj(source, copy, _BLOCK)
            copy.flush()
            yield Path(copy.name)

    def free(self) -> int | None:
        """Return the free bytes of the file system; None for an object store, which does not tell.

        Raises:
          StorageRefused, Unavailable: As ``put``.
        """
        if not self._local:
            return None
        self._begin()
        with failures("", writing=True):
            return shutil.disk_usage(self._root).free

    def check(self) -> None:
        """Test the storage: write, read and delete a small object.

        Raises:
          OctaviaError: The reason that this is not possible at present.
        """
        # Under the id of a job that does not exist, so that retention removes the leftovers of a crash.
        key = f"jobs/{uuid4()}/check"
        self.put(key, b"ok")
        self.get(key)
        self.delete(key)

    def _begin(self) -> None:
        """Make a local storage's own folder, once: if it vanishes later, an empty one must not take its place."""
        if not self._begun:
            with failures("", writing=True):
                make_root(Path(self._root))
            self._begun = True

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if "\0" in key or not {"", ".", ".."}.isdisjoint(parts):
            raise ValueError(f"invalid storage key: {key!r}")
        return f"{self._root}/{key}"
