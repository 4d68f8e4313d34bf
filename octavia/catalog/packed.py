"""Read zips and tarballs that may have been made to do harm: every read and all that is unpacked have a bound.

``tarfile`` and ``zipfile`` believe what a file says of itself: they read a header of any size into memory, skip over
any number of unpacked bytes, and decompress some methods without a limit. So they get a file that refuses.
"""

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, cast

from octavia.catalog import bounds

Blocks = Callable[[], Iterator[bytes]]
"""Gives the content of a file in an archive, once, in blocks."""

_BLOCK: Final = 1024**2
# A zip's directory comes in one piece: of as many files as there may be it has half of this.
_MOST_DIRECTORY: Final = 4 * 1024**2
# A tarball's headers with long names and times have some hundred bytes.
_MOST_HEADER: Final = 64 * 1024
# Older Pythons search them with a pattern that takes the square of this.
_MANY_DIGITS: Final = re.compile(rb"\d{100}")
_MOST_XZ_MEMORY: Final = 128 * 1024**2
_DAMAGED: Final = (EOFError, RuntimeError, ValueError, OverflowError, struct.error, zlib.error, lzma.LZMAError)


class BadArchive(Exception):
    """The file is no archive, is damaged, or lacks the wanted files; the message goes on after its name."""


class TooMuch(BadArchive):
    """More is in the archive than a model has."""


@contextmanager
def opened(archive: Path) -> Iterator[Iterator[tuple[str, Blocks]]]:
    """Give the path and the content of each regular file; links and devices are passed over.

    A content must be taken before the next path.

    Raises:
      BadArchive: Also while the block takes paths and contents.
    """
    with archive.open("rb") as file, ExitStack() as stack:
        try:
            if file.read(4) in (b"PK\3\4", b"PK\5\6"):
                package = stack.enter_context(zipfile.ZipFile(cast(IO[bytes], _Directory(file))))
                yield _counted(_zipped(package))
            else:
                file.seek(0)
                most = bounds.unpacked(archive.stat().st_size)
                stream = _Stream(stack.enter_context(_decompressed(file)), most)
                yield _counted(_tarred(_tarball(stream), stream))
        except (tarfile.TarError, zipfile.BadZipFile, *_DAMAGED) as error:
            raise BadArchive(f"is damaged: {error}") from error


def too_much(most: int) -> TooMuch:
    """Make the error for an archive that unpacks to more than ``most`` bytes."""
    return TooMuch(f"unpacks to more than {most // 1_000_000} MB, too much for a model of its size")


def _counted(entries: Iterator[tuple[str, Blocks] | None]) -> Iterator[tuple[str, Blocks]]:
    for count, entry in enumerate(entries, 1):
        if count > bounds.MOST_FILES:
            raise TooMuch(f"holds more than {bounds.MOST_FILES} entries")
        if entry is not None:
            yield entry


def _zipped(package: zipfile.ZipFile) -> Iterator[tuple[str, Blocks] | None]:
    for info in package.infolist():
        yield None if info.is_dir() else (info.filename, partial(_inflated, package, info))


def _inflated(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    # The others are unpacked without a limit: a few hundred bytes would become gigabytes in memory.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArchive(f"holds a file that is neither stored nor deflated: {info.filename[:100]!r}")
    with package.open(info) as member:
        yield from iter(partial(member.read, _BLOCK), b"")


def _tarball(stream: "_Stream") -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:")
    except tarfile.ReadError as error:
        raise BadArchive("is neither a zip nor a tarball") from error


def _tarred(tarball: tarfile.TarFile, stream: "_Stream") -> Iterator[tuple[str, Blocks] | None]:
    for info in tarball:
        if info.issparse():
            raise BadArchive(f"holds a sparse file: {info.name[:100]!r}")
        yield (info.name, partial(stream.content, info.offset_data, info.size)) if info.isreg() else None


class _Directory:
    """The file of a zip, of which no read is longer than a directory may be."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_DIRECTORY:
            # The search for a zip's end reads what is left of the file.
            here = self._file.tell()
            size = self._file.seek(0, io.SEEK_END) - here if size < 0 else size
            self._file.seek(here)
            if size > _MOST_DIRECTORY:
                raise TooMuch(f"has a directory of more than {_MOST_DIRECTORY // 1024**2} MiB")
        return self._file.read(size)


class _Stream:
    """An unpacked tarball, read forwards only, and to ``most`` bytes only; ``tarfile`` reads its headers by this."""

    def __init__(self, source: IO[bytes], most: int) -> None:
        self._source = source
        self._most = most
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Read a header."""
        if not 0 <= size <= _MOST_HEADER:
            raise TooMuch(f"has a header of more than {_MOST_HEADER // 1024} KiB")
        header = self._take(size)
        if size > tarfile.BLOCKSIZE and _MANY_DIGITS.search(header):
            raise BadArchive("has a header that no program writes")
        return header

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Skip what lies before ``position``."""
        if whence != io.SEEK_SET or position < self._position:
            raise BadArchive("has a header that points backwards")
        # Also what is only skipped is unpacked, and takes its time.
        if position > self._most:
            raise too_much(self._most)
        while self._position < position and self._take(min(_BLOCK, position - self._position)):
            pass
        return self._position

    def content(self, start: int, size: int) -> Iterator[bytes]:
        """Give the ``size`` bytes from ``start`` on."""
        self.seek(start)
        end = start + size
        while self._position < end:
            block = self._take(min(_BLOCK, end - self._position))
            if not block:
                raise BadArchive("is damaged: it ends in the middle of a file")
            yield block

    def _take(self, size: int) -> bytes:
        try:
            block = self._source.read(size)
        except OSError as error:  # also of gzip and bz2, for what they cannot unpack
            raise BadArchive(f"is damaged: {error}") from error
        self._position += len(block)
        if self._position > self._most:
            raise too_much(self._most)
        return block


def _decompressed(file: IO[bytes]) -> IO[bytes]:
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if magic.startswith(b"BZh"):
        return cast(IO[bytes], bz2.BZ2File(file))
    return io.BufferedReader(_Xz(file), _BLOCK) if magic == b"\xfd7zXZ\0" else file


class _Xz(io.RawIOBase):
    """An unpacked ``.xz``; ``lzma.open`` would give it as much memory as it asks for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = b""
        while not block and not self._unpacker.eof:
            more = self._file.read(64 * 1024) if self._unpacker.needs_input else b""
            if not more and self._unpacker.needs_input:
                raise EOFError("it ends before its end")
            block = self._unpacker.decompress(more, max_length=len(buffer))
        buffer[: len(block)] = block
        return len(block)
