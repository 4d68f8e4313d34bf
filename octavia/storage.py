"""Objects in a folder or a bucket, by key, on top of fsspec. Keys are written once and never changed."""

import errno
import hashlib
import os
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, cast
from uuid import uuid4

from fsspec.core import url_to_fs

from octavia.errors import InputError, NotFound, OctaviaError, Unavailable

_BLOCK = 1024 * 1024
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RACES = 20
_REMOTE_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec")


class StorageFull(OctaviaError):
    """No space is left; what was being written is gone, everything else is safe."""

    code = "storage_full"


def no_space(error: BaseException) -> bool:
    """Whether writing failed because a disk or quota is full."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What was written: its key, size in bytes and sha256 in hex."""

    key: str
    size: int
    sha256: str


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

    def put(self, key: str, data: bytes | Iterable[bytes] | BinaryIO) -> StoredObject:
        """Write an object whole: readers see all of it or nothing.

        Raises:
          StorageFull: The disk or quota is full.
          Unavailable: The store does not answer.
        """
        with self.writer(key) as writer:
            for block in _blocks(data):
                writer.write(block)
        return writer.stored

    def writer(self, key: str) -> "ObjectWriter":
        """A writer for an object that comes piece by piece; leaving its ``with`` block normally publishes it."""
        path = self._path(key)
        return _FileWriter(Path(path), key) if self._local else _RemoteWriter(self._fs, path, key)

    def open(self, key: str) -> BinaryIO:
        """Open for reading; seekable.

        Raises:
          NotFound: No such object.
        """
        with _failures(key):
            return cast(BinaryIO, self._fs.open(self._path(key), "rb"))

    def get(self, key: str) -> bytes:
        """Read a small object whole."""
        with self.open(key) as file, _failures(key):
            return file.read()

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        with _failures(key):
            return bool(self._fs.exists(self._path(key)))

    def delete(self, key: str) -> None:
        """Remove an object, and folders that this leaves empty; one that is not there is fine."""
        with _failures(key), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(key))
        if self._local:
            _prune(Path(self._path(key)).parent, Path(self._root))

    def keys(self, prefix: str = "") -> Iterator[tuple[str, float]]:
        """Every key under a folder, as it is found, with its modification time in epoch seconds.

        A store that does not tell the time is taken to have been written just now.
        """
        with _failures(prefix):
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
            if not path.exists():
                raise _gone(key)
            yield path
            return
        with tempfile.NamedTemporaryFile(suffix=Path(key).suffix) as copy:
            with self.open(key) as source, _failures(key):
                shutil.copyfileobj(source, copy, _BLOCK)
            copy.flush()
            yield Path(copy.name)

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

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if "\0" in key or not {"", ".", ".."}.isdisjoint(parts):
            raise ValueError(f"bad storage key: {key!r}")
        return f"{self._root}/{key}"


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
        with _failures(self.key, writing=True):
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
            with _failures(self.key, writing=True):
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


class _FileWriter(ObjectWriter):
    """Writes beside the final name and renames. Both the bytes and the names are flushed to the disk first."""

    def __init__(self, path: Path, key: str) -> None:
        super().__init__(key)
        self._path = path
        self._part = path.with_name(f"{path.name}.{uuid4().hex}.part")
        self._root = path.parents[key.count("/")]

    def _open(self) -> None:
        for _ in range(_RACES):
            # A deletion may prune the folder at any moment before it has this file.
            with suppress(FileNotFoundError):
                self._unsynced = _make_folders(self._path.parent)
                self._file = self._part.open("wb")
                return
        raise Unavailable(f"The folder of {self.key} cannot be made.", code="storage_unavailable")

    def _write(self, block: bytes) -> None:
        self._file.write(block)

    def _publish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)
        for folder in (self._path.parent, *self._unsynced):
            _sync_folder(folder)

    def _abandon(self) -> None:
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)
        _prune(self._path.parent, self._root)


class _RemoteWriter(ObjectWriter):
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


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents; returns the folders that got a new entry, nearest first."""
    if folder.is_dir():
        return []
    changed = _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    return [folder.parent, *changed]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prune(folder: Path, root: Path) -> None:
    """Remove a folder and its parents below the root, as long as they are empty."""
    with suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


def _gone(key: str) -> NotFound:
    return NotFound(f"The stored file {key} is gone.", code="artifact_missing")


@contextmanager
def _failures(key: str, *, writing: bool = False) -> Iterator[None]:
    """Turn what file systems and object stores raise into our own errors."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not writing:
            raise _gone(key) from error
        if no_space(error):
            raise StorageFull(
                "The storage is full.", hint="Free space or raise the quota, then start the job again."
            ) from error
        raise Unavailable(f"The storage does not answer: {error}", code="storage_unavailable") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in _REMOTE_LIBRARIES:
            raise Unavailable(f"The storage does not answer: {error}", code="storage_unavailable") from error
        raise


def _blocks(data: bytes | Iterable[bytes] | BinaryIO) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif hasattr(data, "read"):
        while block := data.read(_BLOCK):
            yield block
    else:
        yield from data
