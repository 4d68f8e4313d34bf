"""How a worker process died, in words for those whose task it had in hand."""

import signal
from typing import Final

from octavia.jobs.tables.records import Death

_MEMORY: Final = "Give the machine more memory, or take a smaller model or fewer worker slots; then retry the job."
_CRASH: Final = "The worker's log says where it happened. Another model may do; then retry the job."

_OF_SIGNAL: Final[dict[int, Death]] = {
    signal.SIGKILL: Death("was killed (SIGKILL), most likely because memory ran out", _MEMORY),
    signal.SIGSEGV: Death("crashed with a segmentation fault (SIGSEGV)", _CRASH),
    signal.SIGBUS: Death("crashed with a bus error (SIGBUS), as when a disk is full", _CRASH),
    signal.SIGABRT: Death("was ended by its own native code (SIGABRT), as when memory runs out", f"{_MEMORY} {_CRASH}"),
    signal.SIGILL: Death("met an instruction that this processor does not know (SIGILL)", _CRASH),
    signal.SIGFPE: Death("crashed with an arithmetic error (SIGFPE)", _CRASH),
}


def death_of(code: int) -> Death:
    """What to say of a process that ended with an exit code, or with the negative number of a signal."""
    if code >= 0:
        return Death(f"ended with exit code {code} in the middle of it", _CRASH)
    return _OF_SIGNAL.get(-code) or Death(f"was ended by signal {-code}", _CRASH)
