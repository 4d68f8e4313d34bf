"""The system calls that a confined process may still make, and their numbers.

They are those that Python, NumPy and FFmpeg make to read two open files, to compute, and to answer over an open socket.
All others fail: nothing is opened, created, changed, started, signalled or looked up by name.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Condition:
    """Requires that the lower 32 bits of an argument, after ``mask``, have a value.

    Attributes:
      argument: Its number, from 0.
    """

    argument: int
    value: int
    mask: int = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that is allowed, perhaps under a condition.

    Attributes:
      x86_64: Its number there (asm/unistd_64.h).
      aarch64: Its number there (asm-generic/unistd.h); None if it does not exist.
    """

    x86_64: int
    aarch64: int | None
    condition: Condition | None = None

    def number(self, machine: str) -> int | None:
        """Return its number on a machine."""
        return {"x86_64": self.x86_64, "aarch64": self.aarch64}[machine]


_PROT_EXEC = 4

_NO_NEW_CODE = Condition(2, 0, mask=_PROT_EXEC)
_OWN_PROCESS = Condition(0, 0)

AUDIT_NUMBERS: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
"""The kernel's numbers of the architectures that are known here (``AUDIT_ARCH_…`` in linux/audit.h)."""

_ALLOWED: Final = {
    # The two files of a request, and the connection.
    "read": Call(0, 63),
    "readv": Call(19, 65),
    "pread64": Call(17, 67),
    "lseek": Call(8, 62),
    # Some C libraries look at an open file by the call that looks at any file by name: that one is not allowed, and
    # Python does without.
    "fstat": Call(5, 80),
    "recvmsg": Call(47, 212),
    "recvfrom": Call(45, 207),
    "sendto": Call(44, 206),
    "write": Call(1, 64),
    "writev": Call(20, 66),
    "close": Call(3, 57),
    # Standard error is sent elsewhere once everything is loaded.
    "dup2": Call(33, None),
    "dup3": Call(292, 24),
    # Memory, but no new code.
    "brk": Call(12, 214),
    "mmap": Call(9, 222, _NO_NEW_CODE),
    "mprotect": Call(10, 226, _NO_NEW_CODE),
    "munmap": Call(11, 215),
    "mremap": Call(25, 216),
    "madvise": Call(28, 233),
    # Locks, clocks and chance.
    "futex": Call(202, 98),
    "sched_yield": Call(24, 124),
    "sched_getaffinity": Call(204, 123, _OWN_PROCESS),
    "clock_gettime": Call(228, 113),
    "gettimeofday": Call(96, 169),
    "getrusage": Call(98, 165),
    "getrandom": Call(318, 278),
    "getpid": Call(39, 172),
    "gettid": Call(186, 178),
    # Its own limits: processor time and memory for a request.
    "prlimit64": Call(302, 261, _OWN_PROCESS),
    # Its own signals, and its end.
    "rt_sigaction": Call(13, 134),
    "rt_sigprocmask": Call(14, 135),
    "rt_sigreturn": Call(15, 139),
    "sigaltstack": Call(131, 132),
    "restart_syscall": Call(219, 128),
    "exit": Call(60, 93),
    "exit_group": Call(231, 94),
}

CLONE3: Final = 435
"""Not allowed; the C library tries ``clone`` instead only if the kernel seems not to know this one."""


def allowed(machine: str, pid: int) -> dict[str, tuple[int, Condition | None]]:
    """Return the allowed calls by name: the number of each on a machine such as ``x86_64``, and its condition.

    Parameters:
      pid: Id of the confined process, which may signal itself: ``abort`` does.
    """
    calls = _ALLOWED | {"tgkill": Call(234, 131, Condition(0, pid))}
    numbers = {name: call.number(machine) for name, call in calls.items()}
    return {name: (number, calls[name].condition) for name, number in numbers.items() if number is not None}
