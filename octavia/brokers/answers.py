"""A time limit for RabbitMQ's answer to one call, which pika does not have.

pika notices a broker that is away. It does not notice a quorum queue without a leader: the connection lives, and the
confirmation of a message does not come for as long as most of the queue's nodes are down.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pika
import pika.exceptions


class Unanswered(pika.exceptions.AMQPConnectionError):  # type: ignore[misc]  # pika has no types here
    """RabbitMQ lives, but did not answer in time."""


@contextmanager
def answered_within(connection: pika.BlockingConnection, seconds: float) -> Iterator[None]:
    """Close the connection, and raise ``Unanswered``, if the block takes longer. Only for the connection's thread."""
    # pika itself ends a connection that is blocked for too long in this way.
    impl = connection._impl
    late = Unanswered(f"no answer within {seconds:g} s")
    timer = impl._adapter_call_later(seconds, lambda: impl._terminate_stream(late))
    try:
        yield
    finally:
        if connection.is_open:
            impl._adapter_remove_timeout(timer)
