"""One actor a file: thin functions that load, call an engine and store."""

import dramatiq

from octavia.actors.assemble import assemble
from octavia.actors.detect import detect
from octavia.actors.prepare import prepare
from octavia.actors.synthesize import synthesize
from octavia.actors.transcribe import transcribe
from octavia.actors.translate import translate
from octavia.brokers.queues import TaskBroker
from octavia.jobs.tables.states import Stage, queue_of
from octavia.settings import Settings


def declare(broker: TaskBroker, settings: Settings) -> None:
    """Declare every stage's actor on a broker, each under its stage's name and on its stage's queue."""
    for function in (prepare, detect, transcribe, translate, synthesize, assemble):
        stage = Stage(function.__name__)
        dramatiq.Actor(
            function,
            broker=broker,
            actor_name=stage.value,
            queue_name=broker.names.main(queue_of(stage)),
            priority=0,
            options={},
        )
