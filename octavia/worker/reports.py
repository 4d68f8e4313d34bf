"""What a worker process tells its supervisor: JSON, one object a line, through a pipe."""

import json
import os
from collections.abc import Mapping
from typing import Any

from octavia.worker.processes import REPORT_FD


class Reports:
    """The worker's end of the pipe; without a supervisor, reports go nowhere."""

    def __init__(self) -> None:
        self._fd = int(os.environ[REPORT_FD]) if REPORT_FD in os.environ else None
        if self._fd is not None:
            # Only this process reports, not what it starts.
            os.set_inheritable(self._fd, False)

    def __call__(self, report: Mapping[str, Any]) -> None:
        """Write one line. When nobody reads any more the supervisor is dead, and this process must not outlive it."""
        if self._fd is None:
            return
        try:
            os.write(self._fd, json.dumps(report).encode() + b"\n")
        except BrokenPipeError:
            os._exit(1)


def parse(line: bytes) -> dict[str, Any]:
    """One line of the pipe."""
    report: dict[str, Any] = json.loads(line)
    return report
