"""Dramatiq middleware around every task: claim, lease, time limits, retries, and completion.

State changes only through ``jobs``. This room knows no actor, engine or HTTP. ``octavia/broker.py`` has the order of
the middleware. Begin reading with ``status``.
"""

__all__ = [
    "paused",
    "periodic",
    "postpone",
    "process",
    "retries",
    "spans",
    "stages",
    "status",
    "time_limits",
]
