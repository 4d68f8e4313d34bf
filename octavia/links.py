"""Paths on the server, for answers and webhooks."""

from typing import Final
from uuid import UUID

API: Final = "/api/v1"
"""The prefix of the API. Changes that break clients go under another version."""


LOCAL_URL: Final = "http://127.0.0.1:8000"
"""The address of a server that was started by ``octavia serve`` with its default settings."""


def job_url(job_id: UUID) -> str:
    """The path of a job."""
    return f"{API}/jobs/{job_id}"


def job_links(job_id: UUID) -> dict[str, str]:
    """The paths of a job and its resources, by name."""
    url = job_url(job_id)
    return {"self": url, "status": f"{url}/status", "artifacts": f"{url}/artifacts", "utterances": f"{url}/utterances"}
