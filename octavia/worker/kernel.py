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
    """Show another command line for this process, as in ``ps``, which a fork has from its parent.

    It is written over the one that the process was started with, and may take the place of the environment behind it.
    So the environment must have been set anew, in memory of its own. Does nothing where the system does not tell the
    place.
    """
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = (int(field) for field in fields[_ARG_START : _ARG_START + 2])
        behind, last = (int(field) for field in fields[_ENV_START : _ENV_START + 2])
        if 0 < start < end:
            line = _laid_out(argv, end - start, (last if behind == end else end) - start)
            ctypes.memmove(start, line, len(line))


def _laid_out(argv: Sequence[str], room: int, most: int) -> bytes:
    """The bytes to write: separate arguments within the room of the former ones, else one line that ends with a zero.

    The kernel takes it for such a line if the last byte of the former arguments is no zero.
    """
    words = [os.fsencode(word) for word in argv]
    separate = b"\0".join(words) + b"\0"
    if len(separate) <= room:
        return separate.ljust(room, b"\0")
    return b" ".join(words)[: most - 1] + b"\0"
