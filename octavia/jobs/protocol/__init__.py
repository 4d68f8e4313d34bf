"""The protocol of tasks: claiming, completing, failing and canceling them, each in one transaction.

Begin with ``claims``, then ``completion``; ``readiness`` and ``fanout`` decide which task comes next, ``outbox`` holds
its message. May import ``tables`` and ``access``.
"""

__all__ = ["cancel", "claims", "completion", "direct", "early", "messages", "outbox", "progress", "repair"]
