"""The messages on the queues: short, they name a task and carry no results and no text."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

import dramatiq
from dramatiq.errors import DecodeError

from octavia.errors import InputError
from octavia.jobs.records import TaskRef
from octavia.jobs.states import Stage, queue_of

MESSAGE_FORMAT = 1
"""Raised when a message's meaning changes; a worker that knows only older formats gives newer ones back."""

Message = dramatiq.Message[Any]


def message_for(ref: TaskRef, priority_level: int) -> Message:
    """The message that has a worker do a task; its queue is the logical name."""
    return dramatiq.Message(
        queue_name=queue_of(ref.stage).value,
        actor_name=ref.stage.value,
        args=(),
        kwargs={"job_id": str(ref.job_id), "run": ref.run, "chunk": ref.chunk, "format": MESSAGE_FORMAT},
        options={"broker_priority": priority_level},
    )


def chunk_pipeline(job_id: UUID, run: int, chunk: int, stages: Sequence[Stage], level: int) -> dramatiq.pipeline:
    """The composed pipeline of one chunk: each message carries the one after it as its ``pipe_target``."""
    messages = [
        message_for(TaskRef(job_id, run, chunk, stage), level).copy(options={"pipe_ignore": True}) for stage in stages
    ]
    return reduce(or_, messages[1:], dramatiq.pipeline(messages[:1]))


def pipe_target(message: bytes) -> bytes | None:
    """The encoded next message of an encoded message's pipeline, if there is one."""
    target = decode(message).options.get("pipe_target")
    return dramatiq.Message(**target).encode() if target else None


def decode(data: bytes) -> Message:
    """An encoded message.

    Raises:
      InputError: ``bad_message``; those are not the bytes of a message.
    """
    try:
        return dramatiq.Message.decode(data)
    except DecodeError as error:
        raise InputError("These bytes are not a message.", code="bad_message") from error


def ref_of(message: Message) -> TaskRef:
    """The task that a message names.

    Raises:
      InputError: ``bad_message``; it names none.
    """
    try:
        kwargs = message.kwargs
        return TaskRef(UUID(kwargs["job_id"]), int(kwargs["run"]), int(kwargs["chunk"]), Stage(message.actor_name))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"The message {message.message_id} names no task.", code="bad_message") from error
