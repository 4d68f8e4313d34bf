"""What the process that decodes takes away from itself, before it sees anything of a stranger's file.

Most of it cannot be had back, whatever the file makes the process do. Files that are open already stay open, and
Python can no longer import what it has not: so this comes when all is loaded, but for the network, which can only be
left while there is a single thread.
"""

import ctypes
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MEMORY: Final = 256 * 1024 * 1024
"""Bytes of address space beyond what is taken once everything is loaded."""

FILM_MEMORY: Final = 768 * 1024 * 1024
"""Bytes of address space that the index of a film may take in addition, while it is written."""

_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
# The connection, standard output and error, and the two files in hand: nothing can be opened while they are there.
_DESCRIPTORS = 5


def leave_network() -> bool:
    """Move into a network of its own, in which there is nothing; False where the system does not allow that.

    The new user namespace that this takes has another effect: there the process may do nothing to any that is outside,
    not even read the environment of its parent.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWUSER | _CLONE_NEWNET, _CLONE_NEWNET))


def tie_to(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; end now if that has happened already."""
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def give_up_rights() -> None:
    """From now on: a little more memory and two files, no other process, nothing written to any file, no core dump."""
    most = _address_space() + MEMORY
    _limit(resource.RLIMIT_AS, most + FILM_MEMORY)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (min(most, hard), hard))
    _limit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    # Threads are processes here. It does not hold for root.
    _limit(resource.RLIMIT_NPROC, 0)
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    # A core dump that is piped into a program heeds no limit.
    _control(_PR_SET_DUMPABLE, 0)


@contextmanager
def more_memory(size: int) -> Iterator[None]:
    """Allow so many bytes more for a while, up to ``FILM_MEMORY``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (min(soft + size, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class CpuAllowance:
    """Processor time for one request: once it is used up, the kernel ends the process with SIGXCPU."""

    def __init__(self, seconds: float) -> None:
        self._began = time.process_time()
        self._hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Allow so much in all, from when the request began."""
        # The limit is one of the whole process, and counts whole seconds.
        soft = math.ceil(self._began + seconds)
        if self._hard != resource.RLIM_INFINITY:
            soft = min(soft, self._hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, self._hard))


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _control(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
