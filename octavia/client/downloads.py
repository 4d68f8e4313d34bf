"""Downloads that can be interrupted and resumed; the file gets its name once it is complete and verified."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from octavia.client import calls
from octavia.client.answers import Artifact
from octavia.client.errors import Damaged
from octavia.client.patience import ONCE, Patience
from octavia.errors import NotFound
from octavia.files import LONGEST_NAME, fitted, is_plain

BLOCK: Final = 256 * 1024


class Download:
    """One file to download. It resumes an interrupted download of the same file, even of another process.

    Parameters:
      to: An existing folder, or the path of the new file. For a folder, a name that is unsafe raises ``Damaged``.
      patience: Seconds to tolerate a server that does not answer.
    """

    def __init__(self, job_id: calls.JobId, artifact: Artifact, to: Path, patience: float) -> None:
        self.target = safe_path(to, artifact.name) if to.is_dir() else to
        self.path = calls.artifact_path(job_id, artifact)
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
            open(self._part, "wb", opener=_no_link).close()

    def write(self, block: bytes) -> None:
        """Append bytes that have arrived. Raises ``Damaged`` if there are more than the file has."""
        with open(self._part, "ab", opener=_no_link) as part:
            part.write(block)
            too_long = part.tell() > self._artifact.size
        if too_long:
            raise self._damaged()
        self.patience.regained()

    def finish(self) -> Path:
        """Verify the file, give it its name, and return its path. A wrong file is deleted, and raises ``Damaged``."""
        with open(self._part, "rb", opener=_no_link) as part:
            digest = hashlib.file_digest(part, "sha256").hexdigest()
        if digest != self._artifact.sha256:
            raise self._damaged()
        return self._part.replace(self.target)

    def _damaged(self) -> Damaged:
        self._part.unlink()
        return Damaged(f"{self._artifact.name} is damaged.", hint="Download it again; the job may have run again.")


def safe_path(folder: Path, name: str) -> Path:
    """The path in ``folder`` of a file that the server named, perhaps below other folders, as partial results are.

    Raises ``Damaged`` (``unsafe_name``) if a part of the name is not plain (see ``files.is_plain``), the name is too
    long, or a link in the folder leads out of it.
    """
    path = folder / name if len(name) <= LONGEST_NAME and all(map(is_plain, name.split("/"))) else None
    if path is None or not path.resolve().is_relative_to(folder.resolve()):
        raise Damaged(
            f"The server sent an unsafe file name: {name[:LONGEST_NAME]!r}.",
            code="unsafe_name",
            hint="Download it under a name of your own.",
        )
    return path


def _no_link(path: str, flags: int) -> int:
    """Open an unfinished file, but no link: its name can be foreseen, so others may have put one there."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def find_artifact(found: Sequence[Artifact], name: str) -> Artifact:
    """Find the file of this name. Raises ``NotFound`` (``artifact_not_found``) if there is none."""
    for artifact in found:
        if artifact.name == name:
            return artifact
    names = ", ".join(artifact.name for artifact in found)
    raise NotFound(f"The job has no file {name}.", code="artifact_not_found", hint=f"It has {names or 'none yet'}.")
