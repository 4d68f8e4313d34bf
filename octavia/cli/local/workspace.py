"""The folder of results, and in it the state of an unfinished run: ``OUT/.octavia``."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from octavia.cli.local.order import Order
from octavia.cli.lock import exclusive
from octavia.errors import Conflict, InputError
from octavia.files import written_whole
from octavia.private import make_folder

_RECORD = "job.json"


class Workspace:
    """The output folder of one run.

    Attributes:
      state: The hidden folder with the database and files of the run.
      job_id: The unfinished job of this command, once there is one.
    """

    def __init__(self, out: Path, order: Order) -> None:
        self.out = out
        self.state = out / ".octavia"
        self.job_id: UUID | None = None
        self._order = order

    @classmethod
    @contextmanager
    def opened(cls, out: Path, order: Order, *, restart: bool) -> "Iterator[Workspace]":
        """Lock the folder, and resume an unfinished run of the same command in it or, with ``restart``, discard any.

        Raises as ``exclusive``, ``Conflict`` (``out_unfinished``) for an unfinished run of another command, and
        ``InputError`` (``folder_unusable``) for a state that somebody else has put there.
        """
        existed = os.path.exists(out)  # Path.exists raises if a name is too long
        with exclusive(out, remedy="Wait until it has ended, or choose another folder with --out.", persons=True):
            workspace = cls(out, order)
            workspace._refuse_foreign_state()
            workspace._resume(restart)
            try:
                yield workspace
            finally:
                if workspace.job_id is None:
                    workspace.clear()
                if not existed and not any(out.iterdir()):
                    out.rmdir()

    def make_state(self) -> Path:
        """Make the hidden folder, for this user alone, and return it. Raises as ``opened``."""
        try:
            make_folder(self.state)
        except OSError as error:
            raise InputError(
                f"The folder {self.out} cannot be used: {error.strerror}.",
                code="folder_unusable",
                hint="Choose another with --out.",
            ) from error
        self._refuse_foreign_state()
        return self.state

    def remember(self, job_id: UUID) -> None:
        """Record the job of this folder; a crash before that leaves nothing to resume."""
        self.job_id = job_id
        self.make_state()
        fingerprint, command = self._order.fingerprint, self._order.describe()
        record = {"job_id": str(job_id), "fingerprint": fingerprint, "command": command}
        with written_whole(self.state / _RECORD) as file:
            file.write(json.dumps(record).encode())

    def clear(self) -> None:
        """Remove the state, when the run is over or there is nothing to resume."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.job_id = None

    def _refuse_foreign_state(self) -> None:
        """Do not use what another user has put into a folder that many may write to, such as ``/tmp``."""
        try:
            found = self.state.lstat()
        except OSError:
            return
        # Where a mount gives all files to one user, that one owns the folder too.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), self.out.stat().st_uid):
            raise InputError(
                f"{self.state} belongs to somebody else, or is no folder.",
                code="folder_unusable",
                hint="Choose another folder with --out.",
            )

    def _resume(self, restart: bool) -> None:
        record = self._read()
        if record is None or restart:
            self.clear()
            return
        if record["fingerprint"] != self._order.fingerprint:
            raise Conflict(
                f"{self.out} holds an unfinished run of another command: {record['command']}.",
                code="out_unfinished",
                hint="Run that command again to finish it, choose another --out, or discard it with --restart.",
            )
        self.job_id = UUID(record["job_id"])

    def _read(self) -> dict[str, str] | None:
        try:
            record: dict[str, str] = json.loads((self.state / _RECORD).read_text())
        except (OSError, ValueError):
            return None
        return record if {"job_id", "fingerprint", "command"} <= record.keys() else None
