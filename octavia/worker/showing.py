"""The metrics of a supervisor's worker processes."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from octavia.metrics.declared import MODELS_LOADED, WORKER_PROCESSES, WORKER_RESIDENT

Activity = Literal["starting", "idle", "working", "failing"]

_ACTIVITIES: Final[tuple[Activity, ...]] = ("starting", "idle", "working", "failing")


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One worker process now.

    Attributes:
      queue: The queue that it serves; ``all`` without a broker.
      memory: Resident bytes.
      models: The number of models that it has loaded.
    """

    queue: str
    activity: Activity
    memory: int
    models: int


def show(found: Iterable[ProcessState]) -> None:
    """Put the worker processes of this supervisor into its metrics."""
    processes = list(found)
    for queue in {process.queue for process in processes}:
        served = [process for process in processes if process.queue == queue]
        WORKER_RESIDENT.labels(queue).set(sum(process.memory for process in served))
        for activity in _ACTIVITIES:
            amount = sum(process.activity == activity for process in served)
            WORKER_PROCESSES.labels(queue, activity).set(amount)
    MODELS_LOADED.set(sum(process.models for process in processes))


CAUSES: Final = ("memory", "signal", "exit", "hard_limit")
"""The causes of a worker process's death."""


def cause_of(code: int, *, at_limit: bool) -> str:
    """Name the cause of a worker process's death by its exit code, or the negative number of a signal."""
    if at_limit:
        return "hard_limit"
    if code >= 0:
        return "exit"
    return "memory" if -code == signal.SIGKILL else "signal"
