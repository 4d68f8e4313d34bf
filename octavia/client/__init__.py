"""Clients of Octavia's HTTP API: ``Octavia``, and ``AsyncOctavia`` for asyncio.

::

    from octavia.client import Octavia

    with Octavia("https://octavia.example", api_key="oct_…") as octavia:
        job = octavia.submit("dub", file="talk.mp4", target_language="es")
        job = octavia.wait(job.id)
        octavia.download(job.id, "dub.wav")

It imports ``octavia.errors``, ``links`` and ``backoff``, and nothing of the server. Begin with ``calls``, which
describes every request; ``sync`` and ``aio`` send them.
"""

from octavia.client.aio import AsyncOctavia
from octavia.client.answers import (
    Artifact,
    Delivery,
    Dub,
    Event,
    Job,
    JobError,
    LogEntry,
    StageStatus,
    Status,
    Utterance,
    Utterances,
)
from octavia.client.errors import (
    AccessDenied,
    ApiError,
    ConflictError,
    Damaged,
    NotFoundError,
    RequestRefused,
    ServerError,
    TooManyRequests,
    Unreachable,
    WaitTimeout,
)
from octavia.client.sync import Octavia

__all__ = [
    "AccessDenied",
    "ApiError",
    "Artifact",
    "AsyncOctavia",
    "ConflictError",
    "Damaged",
    "Delivery",
    "Dub",
    "Event",
    "Job",
    "JobError",
    "LogEntry",
    "NotFoundError",
    "Octavia",
    "RequestRefused",
    "ServerError",
    "StageStatus",
    "Status",
    "TooManyRequests",
    "Unreachable",
    "Utterance",
    "Utterances",
    "WaitTimeout",
    "calls",
    "downloads",
]
