from types import SimpleNamespace
from typing import Any, cast

from dramatiq.brokers.stub import StubBroker

from octavia.brokers.queues import Names
from octavia.jobs.tables.states import Stage
from octavia.middleware.process import Process
from octavia.middleware.stages import declare_stages
from octavia.work import Work


def test_a_declared_stage_is_called_with_the_task_in_hand() -> None:
    # Given a process with a task in hand, and a function for one stage
    broker: Any = StubBroker(middleware=[])
    broker.names = Names("test")
    process = Process("test")
    process.work = cast(Work, SimpleNamespace())
    given: list[Work] = []
    declare_stages(broker, process, {Stage.TRANSLATE: given.append})
    # When its message is processed
    broker.actors["translate"](job_id="a", run=1, chunk=0, format=2)
    # Then the function had the task, and the actor the stage's name and queue
    assert given == [process.work]
    assert broker.actors["translate"].queue_name == "test.translate.v1"
