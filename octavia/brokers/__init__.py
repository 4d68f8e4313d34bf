"""Message queues: RabbitMQ, or the database where there is no broker; the relay from the outbox; and dead letters.

This room may use ``jobs``, and knows nothing of actors, workers or HTTP. ``octavia/broker.py`` puts a broker together
with its middleware. Begin reading with ``queues``, the interface that both brokers have.
"""

__all__ = [
    "alarm",
    "connections",
    "dead_letter_orders",
    "dead_letter_queues",
    "dead_letters",
    "embedded",
    "gate",
    "posting",
    "queues",
    "rabbit",
    "readable",
    "relay",
]
