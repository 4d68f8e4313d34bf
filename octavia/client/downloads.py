"""Downloads that can be interrupted and resumed; the file gets its name once it is complete and verified."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from octavia.client import calls
from octavia.client.answers import Artifact
from octavia.client.errors import Damaged
from octavia.client.patience import ONCE, Patience
from octavia.errors import NotFound
from octavia.files import fitted

BLOCK: Final = 256 * 1024


class Download:
    """One file to download. It resumes an interrupted download of the same file, even of another process.

    Parameters:
      to: An existing folder, or the path of the new file. A name that leads outside the folder raises ``Damaged``.
      patience: Seconds to tolerate a server that does not answer.
    """

    def __init__(self, job_id: calls.JobId, artifact: Artifact, to: Path, patience: float) -> None:
        self.path = calls.artifact_path(job_id, artifact)
        self.target = safe_path(to, artifact.name) if to.is_dir() else to
        self._artifact = artifact
        # The name holds the digest, so that a part of another revision is never resumed.
        self._part = self.target.with_name(fitted(f".{self.target.name}", f".{artifact.sha256[:12]}.part"))
        self.patience = Patience(patience)

    def arguments(self) -> dict[str, Any]:
        """The arguments of the next request: the missing rest of the file, if this very file is still there."""
        have = self._part.stat().st_size if self._part.exists() else 0
        headers = {"Range": f"bytes={have}-", "If-Range": f'"{self._artifact.sha256}"'} if have else {}
        return {"headers": {**headers, "Accept-Encoding": "identity"}, "extensions": {"retry": ONCE}}

    @property
    def complete(self) -> bool:
        """True when all bytes have arrived."""
        size = self._artifact.size
        return size > 0 and self._part.exists() and self._part.stat().st_size == size

    def begin(self, answer: httpx.Response) -> None:
        """Prepare for the body of an answer: the rest of the file (206), or all of it."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if answer.status_code != 206:
            self._part.write_bytes(b"")

    def write(self, block: bytes) -> None:
        """Append bytes that have arrived."""
        with self._part.open("ab") as part:
            part.write(block)
        self.patience.regained()

    def finish(self) -> Path:
        """Verify the file, give it its name, and return its path. A wrong file is deleted, and raises ``Damaged``."""
        with self._part.open("rb") as part:
            digest = hashlib.file_digest(part, "sha256").hexdigest()
        if digest != self._artifact.sha256:
            self._part.unlink()
            raise Damaged(f"{self._artifact.name} is damaged.", hint="Download it again; the job may have run again.")
        return self._part.replace(self.target)


def safe_path(folder: Path, name: str) -> Path:
    """The path in ``folder`` of a file that the server named. Raises ``Damaged`` if it leads outside the folder."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or path.resolve() == folder.resolve():
        raise Damaged(f"The server sent an unsafe file name: {name!r}.", hint="Download it under a name of your own.")
    return path


def find_artifact(found: Sequence[Artifact], name: str) -> Artifact:
    """Find the file of this name. Raises ``NotFound`` (``artifact_not_found``) if there is none."""
    for artifact in found:
        if artifact.name == name:
            return artifact
    names = ", ".join(artifact.name for artifact in found)
    raise NotFound(f"The job has no file {name}.", code="artifact_not_found", hint=f"It has {names or 'none yet'}.")
