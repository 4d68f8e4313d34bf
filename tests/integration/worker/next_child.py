"""A worker process of a release to come: ``child.py``, but with messages of another format, and one more actor."""

import sys
from pathlib import Path

import dramatiq

from octavia.brokers.queues import TaskBroker
from octavia.jobs.protocol import messages
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import Queue
from octavia.middleware.process import Process
from octavia.settings import Settings
from octavia.worker import child
from tests.integration.worker.child import declare

_message_for = messages.message_for


def sing(log: str) -> None:
    """What this release cannot do."""
    Path(log).write_text("la la la")


def _newest(ref: TaskRef, priority_level: int, format: int, traceparent: str | None = None) -> messages.Message:
    """A message that only that release can do, whatever its job could do with."""
    return _message_for(ref, priority_level, messages.MESSAGE_FORMAT, traceparent)


def declare_all(broker: TaskBroker, process: Process, settings: Settings) -> None:
    """Declare the actors of this release, and the new one."""
    declare(broker, process, settings)
    dramatiq.actor(sing, broker=broker, actor_name="sing", queue_name=broker.names.main(Queue.TRANSCRIBE))


if __name__ == "__main__":
    messages.MESSAGE_FORMAT += 1
    messages.message_for = _newest
    sys.exit(child.run(sys.argv[1:], declare_all))
