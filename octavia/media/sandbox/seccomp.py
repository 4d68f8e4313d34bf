"""Let the kernel refuse this process every system call but a few, by a filter (seccomp).

The filter is a program of a few instructions, which is written here: the packages that could write it wrap libseccomp,
which not every system has, are young, or are no longer kept. A call that is not allowed fails with EPERM, as if the
process had no right to it; a call by the numbers of another architecture, which no library makes, ends the process.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final, TypeAlias

from octavia.media.sandbox.system_calls import AUDIT_NUMBERS, CLONE3, Condition, allowed

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

# Instructions of the kernel's filters (linux/bpf_common.h): load a word, "and" it, compare it and jump, return.
_LOAD: Final = 0x20
_AND: Final = 0x54
_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06

_KILL: Final = 0x8000_0000
_ALLOW: Final = 0x7FFF_0000
_FAIL: Final = 0x0005_0000

# Where in `struct seccomp_data` the words lie; the lower half of an argument comes first on both architectures.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16

Instruction: TypeAlias = tuple[int, int, int, int]
"""Code, how many instructions to skip if true and if false, and a constant."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict() -> bool:
    """Refuse all calls but the allowed ones from now on, for good; needs ``no_new_privs`` and a single thread.

    Returns:
      False if the system has no filters, or an architecture whose calls are not known here.

    Raises:
      OSError: The kernel has filters, but refused this one.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in AUDIT_NUMBERS or sys.maxsize < 2**32 or not _is_available():
        return False
    instructions = program(machine, os.getpid())
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    filter = _Program(len(instructions), packed)
    if _set(ctypes.byref(filter)) != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
    return True


def program(machine: str, pid: int) -> list[Instruction]:
    """Write the filter for a machine such as ``x86_64``; ``pid`` is the id of the process."""
    made: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, AUDIT_NUMBERS[machine]),
        (_RETURN, 0, 0, _KILL),
        # x86's third kind of calls (x32) has numbers of its own here, so that none of them is allowed.
        (_LOAD, 0, 0, _NUMBER),
    ]
    for number, condition in allowed(machine, pid).values():
        checks = [] if condition is None else _check(condition)
        made += [(_IF_EQUAL, 0, len(checks) + 1, number), *checks, (_RETURN, 0, 0, _ALLOW)]
    return [
        *made,
        (_IF_EQUAL, 0, 1, CLONE3),
        (_RETURN, 0, 0, _FAIL | errno.ENOSYS),
        (_RETURN, 0, 0, _FAIL | errno.EPERM),
    ]


def _check(condition: Condition) -> list[Instruction]:
    """Go on after these instructions if the condition holds, else fail."""
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * condition.argument),
        (_AND, 0, 0, condition.mask),
        (_IF_EQUAL, 1, 0, condition.value),
        (_RETURN, 0, 0, _FAIL | errno.EPERM),
    ]


def _is_available() -> bool:
    """True if the kernel knows filters: then it complains of a missing one."""
    return _set(None) != 0 and ctypes.get_errno() == errno.EFAULT


def _set(filter: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_SECCOMP, _MODE_FILTER, filter, 0, 0)
    return result
