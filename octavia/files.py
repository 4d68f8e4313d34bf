"""Files that appear whole or not at all, and names that every file system takes."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final
from uuid import uuid4

LONGEST_NAME: Final = 255
"""Bytes of a name; most file systems take no more."""

# What no new name should have: controls, marks that turn the direction of text, and bytes that are no UTF-8, each of
# which Python keeps as half of a surrogate pair.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MARK_SIZE = 6
# What means more than a letter to some system: parts of a path, streams of a file (``a:b``), wildcards, pipes.
_RESERVED = re.compile(r'[<>:"/\\|?*]')
_DEVICES = frozenset(
    [
        *("CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"),
        *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10)),
    ]
)


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A new file that replaces ``path`` when the block ends, and is removed when the block raises.

    It lies beside ``path`` under a name of its own, so that several processes may write at once; the last one wins.

    Raises:
      OSError: As ``open`` and ``Path.replace`` do.
    """
    part = path.with_name(part_name())
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def part_name() -> str:
    """Return a new name for an unfinished file, which is short whatever the file will be called."""
    return f".{uuid4().hex}.part"


def cleaned(name: str) -> str:
    """Return a name with ``_`` for each control character, and for each of its bytes that is no UTF-8."""
    return _UNFIT.sub("_", name)


def portable(name: str) -> str:
    """Return a name that systems other than this one take, too: ``cleaned``, and with ``_`` for what is reserved there.

    It may still be a device's name, be too long, or end in a dot: that depends on what is appended.
    """
    return _RESERVED.sub("_", cleaned(name))


def is_device(name: str) -> bool:
    """Return whether Windows takes a name for a device's: ``con``, ``NUL.txt``, ``com¹ .wav``, ``aux:x``.

    Only what precedes the first dot or colon counts, without spaces around it. Wide letters and raised digits count as
    plain ones: Windows itself takes some for them, and programs convert others.
    """
    plain = unicodedata.normalize("NFKC", name[:LONGEST_NAME]).upper()
    return plain.replace(":", ".").partition(".")[0].strip() in _DEVICES


def is_plain(name: str) -> bool:
    """Return whether a name is that of one ordinary file on every system, which nobody mistakes for an option.

    So it is no path, not hidden, no device's, and neither empty nor too long.
    """
    return (
        name == portable(name)
        and 0 < len(name.encode()) <= LONGEST_NAME
        and name[0] not in ".~- "
        and name[-1] not in ". "
        and not is_device(name)
    )


def fitted(stem: str, ending: str) -> str:
    """Return the name ``stem + ending``, with the stem cut so that the name has at most ``LONGEST_NAME`` bytes.

    The stem is ``cleaned`` too. If that or the length changes it, it gets a mark made from all of it, so that two stems
    that begin alike stay apart. The name of a device gets a ``_`` before it.
    """
    if is_device(stem + ending):
        stem = f"_{stem}"
    clean = cleaned(stem)
    room = LONGEST_NAME - len(ending.encode())
    if clean == stem and len(clean.encode()) <= room:
        return stem + ending
    mark = "~" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:_MARK_SIZE]
    # A character that is cut in two is left out.
    cut = clean.encode()[: room - len(mark)].decode(errors="ignore")
    return cut.rstrip(" .") + mark + ending
