"""The filter of system calls, run here as the kernel would run it."""

import errno
import struct

import pytest

from octavia.media.sandbox import seccomp
from octavia.media.sandbox.system_calls import AUDIT_NUMBERS, CLONE3, allowed

PID = 4711
KILL, ALLOW, REFUSE = 0x8000_0000, 0x7FFF_0000, 0x0005_0000 | errno.EPERM
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4


def answer(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter says to a call."""
    data = struct.pack(
        "<iIQ6Q", number, AUDIT_NUMBERS[machine] if audit is None else audit, 0, *(*arguments, *[0] * 6)[:6]
    )
    program = seccomp.program(machine, PID)
    word, place = 0, 0
    while True:
        code, if_true, if_false, constant = program[place]
        place += 1
        match code:
            case 0x20:
                assert constant % 4 == 0
                (word,) = struct.unpack_from("<I", data, constant)
            case 0x54:
                word &= constant
            case 0x15:
                place += if_true if word == constant else if_false
            case 0x06:
                return constant
            case _:
                raise AssertionError(f"an instruction that is not known here: {code:#x}")


@pytest.mark.parametrize("machine", AUDIT_NUMBERS)
def test_what_is_not_allowed_is_refused(machine: str) -> None:
    # Given every number that the kernel may know, and no arguments that would be wrong
    numbers = {number for number, _ in allowed(machine, PID).values()}
    # Then the filter lets through those of the table, and no other
    assert {number for number in range(1_000) if answer(machine, number, PID) == ALLOW} == numbers - {
        # These are for the process itself only, which is 0 here.
        allowed(machine, PID)[name][0]
        for name in ("prlimit64", "sched_getaffinity")
    }
    for number in set(range(1_000)) - numbers - {CLONE3}:
        assert answer(machine, number) == REFUSE
    # And the C library is told that the kernel has no clone3
    assert answer(machine, CLONE3) == 0x0005_0000 | errno.ENOSYS


@pytest.mark.parametrize("machine", AUDIT_NUMBERS)
def test_calls_by_the_numbers_of_another_architecture_end_the_process(machine: str) -> None:
    # Given that of the other, and the 32 bits that each can run beside its own
    others = {*AUDIT_NUMBERS.values(), 0x4000_0003, 0x4000_0028} - {AUDIT_NUMBERS[machine]}
    for other in others:
        assert answer(machine, 3, audit=other) == KILL


def test_x32_is_refused() -> None:
    for number, _ in allowed("x86_64", PID).values():
        assert answer("x86_64", 0x4000_0000 + number) == REFUSE


@pytest.mark.parametrize("machine", AUDIT_NUMBERS)
@pytest.mark.parametrize("name", ["mmap", "mprotect"])
def test_memory_is_never_code(machine: str, name: str) -> None:
    number, _ = allowed(machine, PID)[name]
    for wanted in range(8):
        expected = REFUSE if wanted & PROT_EXEC else ALLOW
        assert answer(machine, number, 0, 4096, wanted) == expected
        # What the kernel ignores changes nothing
        assert answer(machine, number, 0, 4096, 0x1_0000_0000 | wanted) == expected


@pytest.mark.parametrize("machine", AUDIT_NUMBERS)
@pytest.mark.parametrize(("name", "self"), [("prlimit64", 0), ("sched_getaffinity", 0), ("tgkill", PID)])
def test_calls_about_processes_are_about_itself(machine: str, name: str, self: int) -> None:
    number, _ = allowed(machine, PID)[name]
    assert answer(machine, number, self) == ALLOW
    for other in (1, PID + 1, 0xFFFF_FFFF, PID if self == 0 else 0):
        assert answer(machine, number, other) == REFUSE


@pytest.mark.parametrize("machine", AUDIT_NUMBERS)
def test_the_kernel_accepts_its_size(machine: str) -> None:
    assert len(seccomp.program(machine, PID)) < 4096
    for place, (_, if_true, if_false, _) in enumerate(program := seccomp.program(machine, PID)):
        assert place + 1 + max(if_true, if_false) < len(program) or program[place][0] == 0x06
        assert max(if_true, if_false) < 256
