"""Paths on the server, for answers and webhooks."""

import re
from typing import Final
from uuid import UUID

API: Final = "/api/v1"
"""The prefix of the API. Changes that break clients go under another version."""


LOCAL_URL: Final = "http://127.0.0.1:8000"
"""The address of a server that was started by ``octavia serve`` with its default settings."""

_ROOT: Final = re.compile(r"(?:/(?!\.\.?(?:/|$))[\w.~-]+)*", re.ASCII)


def checked_root(path: str) -> str:
    """Return a path under which a proxy serves the API, without a slash at its end; empty for the top.

    Raises ``ValueError`` if it is no plain path: in front of a link, ``//evil.example`` would be another server.
    """
    root = path.rstrip("/")
    if not _ROOT.fullmatch(root):
        raise ValueError("must be a path such as /octavia, of letters, digits and -._~ between single slashes")
    return root


def job_url(job_id: UUID, root: str = "") -> str:
    """The path of a job; ``root``: the path under which a proxy serves the API."""
    return f"{root}{API}/jobs/{job_id}"


def job_links(job_id: UUID, root: str = "") -> dict[str, str]:
    """The paths of a job and its resources, by name; ``root`` as for ``job_url``."""
    url = job_url(job_id, root)
    return {"self": url, "status": f"{url}/status", "artifacts": f"{url}/artifacts", "utterances": f"{url}/utterances"}
