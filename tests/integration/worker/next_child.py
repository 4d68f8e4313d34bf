"""A worker process of a release to come: ``child.py``, but with messages of another format, and one more actor."""

import sys
from pathlib import Path

import dramatiq

from octavia.jobs import messages
from octavia.jobs.states import Queue
from octavia.queues import TaskBroker
from octavia.settings import Settings
from octavia.worker import child
from tests.integration.worker.child import declare


def sing(log: str) -> None:
    """What this release cannot do."""
    Path(log).write_text("la la la")


def declare_all(broker: TaskBroker, settings: Settings) -> None:
    """Declare the actors of this release, and the new one."""
    declare(broker, settings)
    dramatiq.actor(sing, broker=broker, actor_name="sing", queue_name=broker.names.main(Queue.TRANSCRIBE))


if __name__ == "__main__":
    messages.MESSAGE_FORMAT += 1
    sys.exit(child.run(sys.argv[1:], declare_all))
