"""Limits on clients that send or read slowly, or open too many connections, for deployments without a proxy.

uvicorn has no such limits; a proxy usually has its own. This room knows nothing of jobs. Begin with ``body_timeouts``
for requests that arrive slowly, and with ``crowd`` for connections.
"""

__all__ = [
    "body_timeouts",
    "bounded",
    "crowd",
    "delivery",
    "descriptors",
    "early_answer",
    "header_timeouts",
    "refusal",
    "stopping",
]
