"""The endpoints below ``/api/v1``, one resource a file; also health checks, documentation pages and ``openapi``.

Knows ``submission``, ``live`` and ``schemas``, but nothing of ``openai``. Begin reading with ``jobs``.
"""

__all__ = [
    "capabilities",
    "forecast",
    "health",
    "job_log",
    "jobs",
    "keys",
    "metrics",
    "pages",
    "playing",
    "results",
    "sessions",
    "utterances",
    "webhooks",
]
