"""A supervisor's orders to its worker processes: which queues are paused, and whether to end after the task in hand.

They are JSON, one object a line, through a pipe: ``{"held": ["translate"], "drain": false}``. Each says everything that
is in force, and is repeated, so one that is missed does no harm. No worker process asks the database.
"""

import json
import os
import threading
from collections.abc import Sequence
from typing import BinaryIO

import structlog

from octavia.background import Turns, keep_on
from octavia.brokers.gate import Gate
from octavia.jobs.tables.pauses import PauseRecord, mode_of
from octavia.jobs.tables.states import PauseMode, Queue
from octavia.middleware.process import host
from octavia.worker.pipes import ORDER_FD

_QUEUES = {queue.value: queue for queue in Queue}

logger = structlog.get_logger()


def order_for(queues: Sequence[Queue], pauses: Sequence[PauseRecord]) -> tuple[bytes, bool]:
    """The order for a process that serves these queues on this host, and whether it has to end: all are drained."""
    here = host()
    modes = {queue: mode_of(pauses, queue, here) for queue in queues}
    drain = all(mode is PauseMode.DRAIN for mode in modes.values())
    held = [queue.value for queue, mode in modes.items() if mode]
    return json.dumps({"held": held, "drain": drain}).encode(), drain


class Orders:
    """A thread that obeys the supervisor. Without one, nothing is ever held; with one, everything until it has spoken.

    Attributes:
      drain: Set once this process has to end after the task in hand.
    """

    def __init__(self, gate: Gate) -> None:
        self.drain = threading.Event()
        self._gate = gate
        self._pipe: BinaryIO | None = None
        self._ended = threading.Event()
        if ORDER_FD in os.environ:
            fd = int(os.environ[ORDER_FD])
            # Only this process is told, not the processes that it starts.
            os.set_inheritable(fd, False)
            self._pipe = os.fdopen(fd, "rb")
            gate.hold(tuple(Queue))

    def start(self) -> None:
        """Start to obey."""
        if self._pipe:
            threading.Thread(target=self._run, name="orders", daemon=True).start()

    def _run(self) -> None:
        keep_on(Turns("orders"), self._obey_next, ended=self._ended.is_set, wait=self._ended.wait)

    def _obey_next(self) -> None:
        assert self._pipe
        line = self._pipe.readline()
        if not line:
            # The supervisor has ended, and this process is about to.
            self._pipe.close()
            self._ended.set()
            return
        order = json.loads(line)
        self._gate.hold([_QUEUES[name] for name in order["held"] if name in _QUEUES])
        if order["drain"]:
            self.drain.set()
