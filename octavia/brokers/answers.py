"""A bound on how long RabbitMQ may take to answer one call.

A broker that is away is noticed. A quorum queue without a leader is not: the connection lives, and the confirmation of
a message does not come, for as long as most of its nodes are down. pika waits for it without end.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pika
import pika.exceptions


class Unanswered(pika.exceptions.AMQPConnectionError):  # type: ignore[misc]  # pika has no types here
    """RabbitMQ lives, and did not answer in time."""


@contextmanager
def answered_within(connection: pika.BlockingConnection, seconds: float) -> Iterator[None]:
    """Give up the connection if what is called meanwhile takes longer; of its own thread only.

    Raises:
      Unanswered: It did.
    """
    # What pika itself does about a connection that is blocked for too long.
    impl = connection._impl
    late = Unanswered(f"no answer within {seconds:g} s")
    timer = impl._adapter_call_later(seconds, lambda: impl._terminate_stream(late))
    try:
        yield
    finally:
        if connection.is_open:
            impl._adapter_remove_timeout(timer)
