"""Live updates: one hub reads the news of all watched jobs; clients get them by SSE, WebSocket or while they wait.

Knows ``http`` and ``context``, and of ``octavia.jobs`` only what is read. Begin reading with ``hub``.
"""

__all__ = ["hub", "latest", "position", "signal", "sse", "waiting", "wakeups", "websocket"]
