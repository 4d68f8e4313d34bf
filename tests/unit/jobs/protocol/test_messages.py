"""Messages: short, composed with ``|``, and read back with care."""

from typing import Any
from uuid import uuid4

import dramatiq
import pytest

from octavia.errors import InputError
from octavia.jobs.protocol.messages import (
    MAX_BYTES,
    MESSAGE_FORMAT,
    chunk_pipeline,
    decode,
    has_valid_target,
    is_newer,
    message_for,
    normalized,
    pipe_target,
    ref_of,
)
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import PLAIN_FORMAT, Stage

STAGES = (Stage.TRANSCRIBE, Stage.TRANSLATE, Stage.SYNTHESIZE)


def test_a_message_names_its_task_and_nothing_else() -> None:
    # Given a task
    ref = TaskRef(uuid4(), 2, 7, Stage.TRANSCRIBE)
    # When its message goes over the wire
    message = decode(message_for(ref, 3).encode())
    # Then it names the task, by the logical queue
    assert ref_of(message) == ref
    assert (message.queue_name, message.actor_name, message.args) == ("transcribe", "transcribe", ())
    assert message.kwargs == {"job_id": str(ref.job_id), "run": 2, "chunk": 7, "format": PLAIN_FORMAT}
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
        ("prepare", {"job_id": str(uuid4()), "run": True, "chunk": 0}),
        ("prepare", {"job_id": str(uuid4()), "run": float("inf"), "chunk": 0}),
        ("prepare", {"job_id": str(uuid4()), "run": 2**31, "chunk": 0}),
        ("prepare", {"job_id": str(uuid4()), "run": 1, "chunk": 0, "format": "1"}),
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


def test_what_is_too_large_or_too_deep_is_no_message() -> None:
    # Given a message, the same with more than any would hold, and the same with a list in a list in a list …
    good = message_for(TaskRef(uuid4(), 1, 0, Stage.TRANSLATE), 2)
    large = good.copy(kwargs={**good.kwargs, "more": "x" * MAX_BYTES})
    deep: list[object] = []
    for _ in range(900):
        deep = [deep]
    nested = good.copy(kwargs={**good.kwargs, "more": deep})
    # Then only the first is read
    assert decode(good.encode()) == good
    for bad in (large, nested):
        with pytest.raises(InputError):
            decode(bad.encode())


def test_the_longest_pipeline_is_not_too_deep() -> None:
    pipeline = chunk_pipeline(uuid4(), 1, 0, [*STAGES, *STAGES, *STAGES], 2)
    assert decode(pipeline.messages[0].encode()).options["pipe_target"]


def test_an_older_message_is_understood_and_a_newer_one_left_as_it_is() -> None:
    ref = TaskRef(uuid4(), 1, 0, Stage.TRANSLATE)
    now = message_for(ref, 2)
    # Given a message of a release that knew no formats, but a field that nobody knows any more
    older = now.copy(args=("x",), kwargs={"job_id": str(ref.job_id), "run": 1, "chunk": 0, "tenant": "a"})
    # Then its actor gets what it takes
    assert not is_newer(older)
    assert normalized(older).kwargs.keys() == now.kwargs.keys()
    assert normalized(older).args == ()
    assert ref_of(normalized(older)) == ref
    # And one of a newer release waits, whatever it says, and so does one of an actor that we do not have
    newer = now.copy(kwargs={"task": "somewhere else", "format": MESSAGE_FORMAT + 1})
    stranger = dramatiq.Message("translate", "sing", (1,), {"song": "a"}, {})
    assert is_newer(newer)
    assert [normalized(message) for message in (newer, stranger)] == [newer, stranger]


@pytest.mark.parametrize("target", ["text", 5, [1], {}, {"actor_name": "assemble"}])
def test_what_is_handed_over_is_a_message(target: object) -> None:
    good = chunk_pipeline(uuid4(), 1, 0, STAGES, 2).messages[0]
    assert has_valid_target(good)
    assert has_valid_target(message_for(TaskRef(uuid4(), 1, 0, Stage.TRANSLATE), 2))
    assert not has_valid_target(good.copy(options={"pipe_target": target}))
