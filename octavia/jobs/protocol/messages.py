"""The messages on the queues: short, they name a task and carry no results and no text.

A worker does the messages of its own format and of every older one: what an older one does not say is filled in here
(``understood``), and fields that nobody knows are left out. Newer ones wait for a worker that knows them. What is no
message at all, or names no task, belongs to the dead letters.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

import dramatiq
from dramatiq.errors import DecodeError

from octavia.errors import InputError
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import EDITS_FORMAT, PLAIN_FORMAT, Stage, queue_of

MESSAGE_FORMAT: Final = EDITS_FORMAT
"""The newest that this release does; raised when a message's meaning changes.

A message has the oldest that its job can do with. Format 0, of messages without a number, says the same as 1.
"""

MAX_BYTES: Final = 64 * 1024
"""Bytes; what is larger is no message, and is not even looked into."""

# A pipeline is two levels for each of its stages.
_DEEPEST: Final = 30
_FIELDS: Final = ("job_id", "run", "chunk", "format")
_STAGES: Final = frozenset(stage.value for stage in Stage)
# What a column of whole numbers holds; the whole job's tasks have a chunk number below 0.
_NUMBERS: Final = range(-1, 2**31)

Message = dramatiq.Message[Any]


def message_for(ref: TaskRef, priority_level: int, format: int = PLAIN_FORMAT) -> Message:
    """The message that has a worker do a task; its queue is the logical name."""
    return dramatiq.Message(
        queue_name=queue_of(ref.stage).value,
        actor_name=ref.stage.value,
        args=(),
        kwargs={"job_id": str(ref.job_id), "run": ref.run, "chunk": ref.chunk, "format": format},
        options={"broker_priority": priority_level},
    )


def chunk_pipeline(
    job_id: UUID, run: int, chunk: int, stages: Sequence[Stage], level: int, format: int = PLAIN_FORMAT
) -> dramatiq.pipeline:
    """The composed pipeline of one chunk: each message carries the one after it as its ``pipe_target``."""
    messages = [
        message_for(TaskRef(job_id, run, chunk, stage), level, format).copy(options={"pipe_ignore": True})
        for stage in stages
    ]
    return reduce(or_, messages[1:], dramatiq.pipeline(messages[:1]))


def pipe_target(message: bytes) -> bytes | None:
    """The encoded next message of an encoded message's pipeline, if there is one."""
    target = decode(message).options.get("pipe_target")
    return dramatiq.Message(**target).encode() if target else None


def has_valid_target(message: Message) -> bool:
    """Whether the next message of a message's pipeline, if it has one, has the shape of a message."""
    target = message.options.get("pipe_target")
    try:
        return target is None or isinstance(dramatiq.Message(**target).kwargs, dict)
    except TypeError:
        return False


def decode(data: bytes) -> Message:
    """An encoded message.

    Raises:
      InputError: ``bad_message``; those are not the bytes of a message.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data):,} bytes are too many for a message.", code="bad_message")
    try:
        message: Message = dramatiq.Message.decode(data)
    except DecodeError as error:
        raise InputError("These bytes are not a message.", code="bad_message") from error
    if _is_deep(message.asdict()):
        # Whoever prints or encodes it would run out of stack.
        raise InputError("This is nested too deeply for a message.", code="bad_message")
    return message


def is_newer(message: Message) -> bool:
    """Whether a newer release has sent it in a format of its own."""
    given = message.kwargs.get("format", 0)
    return type(given) is int and given > MESSAGE_FORMAT


def normalized(message: Message) -> Message:
    """A stage's message as this release's actors take it; those of others, and newer ones, stay as they are."""
    if message.actor_name not in _STAGES or is_newer(message):
        return message
    known = {name: message.kwargs[name] for name in _FIELDS if name in message.kwargs}
    return message.copy(args=(), kwargs={"format": 0, **known})


def ref_of(message: Message) -> TaskRef:
    """The task that a message names.

    Raises:
      InputError: ``bad_message``; it names none.
    """
    try:
        kwargs = message.kwargs
        _number(kwargs.get("format", 0))
        run, chunk = _number(kwargs["run"]), _number(kwargs["chunk"])
        return TaskRef(UUID(kwargs["job_id"]), run, chunk, Stage(message.actor_name))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"The message {message.message_id} names no task.", code="bad_message") from error


def _number(value: object) -> int:
    if type(value) is not int or value not in _NUMBERS:
        raise ValueError(f"not a number of ours: {value!r:.50}")
    return value


def _is_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, (list, tuple)):
                inner += one
        if not inner:
            return False
        level = inner
    return True
