"""Waiting for what happens in other threads and processes."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float = 60, *, every: float = 0.01) -> None:
    """Wait until the condition holds, looking at it ``every`` so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(every)
