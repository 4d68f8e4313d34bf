"""The HTTP side of the API that is common to all endpoints: headers, bodies, forms, errors, middleware.

Knows ``context``, keys and settings, but no resource. Begin with ``operations``, which every endpoint uses.
"""

__all__ = [
    "bodies",
    "checks",
    "cookies",
    "deprecation",
    "downloads",
    "fields",
    "forms",
    "headers",
    "identity",
    "operations",
    "origin",
    "paths",
    "problems",
    "request_log",
    "request_spans",
    "security",
    "size_limits",
    "slashes",
    "slow_clients",
]
