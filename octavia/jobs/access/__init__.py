"""Clients' rights and dealings: API keys, limits, sessions, idempotency keys, webhooks. May import ``tables``.

Begin with ``keys``.
"""

__all__ = ["idempotency", "keys", "limits", "sessions", "webhooks"]
