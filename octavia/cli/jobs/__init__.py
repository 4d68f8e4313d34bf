"""``octavia jobs``: the jobs of a running service, through ``octavia.client``.

Nothing here touches the database or the queues. Begin with ``commands``; ``utterances`` adds two more of them.
"""

__all__ = ["commands", "utterances"]
