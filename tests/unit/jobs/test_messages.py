"""Messages: short, composed with ``|``, and read back with care."""

from typing import Any
from uuid import uuid4

import dramatiq
import pytest

from octavia.errors import InputError
from octavia.jobs.messages import MESSAGE_FORMAT, chunk_pipeline, decode, message_for, pipe_target, ref_of
from octavia.jobs.records import TaskRef
from octavia.jobs.states import Stage

STAGES = (Stage.TRANSCRIBE, Stage.TRANSLATE, Stage.SYNTHESIZE)


def test_a_message_names_its_task_and_nothing_else() -> None:
    # Given a task
    ref = TaskRef(uuid4(), 2, 7, Stage.TRANSCRIBE)
    # When its message goes over the wire
    message = decode(message_for(ref, 3).encode())
    # Then it names the task, by the logical queue
    assert ref_of(message) == ref
    assert (message.queue_name, message.actor_name, message.args) == ("transcribe", "transcribe", ())
    assert message.kwargs == {"job_id": str(ref.job_id), "run": 2, "chunk": 7, "format": MESSAGE_FORMAT}
    assert message.options == {"broker_priority": 3}


def test_a_pipeline_unrolls_stage_by_stage() -> None:
    # Given a chunk's composed pipeline, of which only the first message is sent
    job_id = uuid4()
    message: bytes | None = chunk_pipeline(job_id, 1, 4, STAGES, 2).messages[0].encode()
    # When each message hands over its pipe_target
    seen = []
    while message is not None:
        decoded = decode(message)
        assert decoded.options["pipe_ignore"] is True
        assert decoded.options["broker_priority"] == 2
        seen.append(ref_of(decoded))
        message = pipe_target(message)
    # Then every stage had its turn
    assert seen == [TaskRef(job_id, 1, 4, stage) for stage in STAGES]


def test_a_pipeline_of_one_stage_hands_nothing_over() -> None:
    pipeline = chunk_pipeline(uuid4(), 1, 0, STAGES[:1], 2)
    assert len(pipeline) == 1
    assert pipe_target(pipeline.messages[0].encode()) is None


@pytest.mark.parametrize(
    ("actor", "kwargs"),
    [
        ("sing", {"job_id": str(uuid4()), "run": 1, "chunk": 0}),
        ("prepare", {}),
        ("prepare", {"job_id": "no uuid", "run": 1, "chunk": 0}),
        ("prepare", {"job_id": 7, "run": 1, "chunk": 0}),
        ("prepare", {"job_id": str(uuid4()), "run": "one", "chunk": 0}),
        ("prepare", {"job_id": str(uuid4()), "run": 1, "chunk": None}),
        ("prepare", None),
    ],
)
def test_a_message_that_names_no_task_is_an_input_error(actor: str, kwargs: Any) -> None:
    with pytest.raises(InputError) as caught:
        ref_of(dramatiq.Message("default", actor, (), kwargs, {}))
    assert caught.value.code == "bad_message"


def test_bytes_that_are_no_message_are_an_input_error() -> None:
    for data in (b"", b"{}", b"\xff", b'{"queue_name": "x"}'):
        with pytest.raises(InputError) as caught:
            decode(data)
        assert caught.value.code == "bad_message"
