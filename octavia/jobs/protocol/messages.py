"""The messages on the queues: short, each names a task and carries no results and no text.

A worker handles messages of its own format and of all older ones: ``normalized`` fills in missing fields and drops
unknown ones. Newer messages wait for a newer worker. Bytes that are no message, and messages that name no task, go to
the dead letters.
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
from octavia.jobs.tables.states import ONE_PIECE_FORMAT, PLAIN_FORMAT, Stage, queue_of

MESSAGE_FORMAT: Final = ONE_PIECE_FORMAT
"""The newest format that this release handles; raised when the meaning of messages changes.

Each message uses the oldest format that can express its job. Format 0, of messages without a number, equals 1.
"""

TRACEPARENT: Final = "traceparent"
"""The option of a message with the trace context of its job; also the name of the header that RabbitMQ carries."""

MAX_BYTES: Final = 64 * 1024
"""Size limit of a message; larger ones are not parsed."""

# A pipeline has two levels for each of its stages.
_DEEPEST: Final = 30
_FIELDS: Final = ("job_id", "run", "chunk", "format")
_STAGES: Final = frozenset(stage.value for stage in Stage)
# The range of an integer column; tasks of the whole job have chunk -1.
_NUMBERS: Final = range(-1, 2**31)

Message = dramatiq.Message[Any]


def message_for(
    ref: TaskRef, priority_level: int, format: int = PLAIN_FORMAT, traceparent: str | None = None
) -> Message:
    """Make the message that has a worker do a task; its queue has the logical name.

    Parameters:
      traceparent: The job's trace context; workers that do not trace, and older ones, leave it alone.
    """
    return dramatiq.Message(
        queue_name=queue_of(ref.stage).value,
        actor_name=ref.stage.value,
        args=(),
        kwargs={"job_id": str(ref.job_id), "run": ref.run, "chunk": ref.chunk, "format": format},
        options={"broker_priority": priority_level, **({TRACEPARENT: traceparent} if traceparent else {})},
    )


def chunk_pipeline(
    job_id: UUID,
    run: int,
    chunk: int,
    stages: Sequence[Stage],
    level: int,
    format: int = PLAIN_FORMAT,
    traceparent: str | None = None,
) -> dramatiq.pipeline:
    """Compose the pipeline of a chunk: each message carries the next one as its ``pipe_target``."""
    messages = [
        message_for(TaskRef(job_id, run, chunk, stage), level, format, traceparent).copy(options={"pipe_ignore": True})
        for stage in stages
    ]
    return reduce(or_, messages[1:], dramatiq.pipeline(messages[:1]))


def pipe_target(message: bytes) -> bytes | None:
    """Return the encoded next message of an encoded message's pipeline; None at its end."""
    target = decode(message).options.get("pipe_target")
    return dramatiq.Message(**target).encode() if target else None


def has_valid_target(message: Message) -> bool:
    """Return whether a message's ``pipe_target`` is missing or well-formed."""
    target = message.options.get("pipe_target")
    try:
        return target is None or isinstance(dramatiq.Message(**target).kwargs, dict)
    except TypeError:
        return False


def decode(data: bytes) -> Message:
    """Decode a message. Raises ``InputError`` (``bad_message``) if these are not the bytes of one."""
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data):,} bytes are too many for a message.", code="bad_message")
    try:
        message: Message = dramatiq.Message.decode(data)
    except DecodeError as error:
        raise InputError("These bytes are not a message.", code="bad_message") from error
    if _is_deep(message.asdict()):
        # Printing or encoding it would exhaust the stack.
        raise InputError("This is nested too deeply for a message.", code="bad_message")
    return message


def is_newer(message: Message) -> bool:
    """Return whether a message has a format of a newer release."""
    given = message.kwargs.get("format", 0)
    return type(given) is int and given > MESSAGE_FORMAT


def normalized(message: Message) -> Message:
    """Bring a stage's message to the form that this release's actors take; leave others, and newer ones, unchanged."""
    if message.actor_name not in _STAGES or is_newer(message):
        return message
    known = {name: message.kwargs[name] for name in _FIELDS if name in message.kwargs}
    return message.copy(args=(), kwargs={"format": 0, **known})


def ref_of(message: Message) -> TaskRef:
    """Return the task that a message names. Raises ``InputError`` (``bad_message``) if it names none."""
    try:
        kwargs = message.kwargs
        _number(kwargs.get("format", 0))
        run, chunk = _number(kwargs["run"]), _number(kwargs["chunk"])
        return TaskRef(UUID(kwargs["job_id"]), run, chunk, Stage(message.actor_name))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"The message {message.message_id} names no task.", code="bad_message") from error


def _number(value: object) -> int:
    if type(value) is not int or value not in _NUMBERS:
        raise ValueError(f"not a valid number: {value!r:.50}")
    return value


def _is_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        nested = [one for one in level if isinstance(one, (dict, list, tuple))]
        level = [inner for one in nested for inner in (one.values() if isinstance(one, dict) else one)]
    return bool(level)
