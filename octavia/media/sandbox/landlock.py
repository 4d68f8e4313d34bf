"""Forbid this process every file, TCP and the signalling of others, by the kernel's Landlock.

The rules are empty, and what the kernel knows is forbidden. So this takes two system calls and no package: those that
wrap Landlock for Python are young, or have not been released in full. Landlock covers neither the attributes of files
(their rights, owner, times) nor looking at them; ``seccomp`` does.

https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import errno
import os
import struct
import sys
from typing import Final

# The same on every architecture.
_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
# A kernel without Landlock, one that was started without it, and a container whose seccomp profile does not know it.
_ABSENT: Final = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})

# By the version of Landlock since which the kernel knows them: how many rights on files there are …
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16, 9: 17}
# … on TCP (bind, connect) …
_NETWORK_RIGHTS: Final = {4: 2}
# … and how many ways to reach processes outside: abstract Unix sockets, signals.
_SCOPES: Final = {6: 2}


def restrict() -> int:
    """Forbid all that the kernel's Landlock can forbid, for good; needs ``no_new_privs`` and a single thread.

    Returns:
      The version of its interface, from 1; 0 if the system has no Landlock.

    Raises:
      OSError: The kernel has it, but refused.
    """
    if sys.platform != "linux":
        return 0
    try:
        version = _call(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError as error:
        if error.errno in _ABSENT:
            return 0
        raise
    rules = attributes(version)
    ruleset = _call(_CREATE_RULESET, rules, len(rules), 0)
    try:
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def attributes(version: int) -> bytes:
    """Pack ``struct landlock_ruleset_attr`` with every right that this version of Landlock handles."""
    return struct.pack("=QQQ", *(_all(known, version) for known in (_FILE_RIGHTS, _NETWORK_RIGHTS, _SCOPES)))


def _all(known: dict[int, int], version: int) -> int:
    """The lowest bits, as many as the version knows rights."""
    return (1 << max((count for since, count in known.items() if since <= version), default=0)) - 1


def _call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = libc.syscall(ctypes.c_long(number), *whole)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return result
