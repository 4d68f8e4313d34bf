"""Leave the machine's network and its files behind: an empty network, and an empty folder in place of the root.

Both need rights that a user namespace of one's own gives, where the system allows one; root may have them anyway.
"""

import ctypes
import os
import sys

_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000
# Holds nothing but notes on our own open files, is there wherever /proc is, and can be written by nobody.
_EMPTY = "/proc/self/fdinfo"


def leave_network() -> bool:
    """Move into an empty network namespace; returns False if the system does not allow that.

    The new user namespace that this needs also keeps the process from touching any process outside that has rights of
    its own, and from its parent's memory. It needs a single thread.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWUSER | _CLONE_NEWNET, _CLONE_NEWNET))


def leave_files() -> bool:
    """Move into an empty root folder; returns False if the system does not allow that.

    It lasts only without the capability that it takes: drop that next.
    """
    if sys.platform != "linux":
        return False
    try:
        os.chroot(_EMPTY)
    except OSError:
        return False
    os.chdir("/")
    return True
