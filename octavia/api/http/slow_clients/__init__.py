"""Limits on how slowly a client may send a request, in headers and body, for deployments without a proxy.

uvicorn has no such limits; a proxy usually has its own. This room knows nothing of jobs. Begin with ``body_timeouts``.
"""

__all__ = ["body_timeouts", "early_answer", "header_timeouts", "stopping"]
