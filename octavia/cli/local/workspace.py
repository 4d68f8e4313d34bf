"""The folder of results, and the hidden one in it that keeps an unfinished run: ``OUT/.octavia``."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from octavia.cli.local.order import Request
from octavia.cli.lock import exclusive
from octavia.errors import Conflict

STATE = ".octavia"
_RECORD = "job.json"


class Workspace:
    """One run's output folder.

    Attributes:
      job_id: The unfinished job of this command, once there is one.
    """

    def __init__(self, out: Path, request: Request) -> None:
        self.out = out
        self.state = out / STATE
        self.job_id: UUID | None = None
        self._request = request

    @classmethod
    @contextmanager
    def opened(cls, out: Path, request: Request, *, restart: bool) -> "Iterator[Workspace]":
        """Hold the folder, and take up what the same command left in it.

        Parameters:
          restart: Drop it instead, and what another command left too.

        Raises:
          InputError: The folder cannot be made.
          Conflict: Another process works in it, or it holds an unfinished run of another command.
        """
        existed = out.exists()
        with exclusive(out, remedy="Wait until it has ended, or name another folder with --out."):
            workspace = cls(out, request)
            workspace._take_up(restart)
            try:
                yield workspace
            finally:
                if workspace.job_id is None:
                    workspace.clear()
                if not existed and not any(out.iterdir()):
                    out.rmdir()

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
        self.job_id = None

    def _take_up(self, restart: bool) -> None:
        record = self._read()
        if record is None or restart:
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
