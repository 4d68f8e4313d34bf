"""Run a command that cannot outlive its parent: ``python tether.py PARENT_PID COMMAND [ARG…]``.

It is run as a file, isolated and without site packages (``-I -S``), and imports the standard library alone, so that it
starts in milliseconds. The death signal survives ``exec``. It is set here, after an ``exec``, because code between fork
and exec could deadlock in a program with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tether(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends; exit now if the parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    tether(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  # there is no shell in between, on purpose
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
