"""Pydantic models of requests and answers about jobs, shared by resources and submission.

Knows ``http.checks`` and the records of ``jobs``. Begin with ``requests.JobRequest`` and ``answers.JobOut``.
"""

__all__ = ["answers", "requests", "utterances"]
