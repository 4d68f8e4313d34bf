"""Give up the rights of the child process before it sees a client's file.

None of them can be regained, whatever the file makes the process do. Open files stay open, but no further module can
be imported: so this follows the imports, except for leaving the network.

Limits bound what the process takes, and are no control of what it reaches. For that there are layers, each of which
holds without the others: ``seccomp``, ``landlock`` and ``namespaces``. A layer that the system lacks is left out.
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

from octavia.media.sandbox import capabilities, landlock, seccomp
from octavia.media.sandbox.layers import Layers
from octavia.media.sandbox.namespaces import leave_files

MEMORY: Final = 256 * 1024 * 1024
"""Bytes of address space on top of those in use when everything is loaded."""

FILM_MEMORY: Final = 768 * 1024 * 1024
"""Further bytes of address space for the index of a film while it is written."""

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
# The connection, standard output and error, and the two files of a request: nothing else can be opened.
_DESCRIPTORS = 5


def tie_to(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; exit now if it has ended already."""
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def give_up_rights(*, network_left: bool) -> Layers:
    """Limit memory and files, and forbid all that is not needed to answer requests about files that are open.

    Parameters:
      network_left: What ``leave_network`` returned.

    Raises:
      OSError: The system has a layer, but refused it.
      RuntimeError: The process has several threads; the layers would hold for one of them only.
    """
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("a process with several threads cannot be confined")
    limit()
    root_left = leave_files()
    forbid_new_rights()
    capabilities.drop()
    return Layers(network_left, root_left, landlock.restrict(), seccomp.restrict())


def limit() -> None:
    """Allow only a little more memory and two more files; forbid new processes, writing to files and core dumps."""
    if sys.platform == "linux":
        _limit_memory()
    _limit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    # Threads count as processes. Root is exempt from this limit.
    _limit(resource.RLIMIT_NPROC, 0)


def forbid_new_rights() -> None:
    """Have no program bring rights, and give none over this process to others of its user."""
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    # RLIMIT_CORE does not apply to a core dump that is piped into a program.
    _control(_PR_SET_DUMPABLE, 0)


@contextmanager
def more_memory(size: int) -> Iterator[None]:
    """Allow ``size`` more bytes of address space, at most ``FILM_MEMORY``, until the block ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (min(soft + size, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class CpuAllowance:
    """Processor time for one request, in seconds; once it is used up, the kernel kills the process with SIGXCPU."""

    def __init__(self, seconds: float) -> None:
        self._began = time.process_time()
        self._hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Allow ``seconds`` in total from the beginning of the request."""
        # The kernel's limit counts whole seconds over the life of the process.
        soft = math.ceil(self._began + seconds)
        if self._hard != resource.RLIM_INFINITY:
            soft = min(soft, self._hard)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, self._hard))


def _limit_memory() -> None:
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = in_use + MEMORY
    _limit(resource.RLIMIT_AS, most + FILM_MEMORY)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (min(most, hard), hard))


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _control(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
