"""``octavia jobs`` and ``octavia webhooks``: the jobs of a running service, through ``octavia.client``.

Nothing here touches the database or the queues. Begin with ``commands``; ``utterances`` adds two more of them, and
``webhooks`` is a group of its own.
"""

__all__ = ["commands", "utterances", "webhooks"]
