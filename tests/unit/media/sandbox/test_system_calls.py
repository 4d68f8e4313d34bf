"""The numbers of the system calls, against those of libseccomp, which almost every Linux has."""

import ctypes

import pytest

from octavia.media.sandbox.system_calls import AUDIT_NUMBERS, CLONE3, allowed


@pytest.fixture(scope="module")
def libseccomp() -> ctypes.CDLL:
    try:
        return ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp is not installed")


@pytest.mark.parametrize("machine", AUDIT_NUMBERS)
def test_each_number_is_that_of_its_name(libseccomp: ctypes.CDLL, machine: str) -> None:
    # Given the table, and libseccomp, whose tokens for architectures are the kernel's numbers for audits
    numbers = {name: number for name, (number, _) in allowed(machine, 1).items()} | {"clone3": CLONE3}
    assert len(numbers) > 30
    resolve = libseccomp.seccomp_syscall_resolve_name_arch
    resolve.argtypes = (ctypes.c_uint32, ctypes.c_char_p)
    # Then both say the same
    assert {name: resolve(AUDIT_NUMBERS[machine], name.encode()) for name in numbers} == numbers


@pytest.mark.parametrize("machine", AUDIT_NUMBERS)
def test_nothing_that_opens_starts_or_signals_is_allowed(machine: str) -> None:
    forbidden = {"open", "openat", "execve", "clone", "kill", "socket", "connect", "ioctl", "fcntl", "prctl", "ptrace"}
    assert not forbidden & allowed(machine, 1).keys()
