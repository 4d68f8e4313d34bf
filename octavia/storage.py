"""Objects in a folder or a bucket, by key, on top of fsspec. Keys are written once and never changed."""

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

from fsspec.core import url_to_fs

from octavia.errors import NotFound, OctaviaError, Unavailable

_BLOCK = 1024 * 1024


class StorageFull(OctaviaError):
    """No space is left; what was being written is gone, everything else is safe."""

    code = "storage_full"


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
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, root = url_to_fs(url)
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
        return ObjectWriter(self._fs, self._path(key), key, local=self._local)

    def open(self, key: str) -> BinaryIO:
        """Open for reading; seekable.

        Raises:
          NotFound: No such object.
        """
        with _failures(key):
            return cast(BinaryIO, self._fs.open(self._path(key), "rb"))

    def get(self, key: str) -> bytes:
        """Read a small object whole."""
        with self.open(key) as file:
            return file.read()

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        with _failures(key):
            return bool(self._fs.exists(self._path(key)))

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is fine."""
        with _failures(key), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(key))

    def keys(self, prefix: str = "") -> Iterator[tuple[str, float]]:
        """Every key under a folder, with its age's reference: the modification time in epoch seconds."""
        with _failures(prefix):
            self._fs.invalidate_cache()
            found: dict[str, Any] = self._fs.find(self._path(prefix) if prefix else self._root, detail=True)
        for path, info in found.items():
            modified = info.get("mtime") or info.get("LastModified")
            seconds = modified if isinstance(modified, (int, float)) else modified.timestamp() if modified else 0.0
            yield path[len(self._root) + 1 :], float(seconds)

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        """The object as a file on this machine: itself where it is one, else a temporary copy."""
        if self._local:
            path = Path(self._path(key))
            if not path.exists():
                raise NotFound(f"The stored file {key} is gone.", code="artifact_missing")
            yield path
            return
        with tempfile.NamedTemporaryFile(suffix=Path(key).suffix) as copy:
            with self.open(key) as source:
                shutil.copyfileobj(source, copy, _BLOCK)
            copy.flush()
            yield Path(copy.name)

    def check(self) -> None:
        """Write, read and delete a small object.

        Raises:
          OctaviaError: Saying why that is not possible now.
        """
        key = f"health/{uuid4().hex}"
        self.put(key, b"ok")
        self.get(key)
        self.delete(key)

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if not key or ".." in parts or "" in parts:
            raise ValueError(f"bad storage key: {key!r}")
        return f"{self._root}/{key}"


class ObjectWriter:
    """Writes one object under a temporary name; ``stored`` is known once the ``with`` block ends."""

    stored: StoredObject

    def __init__(self, fs: Any, path: str, key: str, *, local: bool) -> None:
        self._fs, self._path, self._key = fs, path, key
        # Object stores publish on close; a folder needs a name of its own and a rename.
        self._target = f"{path}.{uuid4().hex}.part" if local else path
        self._local = local
        self._hash = hashlib.sha256()
        self._size = 0

    def __enter__(self) -> "ObjectWriter":
        with _failures(self._key):
            if self._local:
                self._fs.makedirs(self._path.rsplit("/", 1)[0], exist_ok=True)
            self._file = self._fs.open(self._target, "wb")
        return self

    def write(self, block: bytes) -> int:
        """Append a block and count it; returns its length, as files do."""
        try:
            with _failures(self._key):
                self._file.write(block)
        except OctaviaError:
            self._discard()
            raise
        self._hash.update(block)
        self._size += len(block)
        return len(block)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            with _failures(self._key):
                self._file.close()
                if self._local:
                    self._fs.mv(self._target, self._path)
        except OctaviaError:
            self._discard()
            raise
        self.stored = StoredObject(self._key, self._size, self._hash.hexdigest())

    def _discard(self) -> None:
        with suppress(Exception):
            abandon = getattr(self._file, "discard", None)
            if abandon and not self._local:
                abandon()
            else:
                self._file.close()
        if self._local:
            with suppress(Exception):
                self._fs.rm_file(self._target)


@contextmanager
def _failures(key: str) -> Iterator[None]:
    """Turn what file systems and object stores raise into our own errors."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"The stored file {key} is gone.", code="artifact_missing") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "The storage is full.", hint="Free space or raise the quota, then start the job again."
            ) from error
        raise Unavailable(f"The storage does not answer: {error}", code="storage_unavailable") from error


def _blocks(data: bytes | Iterable[bytes] | BinaryIO) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif hasattr(data, "read"):
        file = cast(BinaryIO, data)
        while block := file.read(_BLOCK):
            yield block
    else:
        yield from data
