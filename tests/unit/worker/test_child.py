import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from octavia.middleware.process import Process
from octavia.worker.child import _watch


class _Stop:
    """Tells to stop at the third look."""

    def __init__(self) -> None:
        self.looks = 0

    def wait(self, timeout: float) -> bool:
        self.looks += 1
        return self.looks > 2


@pytest.mark.parametrize(
    ("worker_lives", "consumer_lives", "healthy"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_a_process_whose_worker_or_consumer_died_is_not_healthy(
    worker_lives: bool, consumer_lives: bool, healthy: bool
) -> None:
    # Given a worker of one thread and one consumer
    living, dead = threading.current_thread(), threading.Thread()
    worker: Any = SimpleNamespace(
        workers=[living if worker_lives else dead], consumers={"queue": living if consumer_lives else dead}
    )
    # When it is watched until it is told to stop
    # Then a process that could do nothing any more does not wait for that
    assert _watch(worker, Process("test"), cast(Any, _Stop()), 1.0) is healthy
