"""Give up root's rights, and those that a user namespace has brought."""

import ctypes
import os
import sys

_VERSION_3 = 0x2008_0522


def drop() -> None:
    """Give up every capability for good, once ``no_new_privs`` is set.

    Raises:
      OSError: The system refused, and there are some left.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # This process; then 2 × (effective, permitted, inheritable).
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()) == 0:
        return
    refused = ctypes.get_errno()
    left = (ctypes.c_uint32 * 6)()
    if libc.capget(header, left) != 0 or any(left):
        raise OSError(refused, f"capset: {os.strerror(refused)}")
