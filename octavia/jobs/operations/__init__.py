"""What operators do with the jobs of all owners, and with queues and hosts.

May import every other part of ``jobs``.
"""

__all__ = ["audit", "pauses"]
