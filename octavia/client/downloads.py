"""A file that is downloaded in as many parts as it takes, checked, and only then given its name."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from octavia.client import calls
from octavia.client.answers import Artifact
from octavia.client.errors import Damaged
from octavia.client.patience import ONCE, Patience
from octavia.errors import NotFound, OctaviaError

BLOCK: Final = 256 * 1024


class Download:
    """One file on its way into a folder, or under a name of its own.

    What an earlier download left of the same file, even by another process, is gone on from.

    Parameters:
      to: A folder that is there, or the path of the file to be.
      patience: For how many seconds a server that does not answer is borne.
    """

    def __init__(self, job_id: calls.JobId, artifact: Artifact, to: Path, patience: float) -> None:
        self.path = calls.artifact_path(job_id, artifact)
        self.target = inside(to, artifact.name) if to.is_dir() else to
        self._artifact = artifact
        # Named by the content: a part of another revision is never gone on from.
        self._part = self.target.with_name(f".{self.target.name}.{artifact.sha256[:12]}.part")
        self._patience = Patience(patience)

    def arguments(self) -> dict[str, Any]:
        """What the next request asks for."""
        have = self._part.stat().st_size if self._part.exists() else 0
        headers = {"Range": f"bytes={have}-", "If-Range": f'"{self._artifact.sha256}"'} if have else {}
        return {"headers": {**headers, "Accept-Encoding": "identity"}, "extensions": {"retry": ONCE}}

    @property
    def complete(self) -> bool:
        """Whether all bytes are here."""
        size = self._artifact.size
        return size > 0 and self._part.exists() and self._part.stat().st_size == size

    def begin(self, answer: httpx.Response) -> None:
        """Make ready for what an answer brings: the rest of the file, or all of it."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if answer.status_code != 206:
            self._part.write_bytes(b"")

    def write(self, block: bytes) -> None:
        """Keep what has come."""
        with self._part.open("ab") as part:
            part.write(block)
        self._patience.regained()

    def finish(self) -> Path:
        """Check the file and give it its name.

        Raises:
          Damaged: It is not what the server said it would be; what has come is dropped.
        """
        with self._part.open("rb") as part:
            digest = hashlib.file_digest(part, "sha256").hexdigest()
        if digest != self._artifact.sha256:
            self._part.unlink()
            raise Damaged(f"{self._artifact.name} is damaged.", hint="Download it again; the job may have run again.")
        return self._part.replace(self.target)

    def lost(self, error: OctaviaError) -> float:
        """As ``Patience.lost``."""
        return self._patience.lost(error)


def inside(folder: Path, name: str) -> Path:
    """Where a file goes that the server has named; never outside the folder.

    Raises:
      Damaged: The name would lead there.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or path.resolve() == folder.resolve():
        raise Damaged(f"The server names a file {name!r}.", hint="Download it under a name of your own.")
    return path


def named(found: Sequence[Artifact], name: str) -> Artifact:
    """The file of that name.

    Raises:
      NotFound: The job made none.
    """
    for artifact in found:
        if artifact.name == name:
            return artifact
    names = ", ".join(artifact.name for artifact in found)
    raise NotFound(f"The job has made no {name}.", code="artifact_not_found", hint=f"It made {names or 'nothing yet'}.")
