"""Messages that come too often, too early, or from an older release."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pika
import sqlalchemy as sa

from octavia.brokers.queues import real_name
from octavia.jobs.protocol import completion, messages
from octavia.jobs.tables.records import Claim, NewArtifact, TaskRef
from octavia.jobs.tables.rows import OutboxMessage, Task
from octavia.jobs.tables.states import WHOLE_JOB, Queue, Stage, queue_of
from rabbitmq.node import Node
from tests.integration.faults.killing import Doomed
from tests.integration.faults.stages import STAGES
from tests.integration.jobs.steps import Steps, plan

_JOBS = 12
_COPIES = 3


def _send(deployment: Doomed, *bodies: tuple[Queue, bytes]) -> None:
    with pika.BlockingConnection(pika.URLParameters(deployment.settings.broker_url)) as connection:
        channel = connection.channel()
        for queue, body in bodies:
            channel.basic_publish("", real_name(deployment.settings.queue_prefix, queue), body)


def _message(job_id: UUID, stage: Stage) -> tuple[Queue, bytes]:
    chunk = WHOLE_JOB if stage in (Stage.PREPARE, Stage.ASSEMBLE) else 0
    return queue_of(stage), messages.message_for(TaskRef(job_id, 1, chunk, stage), 2).encode()


def test_three_copies_at_once_to_three_workers_are_worked_on_once(
    distributed: Doomed, rabbitmq: Node, tmp_path: Path
) -> None:
    # Given three workers of one queue, and nobody who would publish anything
    for number in range(3):
        distributed.spawn(f"worker-{number}", "--slot", f"default-{number}", "--queues", "default", module="stages")
    gate = tmp_path / "gate"
    # The first one keeps whoever gets it until the others are done, which so are for others.
    held = distributed.submit(gates={"prepare": str(gate)})
    jobs = [held, *[distributed.submit() for _ in range(_JOBS - 1)]]
    distributed.until(lambda: _consumers(distributed, Queue.DEFAULT) == 3)
    # When each job's first message comes three times in a row
    _send(distributed, *[_message(job_id, Stage.PREPARE) for job_id in jobs for _ in range(_COPIES)])
    # Then each was begun once, and prepared once
    distributed.until(lambda: all((Stage.TRANSCRIBE, 0) in distributed.attempts(job_id) for job_id in jobs[1:]))
    gate.touch()
    distributed.until(lambda: (Stage.TRANSCRIBE, 0) in distributed.attempts(held))
    distributed.until(lambda: _acknowledged(distributed, rabbitmq, Queue.DEFAULT) == _JOBS * _COPIES)
    distributed.stop()
    # Nothing is left but what the workers sent on themselves
    assert distributed.depths().keys() <= {real_name(distributed.settings.queue_prefix, Queue.TRANSCRIBE)}
    assert [distributed.begun(job_id) for job_id in jobs] == [{(Stage.PREPARE, WHOLE_JOB): 1}] * _JOBS
    # And by more than one of the workers
    assert len(distributed.workers_of(*jobs)) > 1


def test_messages_of_other_releases_and_times_end_in_one_result(distributed: Doomed, tmp_path: Path) -> None:
    # Given two jobs of which an older release has planned one, and no other has begun: their messages have no format
    # and one field more, which nobody knows any more
    planned, new = distributed.submit(chunks=2), distributed.submit()
    claim = Steps(distributed.db).claim(TaskRef(planned, 1, WHOLE_JOB, Stage.PREPARE))
    _prepare(distributed, claim, chunks=2)
    _age_messages(distributed)
    # And one whose first chunk is held up in the middle
    gate = tmp_path / "gate"
    held = distributed.submit(gates={"transcribe": str(gate)})
    # When workers come up
    distributed.start()
    distributed.until(lambda: distributed.begun(held)[Stage.TRANSCRIBE, 0])
    # And messages of its later stages come before their time, and those of what runs or is over again
    distributed.until(lambda: _consumers(distributed, *Queue) >= 4)
    _send(distributed, *[_message(held, stage) for stage in STAGES for _ in range(2)])
    distributed.until(lambda: _waiting(distributed, Queue.DEFAULT, Queue.TRANSLATE, Queue.SYNTHESIZE) == 0)
    gate.touch()
    # Then all complete, and nothing was begun twice
    distributed.until_completed(planned, new, held)
    for job_id in (planned, new, held):
        assert set(distributed.begun(job_id).values()) == {1}
    distributed.check(planned, new, held)


def _prepare(deployment: Doomed, claim: Claim, *, chunks: int) -> None:
    """What the actor would have done."""
    artifacts = []
    for name, data in (("made.txt", b"prepare"), ("notes.txt", b"prepare of -1")):
        stored = deployment.storage.put(f"jobs/{claim.ref.job_id}/r1/job/prepare/a1/{name}", data)
        artifacts.append(NewArtifact(name, "text/plain", stored.size, stored.sha256, stored.key))
    assert completion.complete(deployment.db, claim, artifacts=artifacts, handover=None, plan=plan(chunks))


def _age_messages(deployment: Doomed) -> None:
    """Write every message that is there as an older release would have."""
    with deployment.db.transaction() as session:
        for table in (Task, OutboxMessage):
            for row in session.scalars(sa.select(table)):
                row.message = row.message and json.dumps(_aged(json.loads(row.message))).encode()


def _aged(message: dict[str, Any]) -> dict[str, Any]:
    kwargs = {name: value for name, value in message["kwargs"].items() if name != "format"}
    options = dict(message["options"])
    if target := options.get("pipe_target"):
        options["pipe_target"] = _aged(target)
    return {**message, "kwargs": {**kwargs, "tenant": "somebody"}, "options": options}


def _consumers(deployment: Doomed, *queues: Queue) -> int:
    return sum(method.consumer_count for method in _declared(deployment, *queues))


def _acknowledged(deployment: Doomed, node: Node, queue: Queue) -> int:
    """How many messages of a queue were acknowledged; the node counts them anew every two seconds."""
    of_queue = node.ask(f"queues/%2F/{real_name(deployment.settings.queue_prefix, queue)}")
    return int(of_queue.get("message_stats", {}).get("ack", 0))


def _waiting(deployment: Doomed, *queues: Queue) -> int:
    return sum(method.message_count for method in _declared(deployment, *queues))


def _declared(deployment: Doomed, *queues: Queue) -> list[Any]:
    found = []
    with pika.BlockingConnection(pika.URLParameters(deployment.settings.broker_url)) as connection:
        for queue in queues:
            try:
                name = real_name(deployment.settings.queue_prefix, queue)
                found.append(connection.channel().queue_declare(name, passive=True).method)
            except pika.exceptions.ChannelClosedByBroker as error:
                if error.reply_code != 404:
                    raise
    return found
