"""Give up root's rights, and those that a user namespace has brought."""

import ctypes
import os
import sys

_VERSION_3 = 0x2008_0522


def drop() -> None:
    """Give up every capability for good, once ``no_new_privs`` is set.

    Raises:
      OSError: The kernel refused.
    """
    if sys.platform != "linux":
        return
    # This process; then 2 × (effective, permitted, inheritable), all empty.
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), f"capset: {os.strerror(ctypes.get_errno())}")
