"""Stage functions as Dramatiq actors: each is called with the task that the status middleware has claimed."""

from collections.abc import Callable, Mapping

import dramatiq

from octavia.brokers.queues import TaskBroker
from octavia.jobs.tables.states import Stage, queue_of
from octavia.middleware.process import Process
from octavia.work import Work

StageFunction = Callable[[Work], None]


def declare_stages(broker: TaskBroker, process: Process, functions: Mapping[Stage, StageFunction]) -> None:
    """Declare one actor per stage, under the stage's name and on the stage's queue."""
    for stage, function in functions.items():
        dramatiq.Actor(
            _with_work(process, function),
            broker=broker,
            actor_name=stage.value,
            queue_name=broker.names.main(queue_of(stage)),
            priority=0,
            options={},
        )


def _with_work(process: Process, function: StageFunction) -> Callable[..., None]:
    def run(**_fields: object) -> None:
        # The message's fields only name the task; the claim has read them.
        assert process.work is not None
        function(process.work)

    return run
