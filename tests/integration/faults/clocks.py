"""Processes whose wall clock is wrong, and goes on to be wrong in another way: libfaketime, which leaves files, timers
and the monotonic clock as they are, as a clock that is set does."""

import os
import threading
import time
from pathlib import Path

HOURS = 2
_FILE = "FAKETIME_TIMESTAMP_FILE"


class Clock:
    """The wall clock of the processes that are run with ``prefix``; ``set`` may be called while they run."""

    def __init__(self, folder: Path, hours: int) -> None:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            raise RuntimeError("These tests need libfaketime: apt-get install faketime")
        self._file = folder / f"clock{hours:+d}"
        self.set(hours)
        settings = {
            "LD_PRELOAD": found[0],
            _FILE: self._file,
            "FAKETIME_NO_CACHE": 1,
            "FAKETIME_DONT_FAKE_MONOTONIC": 1,
            "NO_FAKE_STAT": 1,
        }
        self.prefix = ("env", *(f"{name}={value}" for name, value in settings.items()))

    def set(self, hours: int) -> None:
        """So many hours ahead of what is right."""
        self._file.write_text(f"{hours:+d}h\n")


def mend() -> None:
    """Let a process whose clock is wrong sleep: libfaketime takes ``time.sleep`` for one until a time of day."""
    if _FILE in os.environ:
        time.sleep = lambda seconds: threading.Event().wait(seconds)
