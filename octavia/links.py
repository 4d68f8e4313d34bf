"""Where things are on the server, as answers and webhooks say it."""

from typing import Final
from uuid import UUID

API: Final = "/api/v1"
"""Where all of the API lies; a change that breaks clients goes under another version."""


LOCAL_URL: Final = "http://127.0.0.1:8000"
"""The address of a server that was started by ``octavia serve`` with its default settings."""


def job_url(job_id: UUID) -> str:
    """Where a job is."""
    return f"{API}/jobs/{job_id}"


def job_links(job_id: UUID) -> dict[str, str]:
    """Where a job and what belongs to it is, by name."""
    url = job_url(job_id)
    return {"self": url, "status": f"{url}/status", "artifacts": f"{url}/artifacts", "utterances": f"{url}/utterances"}
