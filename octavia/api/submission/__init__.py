"""Makes a job of a request: checks it, streams its file into storage, and stores the job once per idempotency key.

Knows ``http`` and ``schemas``, but no endpoint. Begin reading with ``receive``.
"""

__all__ = ["idempotency", "plan", "receive", "room", "supported", "uploads"]
