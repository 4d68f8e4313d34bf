"""The folder of results, and the hidden one in it that keeps an unfinished run: ``OUT/.octavia``."""

import fcntl
import json
import os
import shutil
from pathlib import Path
from uuid import UUID

from octavia.cli.request import Request
from octavia.errors import Conflict, InputError

STATE = ".octavia"
_RECORD = "job.json"


class Workspace:
    """One run's hold on its output folder; nobody else may work in it while the ``with`` block lasts.

    Attributes:
      job_id: The unfinished job of the same command, if there is one.
    """

    def __init__(self, out: Path, request: Request, *, restart: bool) -> None:
        self.out = out
        self.state = out / STATE
        self.job_id: UUID | None = None
        self._request = request
        self._restart = restart
        self._lock = -1

    def __enter__(self) -> "Workspace":
        """Make and lock the folder.

        Raises:
          InputError: The folder cannot be made.
          Conflict: Another process works in it, or it holds an unfinished run of another command.
        """
        self._made = not self.out.exists()
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            # The folder itself is the lock: there is no lock file to leave behind or to delete under another's feet.
            self._lock = os.open(self.out, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise InputError(
                f"The folder {self.out} cannot be used: {error.strerror}.",
                code="out_unusable",
                hint="Name another one with --out.",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise Conflict(
                f"Another octavia is at work in {self.out}.",
                code="out_in_use",
                hint="Wait until it has ended, or name another folder with --out.",
            ) from error
        try:
            self._take_up()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def remember(self, job_id: UUID) -> None:
        """Write down which job this folder is for; until then a crash leaves nothing to take up."""
        self.job_id = job_id
        self.state.mkdir(exist_ok=True)
        record = {
            "job_id": str(job_id),
            "fingerprint": self._request.fingerprint,
            "command": self._request.describe(),
        }
        temporary = self.state / f"{_RECORD}.part"
        temporary.write_text(json.dumps(record))
        temporary.replace(self.state / _RECORD)

    def clear(self) -> None:
        """Remove the state: the run is over, or was never worth taking up."""
        shutil.rmtree(self.state, ignore_errors=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._made and not any(self.out.iterdir()):
            self.out.rmdir()
        os.close(self._lock)

    def _take_up(self) -> None:
        record = self._read()
        if record is None or self._restart:
            self.clear()
            return
        if record["fingerprint"] != self._request.fingerprint:
            raise Conflict(
                f"{self.out} holds an unfinished run of another command: {record['command']}.",
                code="out_unfinished",
                hint="Run that command again to finish it, name another --out, or drop it with --restart.",
            )
        self.job_id = UUID(record["job_id"])

    def _read(self) -> dict[str, str] | None:
        try:
            record: dict[str, str] = json.loads((self.state / _RECORD).read_text())
        except (OSError, ValueError):
            return None
        return record if {"job_id", "fingerprint", "command"} <= record.keys() else None
