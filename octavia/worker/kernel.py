"""Requests to Linux about a process, for which Python has no call."""

import ctypes
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
# Places in /proc/self/stat, after the name.
_ARG_START: Final = 45
_ENV_START: Final = 47


def adopt_orphans() -> bool:
    """Have processes whose parent has ended become children of this one, if it is their nearest ancestor that asked.

    Returns False if the system knows nothing of it.
    """
    return sys.platform == "linux" and not ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def show_command(argv: Sequence[str]) -> None:
    """Show another command line for this process, as in ``ps``, and its present environment.

    A fork has those of its parent, and they are written over. So the environment must have been set anew, in memory of
    its own. What there is no room for is left out. Does nothing where the system does not tell the place.
    """
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = (int(field) for field in fields[_ARG_START : _ARG_START + 2])
        behind, last = (int(field) for field in fields[_ENV_START : _ENV_START + 2])
        if 0 < start < end == behind < last:
            words = [os.fsencode(word) for word in argv]
            entries = [os.fsencode(f"{name}={value}") for name, value in os.environ.items()]
            shown = _laid_out(words, entries, end - start, last - start)
            ctypes.memmove(start, shown, len(shown))


def _laid_out(words: Sequence[bytes], entries: Sequence[bytes], room: int, most: int) -> bytes:
    """The bytes to write: the arguments, one by one if they fit into the room of the former ones, and the environment.

    Others are one line, which goes on into the room of the environment: the kernel takes them for that if the last byte
    in the room of the former arguments is no zero.
    """
    shown = b"\0".join(words) + b"\0"
    shown = shown.ljust(room, b"\0") if len(shown) <= room else b" ".join(words)[: most - 1] + b"\0"
    for entry in entries:
        if len(shown) + len(entry) < most:
            shown += entry + b"\0"
    return shown.ljust(most, b"\0")
