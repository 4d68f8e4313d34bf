"""One digest for all files of a folder, so that a single line of the catalogue can pin a model."""

import fnmatch
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
"""The store's own file in a model's folder; never part of the model."""

_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a model: its relative path, size in bytes, time of change in nanoseconds and sha256 in hex."""

    name: str
    size: int
    mtime_ns: int
    sha256: str


def sha256_of(path: Path) -> str:
    """Compute the sha256 of a file, in hex."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a relative path matches one of the patterns; ``*`` matches ``/`` too."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def names(folder: Path, patterns: Iterable[str] = ("*",)) -> Iterator[str]:
    """Yield the relative paths of the matching files in a folder, sorted, without caches and the manifest."""
    patterns = tuple(patterns)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST or "__pycache__" in path.parts or not path.is_file():
            continue
        if matches(name, patterns):
            yield name


def entry(folder: Path, name: str) -> FileEntry:
    """Read and hash one file."""
    path = folder / name
    stat = path.stat()
    return FileEntry(name, stat.st_size, stat.st_mtime_ns, sha256_of(path))


def scan(folder: Path, patterns: Iterable[str] = ("*",)) -> tuple[FileEntry, ...]:
    """Read and hash every matching file."""
    return tuple(entry(folder, name) for name in names(folder, patterns))


def open_as(example: Path, target: Path) -> None:
    """Let those read the folder ``target`` and all in it who may read ``example``; only the owner writes."""
    readers = example.stat().st_mode & 0o055
    for path in (target, *target.rglob("*")):
        path.chmod(0o700 | readers if path.is_dir() else 0o600 | readers & 0o044)


def digest(entries: Iterable[FileEntry]) -> str:
    """Compute the tree digest: the sha256 over one line ``sha256  size  name`` per file, sorted by name."""
    lines = [f"{file.sha256}  {file.size}  {file.name}\n" for file in sorted(entries, key=lambda file: file.name)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
